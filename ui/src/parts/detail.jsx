// One zap in detail: what its viewer waited for, phase by phase.
import { useEffect, useRef } from 'preact/hooks';

import { choice, shown } from '../live/chosen.js';
import { channelName, deviceName, viewerName } from '../words/names.js';
import { outcomeWords, reasonWords } from '../words/outcomes.js';
import { phases } from '../words/phases.js';
import { wait } from '../words/units.js';
import { Bar } from './last-zaps.jsx';

export function Detail() {
  const zap = shown.value, place = useRef(null), isChosen = zap.id === choice.value;
  useEffect(() => {
    if (isChosen) place.current.scrollIntoView({ block: 'nearest' });
  }, [choice.value]);
  const { word, said } = outcomeWords(zap.outcome);
  const who = [viewerName(zap), zap.user && deviceName(zap)].filter(Boolean).join(', ');
  return (
    <div class={`detail ${zap.outcome}`} ref={place} aria-live={isChosen ? 'polite' : 'off'}>
      <h3><span>{channelName(zap.channel)}</span><b>{zap.waited === undefined ? word : wait(zap.waited)}</b></h3>
      <p class="who">{who}, {new Date(zap.at).toLocaleTimeString()}</p>
      <Bar zap={zap} />
      <p class="said">
        {said} {zap.reason && <span title={zap.reason}>Why: {reasonWords(zap.reason)}.</span>}
      </p>
      <dl>
        {phases(zap).map(({ name, kind, from, to }) => (
          <div key={name}><dt class={kind}>{name}</dt><dd>{wait(to - from)}</dd></div>
        ))}
      </dl>
    </div>
  );
}
