// The zaps since the start by what they met: their shares, and how long half and nearly all of them took.
import { OUTCOMES, outcomeWords } from '../words/outcomes.js';
import { limit, percent, wait } from '../words/units.js';
import { Shape } from './shape.jsx';

export function Outcomes({ summary }) {
  const { outcomes, within_slo, slo, warm_share } = summary;
  const rows = Object.keys(OUTCOMES).filter(outcome => outcomes[outcome]?.count).map(outcome => ({ outcome, ...outcomes[outcome] }));
  const total = rows.reduce((sum, { count }) => sum + count, 0), longest = Math.max(...rows.map(({ p95 }) => p95 ?? 0));
  return (
    <div class="outcomes">
      <div class="shares" aria-hidden="true">
        {rows.map(({ outcome, count }) => <span key={outcome} class={outcome} title={`${outcomeWords(outcome).word}: ${count}`} style={{ flexGrow: count }} />)}
      </div>
      <p>
        {warm_share !== undefined && <>{percent(warm_share)} met a channel that ran or was just starting. </>}
        {within_slo !== undefined && <>{percent(within_slo)} of the last ones with a picture took {limit(slo)} at most.</>}
      </p>
      <table>
        <caption class="unseen">Zaps since the start, by what they met</caption>
        <thead>
          <tr><th scope="col">met</th><th scope="col">zaps</th><th scope="col">half within</th><th scope="col">95 % within</th><td class="range" /></tr>
        </thead>
        <tbody>
          {rows.map(({ outcome, count, median, p95 }) => (
            <tr key={outcome} class={outcome} title={outcomeWords(outcome).said}>
              <th scope="row"><Shape outcome={outcome} />{outcomeWords(outcome).word}</th>
              <td>{count.toLocaleString('en')}<small>{percent(count / total)}</small></td>
              <td>{median === undefined ? '–' : wait(median)}</td>
              <td>{p95 === undefined ? '–' : wait(p95)}</td>
              <td class="range">
                {p95 !== undefined && <span style={{ width: `${100 * p95 / longest}%` }}><span style={{ width: `${100 * (median / p95 || 0)}%` }} /></span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
