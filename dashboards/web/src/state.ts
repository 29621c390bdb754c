// The signals that the page is drawn from, and the stream that feeds them.

import { batch, computed, effect, signal } from '@preact/signals';
import type { Flow, MetersEvent, QuantityInfo } from './api.ts';
import { ask } from './api.ts';
import type { Key, Lang } from './i18n.ts';
import { translate } from './i18n.ts';
import { onFlow, onLost, onMeters, onSelect, onTick, START } from './live.ts';
import type { Route } from './route.ts';
import { formatRoute, HOME, parseRoute, selection } from './route.ts';

export const PAGE = 50;

function stored(name: string): string {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return ''; // storage is forbidden: the choice lasts as long as the page
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    return; // as above
  }
}

export type Theme = 'auto' | 'light' | 'dark';

const firstLang: Lang = (stored('lang') || navigator.language).toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
const firstTheme = ['light', 'dark'].includes(stored('theme')) ? (stored('theme') as Theme) : 'auto';

export const lang = signal<Lang>(firstLang);
export const theme = signal<Theme>(firstTheme);
export const route = signal<Route>(parseRoute(location.hash));
export const live = signal(START);
export const now = signal(Date.now());
export const quantities = signal<Map<string, QuantityInfo>>(new Map());

/** The hub's clock, ms. */
export const hubNow = computed(() => now.value - live.value.skew);

export const t = (key: Key, fill?: Record<string, string | number>): string => translate(lang.value, key, fill);

/** The name of a quantity in the language of the page. */
export function quantityName(id: string): string {
  const info = quantities.value.get(id);
  if (!info) return id;
  return lang.value === 'zh-CN' ? info.zh : info.en;
}

/** Changes the address; push makes a step that Back undoes. */
export function go(change: Partial<Route>, push = true): void {
  const next = { ...route.value, ...change };
  const url = formatRoute(next);
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
  addEventListener('popstate', () => (route.value = parseRoute(location.hash)));
  addEventListener('hashchange', () => (route.value = parseRoute(location.hash)));
  effect(() => {
    document.documentElement.lang = lang.value;
    document.title = `${t('title')} · citygrid`;
    store('lang', lang.value);
  });
  effect(() => {
    if (theme.value === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
    store('theme', theme.value);
  });
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

async function loadQuantities(): Promise<void> {
  try {
    const list = await ask<QuantityInfo[]>('/api/v1/quantities', {}, new AbortController().signal);
    quantities.value = new Map(list.map((q) => [q.quantity, q]));
  } catch {
    setTimeout(() => void loadQuantities(), 5000); // until then ids stand for names
  }
}
