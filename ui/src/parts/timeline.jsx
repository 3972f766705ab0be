// The zaps over time, drawn by outcome; one is chosen by pressing it. The list beside it tells the same in words.
import { useEffect, useRef } from 'preact/hooks';

import { choice, shown, stretch, STRETCHES, visible } from '../live/chosen.js';
import { moment } from '../live/store.js';
import { theme } from '../live/theme.js';
import { channelName, viewerName } from '../words/names.js';
import { outcomeWords } from '../words/outcomes.js';
import { plural, wait } from '../words/units.js';
import { Plot } from './plot.js';

export function Timeline({ goal }) {
  const place = useRef(null), tip = useRef(null), plot = useRef(null);
  useEffect(() => {
    plot.current = new Plot(place.current, { choose: zap => { choice.value = zap.id; }, hover: (zap, at) => tell(tip.current, zap, at) });
    return () => plot.current.end();
  }, []);
  const drawn = visible.value;
  const from = stretch.value.seconds === Infinity ? Math.min(...drawn.map(zap => Date.parse(zap.at))) : moment.value - stretch.value.seconds * 1000;
  useEffect(() => plot.current.colour(), [theme.turn.value]);
  useEffect(() => plot.current.show(drawn, shown.value?.id, [from / 1000, moment.value / 1000], goal));
  return (
    <div class="timeline">
      <div class="choices">
        <h3>Waits for a picture</h3>
        <div role="group" aria-label="Time shown">
          {STRETCHES.map(one => (
            <button key={one.key} class="quiet" aria-pressed={stretch.value === one} onClick={() => { stretch.value = one; }}>{one.word}</button>
          ))}
        </div>
      </div>
      <div class="plot" ref={place} role="img" aria-label={`How long ${plural(drawn.length, 'zap')} took, over time. The last ones are listed below.`}>
        <div class="tip" ref={tip} hidden />
        {drawn.length === 0 && <p class="none">No zap in the last {stretch.value.word}</p>}
      </div>
    </div>
  );
}

function tell(tip, zap, at) {
  tip.hidden = !zap;
  if (!zap) return;
  const result = zap.waited === undefined ? outcomeWords(zap.outcome).word : `${wait(zap.waited)}, ${outcomeWords(zap.outcome).word}`;
  tip.textContent = `${channelName(zap.channel)}: ${result} · ${viewerName(zap)}, ${new Date(zap.at).toLocaleTimeString()}`;
  tip.style.left = `${at.left}px`;
  tip.style.top = `${at.top}px`;
  tip.classList.toggle('leftward', at.left > tip.parentElement.clientWidth / 2);
}
