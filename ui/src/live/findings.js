// Holds what the gateway finds wrong around it, or what could be better.
import { signal } from '@preact/signals';

import { get } from './api.js';

export const findings = signal([]);

/** Asks; what was found before stays where there is no answer. */
export async function examine(options) {
  const told = await get('doctor', options).catch(() => null);
  if (told) findings.value = told.findings;
}
