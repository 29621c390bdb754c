// What the desk begins with: the day, the layouts of files, whether there is clearing.

import { signal } from '@preact/signals';
import { ask } from '../shared/api.ts';
import type { DeskJSON } from '../shared/openapi.ts';

/** Null until the hub has told. */
export const desk = signal<DeskJSON | null>(null);

/** Asks until the hub answers: without it the page works, and offers less. */
export async function loadDesk(): Promise<void> {
  try {
    desk.value = await ask<DeskJSON>('/api/v1/ledger/desk');
  } catch {
    setTimeout(() => void loadDesk(), 10_000);
  }
}
