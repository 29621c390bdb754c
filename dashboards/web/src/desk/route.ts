// The address of what is on screen: #VIEW?... . Back, bookmarks and links to colleagues
// work by it.

import { signal } from '@preact/signals';
import type { Filter, Utility } from './filter.ts';
import { formatFilter, parseFilter, UTILITIES } from './filter.ts';

export const VIEWS = ['days', 'work', 'import', 'search', 'clearing', 'bills'] as const;
export type View = (typeof VIEWS)[number];

export type Route =
  | { view: 'days'; utility: Utility; to: string }
  | { view: 'day'; utility: Utility; day: string; open: string }
  | { view: 'work'; filter: Filter }
  | { view: 'case'; key: string; back: string }
  | { view: 'import' }
  | { view: 'search'; text: string; meter: string }
  | { view: 'clearing' }
  | { view: 'bills'; utility: string };

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Reads an address; what it does not know is the overview of days. */
export function parseRoute(hash: string): Route {
  const [view = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  const p = new URLSearchParams(query);
  const utility = UTILITIES.find((u) => u === p.get('utility')) ?? 'water';
  const day = p.get('day') ?? '';
  const to = p.get('to') ?? '';
  const key = p.get('key') ?? '';
  switch (view) {
    case 'day':
      if (DAY.test(day)) return { view, utility, day, open: p.get('open') ?? '' };
      break;
    case 'work':
      return { view, filter: parseFilter(p) };
    case 'case':
      if (key) return { view, key, back: p.get('back') ?? '' };
      break;
    case 'import':
    case 'clearing':
      return { view };
    case 'search':
      return { view, text: (p.get('text') ?? '').slice(0, 64), meter: (p.get('meter') ?? '').slice(0, 32) };
    case 'bills':
      return { view, utility: UTILITIES.find((u) => u === p.get('utility')) ?? '' };
  }
  return { view: 'days', utility, to: DAY.test(to) ? to : '' };
}

/** Writes an address; defaults are left out. */
export function formatRoute(r: Route): string {
  const p = r.view === 'work' ? formatFilter(r.filter) : new URLSearchParams();
  if (r.view !== 'work') {
    for (const [name, value] of Object.entries(r)) if (name !== 'view' && value !== '') p.set(name, String(value));
  }
  const query = p.toString();
  return `#${r.view}${query ? `?${query}` : ''}`;
}

/** Where one is. */
export const route = signal<Route>(parseRoute(globalThis.location?.hash ?? ''));

/** Follows the address; call it once. */
export function startRoute(): void {
  addEventListener('hashchange', () => (route.value = parseRoute(location.hash)));
}

/** Goes somewhere; replace leaves no step for Back. */
export function go(to: Route, replace = false): void {
  if (replace) history.replaceState(null, '', formatRoute(to));
  else history.pushState(null, '', formatRoute(to));
  route.value = to;
  if (!replace) scrollTo(0, 0);
}
