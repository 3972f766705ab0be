// The figures that one looks for first.
import { moment, zaps } from '../live/store.js';
import { channelName, present } from '../words/names.js';
import { outcomeWords } from '../words/outcomes.js';
import { age, limit, percent, plural, wait } from '../words/units.js';
import { Places } from './places.jsx';

export function Strip({ state }) {
  const { streams, slots, tuners, zaps: summary } = state;
  const watched = streams.filter(stream => present(stream).length);
  return (
    <dl class="strip">
      <Figure name="watching" below={watched.length ? `on ${plural(watched.length, 'channel')}` : 'nobody at the moment'}>
        {watched.flatMap(present).length}
      </Figure>
      <Figure name="channels running" below={kept(streams.length - watched.length, streams.length)}>
        {streams.length}<small>of {slots}</small>
      </Figure>
      <Figure name="tuners" below={free(tuners)}><Places most={8} {...tuners} /></Figure>
      <LastZap />
      <Figure name="warm zaps" below={summary.within_slo === undefined ? 'none so far' : `${percent(summary.within_slo)} within ${limit(summary.slo)}`}>
        {summary.warm_share === undefined ? '–' : percent(summary.warm_share)}
      </Figure>
    </dl>
  );
}

function Figure({ name, below, hue = '', children }) {
  return <div><dt>{name}</dt><dd class={`figure ${hue}`}>{children}</dd><dd class="below">{below}</dd></div>;
}

function LastZap() {
  const zap = zaps.value.at(-1);
  if (!zap) return <Figure name="last zap" below="none so far">–</Figure>;
  const ago = age(Math.max(0, moment.value - Date.parse(zap.at)) / 1000), { word } = outcomeWords(zap.outcome);
  return (
    <Figure name={`last zap: ${word}`} hue={`hue ${zap.outcome}`} below={`${ago} ago, ${channelName(zap.channel)}`}>
      {zap.waited === undefined ? '–' : wait(zap.waited)}
    </Figure>
  );
}

const kept = (idle, all) => (idle ? `${idle} kept warm` : all ? 'all watched' : 'none kept warm');

function free({ limit, in_use, idle, closing }) {
  if (limit === undefined) return `${in_use} in use`;
  const left = Math.max(0, limit - in_use), soon = idle + closing;
  return `${left} free${soon ? `, ${soon} if needed` : ''}`;
}
