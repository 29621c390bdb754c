// Where one is: the address after #.

import { signal } from '@preact/signals';

export type Route =
  | { view: 'today' | 'map' | 'records' | 'more' }
  /** id of a draft, or component that a new report is about. */
  | { view: 'report'; id: string; component: string }
  | { view: 'task'; kind: 'verify' | 'check'; id: string };

/** Reads an address after #. */
export function parse(hash: string): Route {
  const [head = '', a = '', b = ''] = decodeURIComponent(hash.replace(/^#/, '')).split('/');
  if (head === 'report') return { view: 'report', id: a === 'new' ? '' : a, component: b };
  if (head === 'task' && (a === 'verify' || a === 'check') && b) return { view: 'task', kind: a, id: b };
  if (head === 'map' || head === 'records' || head === 'more') return { view: head };
  return { view: 'today' };
}

export const route = signal<Route>(parse(globalThis.location?.hash ?? ''));

/** Goes to an address, with a step back to here. */
export function go(hash: string): void {
  location.hash = hash;
}

/** Goes on in place: back does not lead here again. */
export function swap(hash: string): void {
  history.replaceState(null, '', hash);
  route.value = parse(hash);
}

export function startRoute(): void {
  addEventListener('hashchange', () => {
    route.value = parse(location.hash);
    scrollTo(0, 0);
  });
}
