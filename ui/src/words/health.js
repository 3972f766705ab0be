// Works out what somebody should know at once: whether everything is fine, and if not, why.
import { failureWords } from './counts.js';
import { channelName, present } from './names.js';
import { WRONG } from './outcomes.js';
import { plural } from './units.js';

/** Zaps without a picture are told for so many milliseconds. */
const RECENT = 10 * 60_000;

/** Sentences, the gravest first; none where everything is fine. */
export function worries({ streams, slots, tuners }, zaps, moment, findings) {
  const found = findings.filter(({ severity }) => severity === 'problem').map(({ what, cure }) => `${what}. ${cure}.`);
  for (const stream of streams.filter(stream => stream.state === 'backing-off')) {
    const why = stream.failure ? ` (${failureWords(stream.failure)})` : '', waiting = present(stream).length ? ', and somebody waits for it' : '';
    found.push(`${channelName(stream.channel)} does not run${why}${waiting}. The gateway tries again by itself.`);
  }
  const empty = zaps.filter(zap => WRONG.includes(zap.outcome) && moment - Date.parse(zap.at) < RECENT);
  if (empty.length) {
    const names = [...new Set(empty.map(zap => channelName(zap.channel)))];
    const named = names.length > 2 ? `${names.length} channels` : names.join(' and ');
    found.push(`${plural(empty.length, 'zap')} of the last 10 minutes brought no picture (${named}).`);
  }
  if (tuners.limit !== undefined && watchedTuners(tuners) >= tuners.limit) {
    found.push('All tuners are in use by viewers: no other channel can be opened now.');
  }
  if (streams.filter(stream => present(stream).length).length >= slots) {
    found.push('All places for streams are watched: further channels are left to Jellyfin.');
  }
  return found;
}

/** Tuners that are not to be had for a new viewer. */
export const watchedTuners = ({ in_use, idle, closing = 0 }) => Math.max(0, in_use - idle - closing);
