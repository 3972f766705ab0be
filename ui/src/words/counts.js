// Says in words what each count is of, by its name in State.counts and its reason.
import { reasonWords } from './outcomes.js';

const TUNED = { warm: 'met a warm channel', warming: 'met a channel that was just starting', cold: 'had to wait for a start' };
const STOPPED = {
  idle: 'nobody came for long enough',
  evicted: 'another channel needed the place',
  outbid: 'another channel was likelier to be wanted',
  'tuner-needed': 'somebody needed the tuner',
  recording: 'a recording needed the tuner',
  reserve: 'a tuner has to stay free',
  'tuner-limit': 'more channels were open than there are tuners',
  'disk-budget': 'Jellyfin’s disk space was used up',
  memory: 'the memory was used up',
  pressure: 'the processor was too busy',
  failed: 'it kept failing, and nobody watched',
  operator: 'somebody stopped it here',
  'logged-out': 'its user was logged out',
  shutdown: 'the gateway was shutting down',
};
const FAILURES = {
  unreachable: 'Jellyfin could not be reached',
  refused: 'Jellyfin answered with an error',
  ended: 'the source ended',
  stalled: 'nothing new came for too long',
  busy: 'no connection or encoder was free',
  gone: 'Jellyfin no longer knew the stream',
  oversized: 'a segment was too large',
  overlong: 'a segment was too long',
  unreadable: 'the source could not be read',
  unsuitable: 'this quality is better left to Jellyfin',
  lagged: 'a reader did not keep up',
  'too-slow': 'the encoder did not keep up',
  'too-much-memory': 'the encoder took too much memory',
  crashed: 'the encoder failed',
  panicked: 'a bug in the gateway',
};
const LEFT = {
  silence: 'fell silent',
  zapped: 'zapped to another channel',
  'passed-on': 'went on with Jellyfin’s own stream',
  goodbye: 'said goodbye',
  'logged-out': 'were logged out',
  'sent-away': 'were sent away from here',
};
const RETURNED = {
  unfollowed: 'nothing followed',
  abandoned: 'the player left before the answer',
  superseded: 'the player opened something else',
  left: 'Jellyfin never learned that it was played',
  silent: 'the viewer left without a word',
  'passed-on': 'the viewer of Jellyfin’s own stream left',
  stopped: 'the player stopped before it played',
  'logged-out': 'the user was logged out',
};

export const failureWords = failure => FAILURES[failure] ?? reasonWords(failure);

/** The gateway's sentence about a stream, with its one-word reasons in words. */
export function whyWords(why) {
  const told = why.replace(/\(([a-z-]+)\)/g, (_, reason) => `(${STOPPED[reason] ?? failureWords(reason)})`);
  return `${told.charAt(0).toUpperCase()}${told.slice(1)}.`;
}

const from = words => reason => words[reason] ?? reasonWords(reason);

/** Each kind of count: its name in State.counts, what it counts, and how its reasons read. */
export const KINDS = [
  { key: 'tuned', title: 'New viewers', none: 'nobody has tuned yet', words: from(TUNED) },
  { key: 'left', title: 'Viewers that left', none: 'nobody has left', words: from(LEFT) },
  { key: 'failures', title: 'Streams that failed', none: 'none has failed', words: from(FAILURES), wrong: true },
  { key: 'stopped', title: 'Streams stopped', none: 'none has been stopped', words: from(STOPPED) },
  { key: 'rested', title: 'Encoders put to rest', none: 'none has been put to rest', words: from(STOPPED) },
  { key: 'refused', title: 'Left to Jellyfin', none: 'every viewer got a stream from here', words: reasonWords },
  { key: 'refused_openings', title: 'Channels refused', none: 'none has been refused', words: reasonWords, wrong: true },
  { key: 'returned', title: 'Given back for players', none: 'players gave back all they opened', words: from(RETURNED) },
];
