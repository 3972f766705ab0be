// Sends requests to the gateway's API, with the token if there is one, and makes errors of what it refuses.
import { signal } from '@preact/signals';

const KEY = 'warmgate-token';

/** The token; empty if none was needed so far. */
let token = sessionStorage.getItem(KEY) ?? '';
/** How often somebody has entered one. */
export const entered = signal(0);
/** Whether the gateway has refused the last one. */
export const refused = signal(false);

export function enter(text) {
  sessionStorage.setItem(KEY, text);
  token = text;
  refused.value = false;
  entered.value++;
}

/** An error to show: what, and more of it (RFC 9457). */
export class Problem extends Error {
  constructor(title, detail, status) {
    super(title);
    Object.assign(this, { title, detail, status });
  }
}

/** Paths are relative, for a reverse proxy with a prefix. */
export const address = path => `api/v1/${path}`;

/** Has a request of somebody else's show the token. */
export function authorize(request) {
  if (token) request.setRequestHeader('Authorization', `Bearer ${token}`);
}

export async function call(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    answer = await fetch(address(path), { cache: 'no-store', ...options, headers });
  } catch {
    throw new Problem('The gateway does not answer', 'It may be restarting, or this device has lost the network.', 0);
  }
  if (answer.status === 401) refused.value = token !== '';
  if (!answer.ok) throw await problem(answer);
  return answer;
}

export async function get(path, options) {
  return (await call(path, options)).json();
}

async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  return new Problem(told.title ?? `The gateway answered ${answer.status}`, told.detail ?? '', answer.status);
}
