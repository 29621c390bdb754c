// The three ledgers of a utility.

import { words } from './words.ts';

export type Which = 'sales' | 'payments' | 'entries';

/** The kind of a row in words. */
export function kindWord(which: Which, kind: string): string {
  return which === 'entries' ? words.word('event', kind) : words.word('kind', kind);
}
