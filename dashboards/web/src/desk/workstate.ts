// What the list of differences remembers: the last filter, and those with names.

import { signal } from '@preact/signals';
import { recall, remember } from '../shared/storage.ts';
import type { Filter, Saved } from './filter.ts';
import { ALL, formatFilter, parseFilter, parseSaved, withSaved } from './filter.ts';

/** The filter with which the list was left. */
export function lastWork(): Filter {
  const kept = recall('desk.work');
  return kept ? parseFilter(new URLSearchParams(kept)) : ALL;
}

export function keepWork(f: Filter): void {
  remember('desk.work', formatFilter(f).toString() || 'sort=day');
}

/** Filters that somebody gave a name. */
export const saved = signal<readonly Saved[]>(parseSaved(recall('desk.filters')));

function write(list: readonly Saved[]): void {
  saved.value = list;
  remember('desk.filters', JSON.stringify(list));
}

export function saveFilter(name: string, f: Filter): void {
  write(withSaved(saved.value, name, f));
}

export function forgetFilter(name: string): void {
  write(saved.value.filter((one) => one.name !== name));
}

/** The keys of the list that is on screen, for the next and the one before in a dossier. */
export const shownKeys = signal<readonly string[]>([]);
