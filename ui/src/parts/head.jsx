// The head of the page: whether everything is fine, in words.
import { findings } from '../live/findings.js';
import { moment, stale, state, zaps } from '../live/store.js';
import { theme } from '../live/theme.js';
import { watchedTuners, worries } from '../words/health.js';
import { people, present } from '../words/names.js';
import { plural } from '../words/units.js';

export function Head() {
  const told = state.value;
  const found = told ? worries(told, zaps.value, moment.value, findings.value) : [];
  return (
    <header class="head">
      <p class="brand"><i class={stale.value ? 'unknown' : found.length ? 'wrong' : ''} />Warmgate</p>
      <div class="health" role="status">
        <h1>{title(told, found)}</h1>
        {found.map(text => <p key={text} class="worry">{text}</p>)}
      </div>
      {told && <p class="now">{watching(told)} {tuners(told.tuners)}</p>}
      <div class="tools">
        <p class={`link ${link()}`}><i />{link()}</p>
        <Theme />
      </div>
    </header>
  );
}

const link = () => (!state.value ? 'connecting' : stale.value ? 'out of date' : 'live');

function title(told, found) {
  if (stale.value) return 'No news from the gateway';
  if (!told) return 'Connecting to the gateway';
  return ['Everything is fine', 'One thing needs a look'][found.length] ?? `${found.length} things need a look`;
}

function watching({ streams }) {
  const watched = streams.filter(stream => present(stream).length), viewers = watched.flatMap(present);
  if (viewers.length === 0) return 'Nobody watches.';
  return `${people(viewers)} ${viewers.length === 1 ? 'watches' : 'watch'} ${plural(watched.length, 'channel')}.`;
}

function tuners(told) {
  if (told.limit === undefined) return `${plural(told.in_use, 'tuner')} in use.`;
  const left = Math.max(0, told.limit - watchedTuners(told));
  return left === 0 ? 'No tuner is left.' : `${plural(left, 'tuner is', 'tuners are')} left.`;
}

const ICONS = {
  system: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2v14a7 7 0 0 1 0-14z',
  light: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v4h-2zm0 18h2v4h-2zM1 11h4v2H1zm18 0h4v2h-4zM4.9 3.5l2.8 2.8-1.4 1.4-2.8-2.8zm12.8 12.8 2.8 2.8-1.4 1.4-2.8-2.8zm1.4-12.8 1.4 1.4-2.8 2.8-1.4-1.4zM6.3 16.3l1.4 1.4-2.8 2.8-1.4-1.4z',
  dark: 'M13 3a9 9 0 1 0 8 12.5A8 8 0 0 1 13 3z',
};

function Theme() {
  const words = { system: 'as the system', light: 'light', dark: 'dark' };
  const label = `Colours: ${words[theme.chosen.value]}. Change to ${words[theme.next()]}.`;
  return (
    <button class="round" onClick={theme.change} aria-label={label} title={label}>
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d={ICONS[theme.chosen.value]} /></svg>
    </button>
  );
}
