// Why a channel runs, and when it goes: in words that go on counting between two states.
import { older, sooner } from '../live/store.js';
import { failureWords, whyWords } from '../words/counts.js';
import { Age, Countdown } from './age.jsx';

export function Why({ stream: { state, why, failure, retry_in, idle } }) {
  if (failure !== undefined) {
    return (
      <p class="why" title={failure}>
        It failed: {failureWords(failure)}. {retry_in !== undefined && <>It is tried again in <Countdown seconds={retry_in} />.</>}
      </p>
    );
  }
  if (idle === undefined || !['live', 'resting'].includes(state)) return <p class="why">{whyWords(why)}</p>;
  return (
    <p class="why">Kept {state === 'live' ? 'warm' : 'open'}: nobody has watched it for <Age seconds={idle} />.</p>
  );
}

export function Going({ stream: { state, encodes, idle, goes_in } }) {
  if (['retiring', 'backing-off'].includes(state)) return null;
  if (goes_in === undefined) {
    const stays = idle === undefined ? 'Stays while it is watched' : 'Stays until its place is needed';
    return <p class="going">{stays}</p>;
  }
  const left = sooner(goes_in), share = left / (left + older(idle ?? 0) || 1);
  return (
    <p class="going">
      <span>{state === 'live' && encodes ? 'Its encoder stops in' : 'Goes in'} <b><Countdown seconds={goes_in} /></b> if nobody comes</span>
      <span class="left" aria-hidden="true"><span style={{ width: `${100 * share}%` }} /></span>
    </p>
  );
}
