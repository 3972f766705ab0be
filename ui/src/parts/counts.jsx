// What has happened since the start of the gateway, in words, by reason.
import { KINDS } from '../words/counts.js';
import { plural } from '../words/units.js';

export function Counts({ counts }) {
  return (
    <section class="panel counts" aria-labelledby="counts">
      <h2 id="counts">Since the start</h2>
      <p>
        Streams were begun {plural(counts.starts, 'time')}.
        {counts.revived > 0 && ` ${plural(counts.revived, 'viewer')} came back after all, having been believed gone.`}
      </p>
      <div class="kinds">{KINDS.map(kind => <Kind key={kind.key} kind={kind} counts={counts[kind.key]} />)}</div>
    </section>
  );
}

function Kind({ kind: { title, none, words, wrong }, counts }) {
  const rows = Object.entries(counts).filter(([, count]) => count).sort(([, one], [, two]) => two - one);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  return (
    <div class={`kind ${wrong && total ? 'wrong' : ''}`}>
      <h3><span>{title}</span><b>{total.toLocaleString('en')}</b></h3>
      {rows.length === 0
        ? <p>{none}</p>
        : <ul>{rows.map(([reason, count]) => <li key={reason} title={reason}><span>{words(reason)}</span><b>{count.toLocaleString('en')}</b></li>)}</ul>}
    </div>
  );
}
