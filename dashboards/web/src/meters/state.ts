// The signals that the page is drawn from, and the stream that feeds them.

import { batch, computed, effect, signal } from '@preact/signals';
import type { Flow, MetersEvent } from './api.ts';
import { ask } from '../shared/api.ts';
import { loadQuantities } from '../shared/quantities.ts';
import { onFlow, onLost, onMeters, onSelect, onTick, START } from './live.ts';
import type { Route } from './route.ts';
import { formatRoute, HOME, parseRoute, selection } from './route.ts';

export { t } from './words.ts';
export { quantities, quantityName } from '../shared/quantities.ts';
export { lang } from '../shared/words.ts';
export { theme } from '../shared/theme.ts';

export const PAGE = 50;

/** A link from elsewhere names the area before the #, ours behind it. */
function read(): Route {
  return parseRoute(location.hash, location.search);
}

export const route = signal<Route>(read());
export const live = signal(START);
export const now = signal(Date.now());

/** The hub's clock, ms. */
export const hubNow = computed(() => now.value - live.value.skew);

/** Changes the address; push makes a step that Back undoes. */
export function go(change: Partial<Route>, push = true): void {
  const next = { ...route.value, ...change };
  const url = location.pathname + formatRoute(next);
  if (push) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  route.value = next;
}

export function clearFilters(): void {
  go({ ...HOME });
}

/** The selection as text, so that an unrelated change of the address keeps the stream. */
const selected = computed(() => new URLSearchParams(selection(route.value, PAGE)).toString());

/** Starts everything; it runs for the life of the page. */
export function start(): void {
  addEventListener('popstate', () => (route.value = read()));
  addEventListener('hashchange', () => (route.value = read()));
  effect(() => connect(selected.value));
  setInterval(() => batch(() => {
    now.value = Date.now();
    live.value = onTick(live.value, now.value);
  }), 1000);
  void loadQuantities();
}

/** Keeps a stream of the selection open until the returned function is called. */
function connect(query: string): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let failures = 0;
  live.value = onSelect(live.peek());
  const open = (): void => {
    source = new EventSource(`/api/v1/stream?${query}`);
    source.addEventListener('flow', (e) => {
      failures = 0;
      live.value = onFlow(live.peek(), JSON.parse((e as MessageEvent<string>).data) as Flow, Date.now());
    });
    source.addEventListener('meters', (e) => {
      live.value = onMeters(live.peek(), JSON.parse((e as MessageEvent<string>).data) as MetersEvent, Date.now());
    });
    source.onerror = () => {
      live.value = onLost(live.peek());
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again
      source.close();
      failures++;
      void explain();
      timer = window.setTimeout(open, Math.min(1000 * 2 ** failures, 15_000) * (0.75 + Math.random() / 2));
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}

/** Finds out why a stream was refused; a stale cursor is dropped. */
async function explain(): Promise<void> {
  const gone = new AbortController();
  try {
    await ask('/api/v1/meters', selection(route.peek(), 1), gone.signal);
    live.value = { ...live.peek(), busy: true, connection: 'stale' };
  } catch (err) {
    if ((err as { code?: string }).code === 'invalid_cursor') go({ cursor: '' }, false);
  }
}
