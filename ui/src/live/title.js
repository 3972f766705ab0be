// Tells in the title of the tab how many watch, or that the page is out of date.
import { effect } from '@preact/signals';

import { stale, state } from './store.js';
import { present } from '../words/names.js';

export function tellTitle() {
  effect(() => {
    const watching = state.value?.streams.flatMap(present).length;
    const said = stale.value ? 'out of date' : watching ? `${watching} watching` : null;
    document.title = said ? `${said} · Warmgate` : 'Warmgate';
  });
}
