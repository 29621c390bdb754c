// English says one row and two rows; Chinese has no plural.

import type { Fill } from '../shared/words.ts';

/** Puts the word that fits the number n for each {n|one|several} of text. */
export function plural(text: string, fill: Fill = {}): string {
  return text.replace(/\{(\w+)\|([^|}]*)\|([^|}]*)\}/g, (_, name: string, one: string, several: string) => (String(fill[name]) === '1' ? one : several));
}
