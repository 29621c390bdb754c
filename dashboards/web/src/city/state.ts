// The signals that the page is drawn from: where one is, the plan of the city, the
// values on the map, and whether the hub is heard.

import { batch, computed, effect, signal } from '@preact/signals';
import { ApiError, ask } from '../shared/api.ts';
import { loadQuantities } from '../shared/quantities.ts';
import { session } from '../shared/session.ts';
import type { Flow, GeometryFile, Head, TileLayer, Values } from './api.ts';
import type { Metric, Scale } from './classes.ts';
import { classify, scaleOf } from './classes.ts';
import type { Plan } from './geometry.ts';
import { decode } from './geometry.ts';
import type { MediumId, Route } from './route.ts';
import { formatRoute, parseRoute } from './route.ts';
import { spanOf } from './span.ts';
import { Tree } from './tree.ts';

export const route = signal<Route>(parseRoute(location.hash));

/** Changes the address; push makes a step that Back undoes. */
export function go(change: Partial<Route>, push = true): void {
  const next = { ...route.peek(), ...change };
  const url = formatRoute(next);
  if (url === formatRoute(route.peek())) return;
  if (push) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  route.value = next;
}

/** What the page knows of its connection. */
export interface Heard {
  connection: 'connecting' | 'live' | 'stale';
  /** The hub's clock at the last word from it, ms; 0 before the first. */
  at: number;
  /** Page clock minus hub clock, ms. */
  skew: number;
  /** Page clock at the last word, ms. */
  here: number;
}

export const heard = signal<Heard>({ connection: 'connecting', at: 0, skew: 0, here: 0 });
export const now = signal(Date.now());

/** The hub's clock, ms, to the minute: what ranges of time are reckoned from. */
export const minute = computed(() => Math.floor((now.value - heard.value.skew) / 60_000) * 60_000);

/** Silence after which what is shown is old. The stream speaks every second, polls every few. */
const SILENCE = { stream: 5000, polls: 16_000 };

/** The hub has said something; at is its own clock. */
export function hear(at: string): void {
  const t = Date.parse(at);
  const here = Date.now();
  if (!Number.isNaN(t)) heard.value = { connection: 'live', at: t, skew: here - t, here };
}

export interface PlanState {
  head: Head | null;
  tree: Tree | null;
  error: ApiError | null;
}

export const plan = signal<PlanState>({ head: null, tree: null, error: null });

/** Values with the colours that they have on the map. */
export interface Painted {
  readonly metric: Metric;
  readonly medium: string;
  readonly data: Values;
  readonly scale: Scale;
  readonly classes: Uint8Array;
}

/** What the map shows; it stays until the next values have come. */
export const painted = signal<Painted | null>(null);
export const paintError = signal<ApiError | null>(null);

/** The base map that was chosen; null for none. */
export const tiles = signal<TileLayer | null>(null);

export const SLOW = 60_000;
export const QUICK = 5000;

/** What the values are asked with; a change of it asks anew. */
const wanted = computed(() => {
  const { metric, medium, range, from, to } = route.value;
  const timed = metric === 'completeness' || metric === 'consumption';
  return JSON.stringify({ metric, medium: metric === 'consumption' ? medium : '', range: timed ? range : '', from: timed ? from : '', to: timed ? to : '' });
});

interface Wanted { metric: Metric; medium: MediumId | ''; range: Route['range'] | ''; from: string; to: string }

/** Starts everything; it runs for the life of the page. */
export function start(): void {
  const read = (): void => void (route.value = parseRoute(location.hash));
  addEventListener('popstate', read);
  addEventListener('hashchange', read);
  void loadPlan();
  void loadQuantities();
  effect(() => pollValues(JSON.parse(wanted.value) as Wanted));
  const streamed = session.peek()?.person?.roles.every((r) => r === 'viewer') !== true; // a pure viewer sees no meters
  if (streamed) listen();
  setInterval(() => tick(streamed ? SILENCE.stream : SILENCE.polls), 1000);
}

function tick(silence: number): void {
  batch(() => {
    now.value = Date.now();
    const h = heard.peek();
    if (h.connection === 'live' && now.value - h.here > silence) heard.value = { ...h, connection: 'stale' };
  });
}

/** Reads the outlines; again until they are there, and when the register changes. */
async function loadPlan(): Promise<void> {
  try {
    const head = await ask<Head>('/api/v1/map');
    const before = plan.peek();
    if (before.tree?.plan.version === head.version) return;
    const decoded: Plan = decode(await ask<GeometryFile>(head.geometry));
    plan.value = { head, tree: new Tree(decoded), error: null };
    const shown = painted.peek();
    if (shown && shown.data.version !== head.version) painted.value = null;
  } catch (err) {
    const error = err instanceof ApiError ? err : new ApiError('bad_map', String(err));
    plan.value = { ...plan.peek(), error };
    if (error.code !== 'no_map') setTimeout(() => void loadPlan(), Math.max(2000, error.wait * 1000));
  }
}

/** Asks for values again and again until the returned function is called. */
function pollValues(w: Wanted): () => void {
  const gone = new AbortController();
  let timer = 0;
  let asked = 0;
  const poll = async (): Promise<void> => {
    let wait = QUICK;
    try {
      const span = w.range ? spanOf(w.range, minute.peek() || Date.now(), w.from, w.to) : null;
      const period = span ? { from: new Date(span.from).toISOString(), to: span.open ? undefined : new Date(span.to).toISOString() } : {};
      const data = await ask<Values>('/api/v1/map/values', { metric: w.metric, medium: w.medium, ...period }, gone.signal, asked++ > 0 ? { 'X-Poll': '1' } : {});
      take(w, data);
      if (span && !span.open) wait = SLOW;
    } catch (err) {
      if (gone.signal.aborted) return;
      if (!(err instanceof ApiError)) throw err;
      paintError.value = err;
    }
    if (!gone.signal.aborted) timer = window.setTimeout(() => void poll(), wait);
  };
  void poll();
  return () => {
    gone.abort();
    clearTimeout(timer);
  };
}

function take(w: Wanted, data: Values): void {
  const before = painted.peek();
  const same = before?.metric === w.metric && before.medium === w.medium && before.data.from === data.from;
  const scale = scaleOf(w.metric, data.values, same ? before.scale : null);
  batch(() => {
    painted.value = { metric: w.metric, medium: w.medium, data, scale, classes: classify(scale, data.values, data.hidden) };
    paintError.value = null;
  });
  const version = plan.peek().tree?.plan.version;
  if (version !== undefined && version !== data.version) void loadPlan();
}

/** The stream of the hub: it says each second that all is well. */
function listen(): void {
  let failures = 0;
  const open = (): void => {
    const source = new EventSource('/api/v1/stream?limit=1');
    source.addEventListener('flow', (e) => {
      failures = 0;
      hear((JSON.parse((e as MessageEvent<string>).data) as Flow).at);
    });
    source.onerror = () => {
      if (heard.peek().connection === 'live') heard.value = { ...heard.peek(), connection: 'stale' };
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
      failures++;
      setTimeout(open, Math.min(1000 * 2 ** failures, 15_000) * (0.75 + Math.random() / 2));
    };
  };
  open();
}
