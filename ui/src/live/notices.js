// Holds the messages that answer what somebody did, until they are dismissed; good ones go by themselves.
import { signal } from '@preact/signals';

const SHOWN = 6_000;

export const notices = signal([]);
let count = 0;

export function say(title, detail, wrong = false) {
  const notice = { key: ++count, title, detail, wrong };
  notices.value = [...notices.value.slice(-2), notice];
  if (!wrong) setTimeout(() => dismiss(notice.key), SHOWN);
}

export function dismiss(key) {
  notices.value = notices.value.filter(notice => notice.key !== key);
}
