// The last zaps as bars, the newest first; one is chosen by pressing it.
import { choice, shown } from '../live/chosen.js';
import { moment, zaps } from '../live/store.js';
import { channelName, viewerName } from '../words/names.js';
import { outcomeWords, reasonWords } from '../words/outcomes.js';
import { phases } from '../words/phases.js';
import { age, wait } from '../words/units.js';

const SHOWN = 40;

export function LastZaps() {
  const last = zaps.value.slice(-SHOWN).reverse();
  const longest = Math.max(1, ...last.map(zap => zap.waited ?? 0));
  return (
    <ol class="last" aria-label="The last zaps">
      {last.map(zap => <Row key={zap.id} zap={zap} longest={longest} />)}
    </ol>
  );
}

function Row({ zap, longest }) {
  const { id, channel, outcome, reason, waited } = zap, { word } = outcomeWords(outcome);
  const ago = age(Math.max(0, moment.value - Date.parse(zap.at)) / 1000);
  return (
    <li>
      <button class={`zap ${outcome}`} aria-pressed={shown.value?.id === id} onClick={() => { choice.value = id; }}>
        <span class="channel">{channel.number && <b>{channel.number}</b>} {channelName(channel)}</span>
        <span class="time">{waited === undefined ? word : wait(waited)}</span>
        <span class="who">{viewerName(zap)}, {ago} ago</span>
        {waited === undefined
          ? <span class="reason" title={reason}>{reason && reasonWords(reason)}</span>
          : <Bar zap={zap} share={waited / longest} />}
        {waited !== undefined && <span class="unseen">{word}</span>}
      </button>
    </li>
  );
}

export function Bar({ zap, share = 1 }) {
  const parts = phases(zap).filter(({ kind, from, to }) => kind !== 'after' && to > from);
  return (
    <span class="bar" aria-hidden="true" style={{ width: `${100 * share}%` }}>
      {parts.map(({ kind, from, to }) => <span key={from} class={kind} style={{ flexGrow: 1000 * (to - from) }} />)}
    </span>
  );
}
