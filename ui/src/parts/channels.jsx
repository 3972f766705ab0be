// The channels that run, those that are watched first.
import { present } from '../words/names.js';
import { Card } from './card.jsx';
import { Warmed } from './warmed.jsx';

export function Channels({ streams, warmed }) {
  const numbered = ({ channel }) => Number.parseFloat(channel.number ?? Infinity);
  const order = (one, two) => Boolean(present(two).length) - Boolean(present(one).length)
    || numbered(one) - numbered(two) || one.id - two.id;
  return (
    <section aria-labelledby="channels">
      <h2 id="channels">Channels</h2>
      {streams.length === 0
        ? <p class="empty panel">
            No channel runs. When somebody tunes in, the channel appears here: who watches it, why it is kept warm afterwards, and when it goes.
          </p>
        : <ul class="cards">{[...streams].sort(order).map(stream => <Card key={stream.id} stream={stream} />)}</ul>}
      <Warmed warmed={warmed} />
    </section>
  );
}
