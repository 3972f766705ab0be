// Who watches a channel: what the presence of each is, how sure that is, and why.
import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';

import { kick, pending } from '../live/actions.js';
import { deviceName, viewerName } from '../words/names.js';
import { evidenceWords, playerWord, presenceWord, sureness } from '../words/presence.js';

/** A longer list is shown in full when asked. */
const SHOWN = 3;

export function Viewers({ viewers, stream }) {
  const all = useMemo(() => signal(false), []);
  const shown = all.value || viewers.length <= SHOWN + 1 ? viewers : viewers.slice(0, SHOWN);
  return (
    <>
      <ul class="viewers">{shown.map(viewer => <Viewer key={viewer.id} viewer={viewer} stream={stream} />)}</ul>
      {viewers.length > SHOWN + 1 && (
        <button class="quiet more" aria-expanded={all.value} onClick={() => { all.value = !all.value; }}>
          {all.value ? 'Show fewer' : `And ${viewers.length - SHOWN} more`}
        </button>
      )}
    </>
  );
}

function Viewer({ viewer, stream }) {
  const { presence, because } = viewer, name = viewerName(viewer);
  const device = [viewer.user && deviceName(viewer), playerWord(viewer.player)].filter(Boolean).join(' · ');
  const isOdd = !['playing', 'joining'].includes(presence);
  const evidence = evidenceWords(because);
  return (
    <li class={presence}>
      <i />
      <span class="who"><b title={name}>{name}</b><span title={viewer.device}>{device}</span></span>
      <span class="there" title={because.join(', ')}><b>{presenceWord(presence)}</b><span>{sureness(viewer)}</span></span>
      <button
        class="round" aria-label={`Send ${name} away`} title={`Send ${name} away`}
        onClick={() => kick(viewer, stream)} disabled={pending.value.has(`viewers/${viewer.id}/kick`)}
      >
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z" /></svg>
      </button>
      {isOdd && evidence && <span class="because">{evidence}</span>}
    </li>
  );
}
