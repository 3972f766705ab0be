// Holds whether the page is dark, light or as the system is, and remembers it.
import { signal } from '@preact/signals';

const KEY = 'warmgate-theme';
const CHOICES = ['system', 'light', 'dark'];

const stored = localStorage.getItem(KEY);
const chosen = signal(CHOICES.includes(stored) ? stored : 'system');
const system = matchMedia('(prefers-color-scheme: light)');
/** Rises whenever colours change, for what is drawn and not styled. */
const turn = signal(0);
system.addEventListener('change', () => turn.value++);

export const theme = {
  chosen,
  turn,
  next: () => CHOICES[(CHOICES.indexOf(chosen.value) + 1) % CHOICES.length],
  apply() {
    document.documentElement.dataset.theme = chosen.value;
  },
  change() {
    chosen.value = theme.next();
    localStorage.setItem(KEY, chosen.value);
    theme.apply();
    turn.value++;
  },
};
