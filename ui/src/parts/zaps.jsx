// How long viewers waited: the timeline, one zap in detail, the last ones, and what they were like by outcome.
import { zaps } from '../live/store.js';
import { Detail } from './detail.jsx';
import { LastZaps } from './last-zaps.jsx';
import { Outcomes } from './outcomes.jsx';
import { Timeline } from './timeline.jsx';

export function Zaps({ summary }) {
  if (zaps.value.length === 0) {
    return (
      <section aria-labelledby="zaps">
        <h2 id="zaps">Zaps</h2>
        <p class="empty panel">
          Nobody has zapped yet. Each change of channel will appear here: how long its viewer waited, for what, and whether the channel was warm.
        </p>
      </section>
    );
  }
  return (
    <section aria-labelledby="zaps">
      <h2 id="zaps">Zaps</h2>
      <div class="zaps">
        <div class="panel over-time">
          <Timeline goal={summary.slo} />
          <Outcomes summary={summary} />
        </div>
        <div class="panel one-by-one">
          <Detail />
          <LastZaps />
        </div>
      </div>
    </section>
  );
}
