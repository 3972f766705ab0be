// Writes numbers as people read them: waits, ages, sizes, shares. Numbers stay with their units in one line.
const JOIN = '\u00a0';

export function wait(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds < 1000) return `${milliseconds}${JOIN}ms`;
  return `${seconds < 59.95 ? seconds.toFixed(1) : Math.round(seconds)}${JOIN}s`;
}

/** A wait that is a round number. */
export const limit = seconds => wait(seconds).replace('.0', '');

export function age(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}${JOIN}s`;
  const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (hours < 1) return `${minutes}${JOIN}min`;
  if (days < 1) return `${hours}${JOIN}h${JOIN}${minutes % 60}${JOIN}min`;
  return `${days}${JOIN}d${JOIN}${hours % 24}${JOIN}h`;
}

/** As an age, with the seconds of less than ten minutes. */
export function countdown(seconds) {
  const whole = Math.ceil(seconds), minutes = Math.floor(whole / 60);
  if (minutes < 1 || minutes >= 10) return age(whole);
  return `${minutes}${JOIN}min${JOIN}${String(whole % 60).padStart(2, '0')}${JOIN}s`;
}

export function mebibytes(bytes) {
  const size = bytes / 2 ** 20;
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)}${JOIN}MiB`;
}

/** Never 100 % of what is not all. */
export function percent(share) {
  const rounded = Math.round(share * 100);
  return `${rounded === 100 && share < 1 ? 99 : rounded}${JOIN}%`;
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString('en')}${JOIN}${count === 1 ? one : many}`;
