// The shape of each outcome, for those who do not tell colours apart: outlines around 0,0 that reach 5 each way.
const CIRCLE = 'M5 0A5 5 0 1 1-5 0A5 5 0 1 1 5 0Z';

export const SHAPES = {
  hit: { d: CIRCLE, filled: true },
  joined: { d: CIRCLE, filled: false },
  near: { d: 'M0-5.8 5.8 0 0 5.8-5.8 0Z', filled: true },
  cold: { d: 'M-4.5-4.5H4.5V4.5H-4.5Z', filled: true },
  bypass: { d: 'M0-5.5 5.5 4.5H-5.5Z', filled: true },
  conflict: { d: 'M-4.5-4.5 4.5 4.5M4.5-4.5-4.5 4.5', filled: false },
  failed: { d: 'M0-5.5V5.5M-5.5 0H5.5M-4-4 4 4M4-4-4 4', filled: false },
  abandoned: { d: 'M-5 0H5', filled: false },
};
