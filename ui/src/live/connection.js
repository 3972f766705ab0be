// Follows the gateway for as long as the page is open: loads everything, reads its events, notices silence, begins again.
import { batch } from '@preact/signals';

import { call, entered, get } from './api.js';
import { choice } from './chosen.js';
import { events } from './events.js';
import { examine } from './findings.js';
import { say } from './notices.js';
import { add, begun, heard, link, state, take, trouble, zaps } from './store.js';

/** After so long a silence the gateway is asked whether it is there, and has this long to answer; in milliseconds. */
const QUIET = 2_000, ANSWER = 1_800;
/** Loading everything may take so long. */
const LOADING = 6_000;
/** The gateway sends its state every 15 s at least: events that do not come are held back somewhere, or lost. */
const LONGEST = 20_000;
/** How often it is asked what is wrong around the gateway. */
const EXAMINED = 60_000;
/** Between attempts: the first and the longest. */
const SOON = 300, LATE = 3_000;
/** Two starts of a gateway further apart are two runs of it. */
const SAME_RUN = 3_000;

export async function follow() {
  for (let wait = SOON; ;) {
    const error = await session(() => { wait = SOON; });
    if (error?.status === 401) {
      link.value = 'locked';
      await changed(entered);
      continue;
    }
    trouble.value = error?.status ? error.detail || error.title : null;
    if (link.value === 'live') link.value = 'lost';
    await new Promise(done => setTimeout(done, wait));
    wait = Math.min(2 * wait, LATE);
  }
}

/** One connection, until it ends. Resolves with the error that ended it. */
async function session(connected) {
  const ending = new AbortController(), { signal } = ending;
  const late = setTimeout(() => ending.abort(), LOADING);
  let watch, doctor;
  try {
    // Events wait in their connection while everything is loaded, so that none is missed; a zap that comes twice is taken once.
    const answer = await call('events', { signal });
    const [told, known] = await Promise.all([get('state', { signal }), get('zaps', { signal })]);
    tellRestart(told);
    batch(() => {
      hear();
      take(told);
      zaps.value = known.zaps;
      link.value = 'live';
    });
    clearTimeout(late);
    connected();
    examine({ signal });
    doctor = setInterval(examine, EXAMINED, { signal });
    let last = Date.now();
    watch = watchOver(() => last, ending);
    for await (const { name, data } of events(answer.body, () => { last = Date.now(); hear(); })) {
      if (name === 'zap') add(data);
      else if (name === 'state') {
        if (isOtherRun(data)) return null;
        take(data);
      }
    }
    return null;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(late);
    clearInterval(watch);
    clearInterval(doctor);
    ending.abort();
  }
}

/** Asks for the state when events are silent, and gives the connection up when there is no answer or no event for too long. */
function watchOver(last, ending) {
  const giveUp = () => ending.abort();
  let asking = false;
  return setInterval(async () => {
    if (asking || Date.now() - heard.value < QUIET) return;
    if (Date.now() - last() > LONGEST) return giveUp();
    asking = true;
    try {
      const told = await get('state', { signal: AbortSignal.any([ending.signal, AbortSignal.timeout(ANSWER)]) });
      if (isOtherRun(told)) return giveUp();
      hear();
      take(told);
    } catch {
      giveUp();
    } finally {
      asking = false;
    }
  }, 250);
}

function hear() {
  heard.value = Date.now();
}

const isOtherRun = told => state.value !== null && Math.abs(begun(told) - begun(state.value)) > SAME_RUN;

function tellRestart(told) {
  if (!isOtherRun(told)) return;
  choice.value = null;
  say('The gateway has been restarted', 'Counts and zaps begin anew.');
}

const changed = signal => new Promise(done => {
  const before = signal.peek();
  const stop = signal.subscribe(value => {
    if (value === before) return;
    queueMicrotask(() => stop());
    done();
  });
});
