// Holds which zap is looked at, and which stretch of time the timeline shows.
import { computed, signal } from '@preact/signals';

import { moment, zaps } from './store.js';

export const STRETCHES = [
  { key: '15min', word: '15 min', seconds: 15 * 60 },
  { key: '2h', word: '2 h', seconds: 2 * 3600 },
  { key: 'all', word: 'all', seconds: Infinity },
];
export const stretch = signal(STRETCHES.at(-1));

/** The id of the zap that somebody chose. */
export const choice = signal(null);
/** The zap whose phases are shown: the chosen one, or the last. */
export const shown = computed(() => zaps.value.find(zap => zap.id === choice.value) ?? zaps.value.at(-1));

/** The zaps within the stretch. */
export const visible = computed(() => {
  const { seconds } = stretch.value;
  return seconds === Infinity ? zaps.value : zaps.value.filter(zap => moment.value - Date.parse(zap.at) <= seconds * 1000);
});
