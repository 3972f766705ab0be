// Stops and pins streams, kicks viewers, warms channels up and lets them go, after asking where somebody would notice.
import { signal } from '@preact/signals';

import { call } from './api.js';
import { say } from './notices.js';
import { channelName, deviceName, people, present, viewerName } from '../words/names.js';

/** What is to be confirmed: `{ title, text, verb, act }`, or null. */
export const question = signal(null);
/** What has been asked for and not answered yet: paths. */
export const pending = signal(new Set());

export function stop(stream) {
  const name = channelName(stream.channel), watching = present(stream);
  const act = () => post(`streams/${encodeURIComponent(stream.id)}/stop`, `${name} is stopped`);
  if (watching.length === 0) return act();
  question.value = {
    title: `Stop ${name}?`,
    text: `${people(watching)} ${watching.length === 1 ? 'watches' : 'watch'} it now: the picture stops, and the player has to start it again.`,
    verb: 'Stop', act,
  };
}

export function pin({ id, channel, pinned }) {
  const done = pinned ? `${channelName(channel)} is kept no longer than others` : `${channelName(channel)} is kept until its place is needed`;
  return post(`streams/${encodeURIComponent(id)}/${pinned ? 'unpin' : 'pin'}`, done);
}

export function kick(viewer, stream) {
  const name = viewerName(viewer);
  question.value = {
    title: `Send ${name} away?`,
    text: `${channelName(stream.channel)} stops on ${deviceName(viewer) ?? 'that device'}. Its device is let in again after a minute.`,
    verb: 'Send away', act: () => post(`viewers/${encodeURIComponent(viewer.id)}/kick`, `${name} is sent away`),
  };
}

export function warm(channel) {
  return post(`channels/${encodeURIComponent(channel.item)}/warm`, `${channelName(channel)} is being opened`);
}

export function release(channel) {
  return post(`channels/${encodeURIComponent(channel.item)}/release`, `${channelName(channel)} is let go`);
}

async function post(path, done) {
  pending.value = new Set(pending.value).add(path);
  try {
    await call(path, { method: 'POST' });
    say(done);
  } catch (problem) {
    say(problem.title, problem.detail, true);
  } finally {
    pending.value = new Set([...pending.value].filter(other => other !== path));
  }
}
