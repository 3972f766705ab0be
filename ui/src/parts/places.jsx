// Tuners as boxes: watched, kept warm for nobody yet, being given back, free, and free because some have to stay so.
import { watchedTuners } from '../words/health.js';

export const PLACES = {
  watched: 'in use', idle: 'kept warm', closing: 'being given back', free: 'free', reserve: 'kept free',
};

/** More boxes than `most` would tell less than a number. */
export function Places({ most, limit, in_use, idle, closing = 0, reserve }) {
  const free = Math.max(0, (limit ?? in_use) - in_use), kept = Math.min(reserve, free);
  const counts = { watched: watchedTuners({ in_use, idle, closing }), idle, closing, free: free - kept, reserve: kept };
  const told = Object.entries(counts).filter(([, count]) => count);
  const label = told.map(([kind, count]) => `${count} ${PLACES[kind]}`).join(', ') || 'none in use';
  if ((limit ?? in_use) > most || told.length === 0) {
    return <span class="places">{in_use}{limit !== undefined && <small>of {limit}</small>}</span>;
  }
  return (
    <span class="places" role="img" aria-label={label} title={label}>
      {told.flatMap(([kind, count]) => Array.from({ length: count }, (_, at) => <u key={kind + at} class={kind} />))}
    </span>
  );
}
