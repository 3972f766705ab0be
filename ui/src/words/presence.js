// Tells whether a viewer is there, how sure that is, and what speaks for it.
import { percent } from './units.js';

const PRESENCE = {
  joining: 'joining', playing: 'watching', paused: 'paused', thin: 'in a hidden tab', stalled: 'stalled', suspect: 'probably gone',
  left: 'gone',
};
const PLAYERS = { web: 'browser', app: 'app', pull: 'media player', unknown: 'unknown player' };
const EVIDENCE = {
  asked: 'has asked for the list, not for a segment yet',
  fetches: 'asks for segments',
  'open-request': 'waits for an answer',
  'says-paused': 'says that it is paused',
  'playlists-only': 'asks for lists, not for segments',
  'once-a-minute': 'asks once a minute',
  'same-segment': 'asks for the same segment again',
  'says-starved': 'says that its buffer ran empty',
  silence: 'has been silent for long',
  'socket-closed': 'closed its WebSocket',
  'connection-closed': 'closed its connections',
  aborted: 'gave a request up',
  stopped: 'says that it stopped',
  'encodings-deleted': 'asked to end its encoding',
  'live-stream-closed': 'closed the channel',
  quits: 'says that it leaves',
  'tuned-away': 'asked for another channel',
  'passed-on': 'plays Jellyfin’s own stream',
  'logged-out': 'was logged out',
};

export const presenceWord = presence => PRESENCE[presence] ?? presence;
export const playerWord = player => PLAYERS[player] ?? player;

/** How sure the presence is; it is told as a probability of absence. */
export function sureness({ presence, absence }) {
  const sure = presence === 'suspect' || presence === 'left' ? absence : 1 - absence;
  return sure > 0.995 ? 'certain' : `${percent(sure)} sure`;
}

export const evidenceWords = because => because.map(word => EVIDENCE[word] ?? word.replaceAll('-', ' ')).join(', ');
