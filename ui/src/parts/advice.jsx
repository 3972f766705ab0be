// What could be better around the gateway, and how.
import { findings } from '../live/findings.js';

export function Advice() {
  const advice = findings.value.filter(({ severity }) => severity === 'advice');
  if (advice.length === 0) return null;
  return (
    <section class="panel advice" aria-labelledby="advice">
      <h2 id="advice">Could be better</h2>
      <ul>{advice.map(({ finding, what, cure }) => <li key={finding} title={finding}>{what}. <span>{cure}.</span></li>)}</ul>
    </section>
  );
}
