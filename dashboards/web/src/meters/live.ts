// What the stream tells, folded into one state. Pure, so that it can be tested.

import type { Flow, MeterRow, MetersEvent } from './api.ts';

export type Connection = 'connecting' | 'live' | 'stale';

export interface LiveState {
  connection: Connection;
  /** True when the hub refused the stream because it has too many. */
  busy: boolean;
  flow: Flow | null;
  rows: Map<string, MeterRow>;
  order: string[];
  total: number;
  next: string;
  /** False until the selection on screen has been answered once. */
  loaded: boolean;
  /** Page clock minus hub clock, ms. */
  skew: number;
  /** Page clock at the last event, ms. */
  heardAt: number;
}

export const START: LiveState = {
  connection: 'connecting', busy: false, flow: null, rows: new Map(), order: [], total: 0, next: '',
  loaded: false, skew: 0, heardAt: 0,
};

/** Silence after which the page says that the data are old. The hub speaks every second. */
export const SILENCE_MS = 5000;

export function onFlow(s: LiveState, flow: Flow, now: number): LiveState {
  return { ...s, connection: 'live', busy: false, flow, skew: now - Date.parse(flow.at), heardAt: now };
}

export function onMeters(s: LiveState, e: MetersEvent, now: number): LiveState {
  const rows = e.full ? new Map<string, MeterRow>() : new Map(s.rows);
  for (const row of e.rows) rows.set(row.id, row);
  const order = e.order ?? (e.full ? [] : s.order);
  for (const id of rows.keys()) if (!order.includes(id)) rows.delete(id);
  return { ...s, rows, order, total: e.total, next: e.next ?? '', loaded: true, heardAt: now };
}

/** Another selection was asked for: what is on screen stays until it is answered. */
export function onSelect(s: LiveState): LiveState {
  return { ...s, loaded: false };
}

/** A second has passed. */
export function onTick(s: LiveState, now: number): LiveState {
  if (s.connection === 'live' && now - s.heardAt > SILENCE_MS) return { ...s, connection: 'stale' };
  return s;
}

export function onLost(s: LiveState): LiveState {
  return s.flow ? { ...s, connection: 'stale' } : s;
}
