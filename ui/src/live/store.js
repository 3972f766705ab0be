// Holds what the gateway has told, and how long ago; computes ages from that.
import { computed, signal } from '@preact/signals';

/** A page says that it is out of date when it has heard nothing for so many milliseconds, and cannot ask. */
const PATIENCE = 3_000;

/** The last State; null before the first. */
export const state = signal(null);
/** The last zaps, the oldest first. */
export const zaps = signal([]);
/** `connecting`, `live`, `lost`, or `locked` where a token is needed. */
export const link = signal('connecting');
/** Why the gateway refuses to tell more, where it says so. */
export const trouble = signal(null);
/** When the gateway was last heard of, and when it sent the state: by this machine's clock. */
export const heard = signal(Date.now());
const received = signal(Date.now());
/** This machine's clock, by the second. */
const now = signal(Date.now());
setInterval(() => { now.value = Date.now(); }, 500);

/** For how many seconds nothing has been heard. */
export const silence = computed(() => Math.max(0, now.value - heard.value) / 1000);
/** Whether the page shows the past. */
export const stale = computed(() => link.value !== 'live' && silence.value * 1000 > PATIENCE);

/** How many whole seconds have passed since the state was sent: what is added to its ages. Nothing ages on a page that is out of date. */
const elapsed = computed(() => Math.round(Math.max(0, (stale.value ? heard.value : now.value) - received.value) / 1000));
/** The moment by the gateway's clock, in milliseconds. */
export const moment = computed(() => (state.value ? Date.parse(state.value.at) : Date.now()) + elapsed.value * 1000);

export function older(seconds) {
  return seconds + elapsed.value;
}
export function sooner(seconds) {
  return Math.max(0, seconds - elapsed.value);
}

export function take(told) {
  received.value = Date.now();
  state.value = told;
}

export function add(zap) {
  const KEPT = 500;
  if (zaps.value.some(known => known.id === zap.id)) return;
  zaps.value = [...zaps.value, zap].slice(-KEPT);
}

/** When the gateway that told this was started, in milliseconds; tells one run of it from another. */
export const begun = told => Date.parse(told.at) - told.uptime * 1000;
