// Holds the channels that the gateway knows by name, asked for when somebody is about to choose one.
import { signal } from '@preact/signals';

import { get } from './api.js';
import { say } from './notices.js';

/** In the order of their numbers; null before they were asked for. */
export const lineup = signal(null);

export async function ask() {
  try {
    const told = await get('channels'), number = channel => Number.parseFloat(channel.number ?? Infinity);
    lineup.value = told.sort((one, two) => number(one) - number(two));
  } catch (problem) {
    say(problem.title, problem.detail, true);
  }
}
