// The sign of an outcome, as the timeline draws it.
import { SHAPES } from './shapes.js';

export function Shape({ outcome }) {
  const { d, filled } = SHAPES[outcome];
  return (
    <svg class={`shape ${outcome} ${filled ? 'filled' : ''}`} viewBox="-7 -7 14 14" aria-hidden="true"><path d={d} /></svg>
  );
}
