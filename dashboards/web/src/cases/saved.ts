// Filters that a person keeps under a name, in this browser.

import { signal } from '@preact/signals';
import { recall, remember } from '../shared/storage.ts';

/** A kept filter: the address of an inbox without #. */
export interface Saved {
  name: string;
  hash: string;
}

const KEY = 'cases.saved';
const MOST = 30;

/** Reads what was kept; what is no list of filters is none. */
export function parseSaved(text: string): Saved[] {
  try {
    const list: unknown = JSON.parse(text || '[]');
    if (!Array.isArray(list)) return [];
    return list.filter((one): one is Saved => typeof one?.name === 'string' && typeof one?.hash === 'string' && one.name !== '').slice(0, MOST);
  } catch {
    return [];
  }
}

/** Puts one in, instead of another of that name. */
export function withSaved(list: readonly Saved[], one: Saved): Saved[] {
  return [...list.filter((other) => other.name !== one.name), one].slice(-MOST);
}

export const saved = signal<readonly Saved[]>(parseSaved(recall(KEY)));
saved.subscribe((list) => remember(KEY, JSON.stringify(list)));
