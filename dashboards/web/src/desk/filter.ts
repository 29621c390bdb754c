// What the list of differences shows, in the address and as the hub is asked for it.

import type { Params } from '../shared/api.ts';
import { typed } from './money.ts';

export const UTILITIES = ['water', 'power', 'gas'] as const;
export type Utility = (typeof UTILITIES)[number];

export const STATES = ['open', 'explained', 'assigned', 'adjusted', 'closed'] as const;
export type State = (typeof STATES)[number];

export const CLASSES = [
  'PAID_NO_SALE', 'SALE_NO_PAY', 'AMOUNT_DIFF', 'DUP_SALE', 'DUP_PAY', 'SOLD_NOT_LOADED', 'LOADED_NOT_SOLD', 'COUNTER_GAP',
  'LOAD_AMOUNT_DIFF', 'CUM_DRIFT', 'RESIDUAL_DRIFT', 'REVERSED', 'CARD_REPLACED', 'METER_REPLACED', 'STALE', 'REVERSE_FLOW',
] as const;
export type Class = (typeof CLASSES)[number];

/** Ages in days, both ends included; null has no end. */
export const BANDS: readonly (readonly [number, number | null])[] = [[0, 1], [2, 3], [4, 7], [8, 30], [31, null]];

export const SORTS = ['day', 'amount', 'class', 'state', 'meter'] as const;
export type Sort = (typeof SORTS)[number];

export interface Filter {
  utility: '' | Utility;
  classes: readonly Class[];
  states: readonly State[];
  /** Index of BANDS; -1: all ages. */
  band: number;
  from: string;
  to: string;
  least: string;
  most: string;
  assignee: string;
  meter: string;
  text: string;
  run: number;
  cleared: boolean;
  sort: Sort;
  down: boolean;
}

export const ALL: Filter = {
  utility: '', classes: [], states: [], band: -1, from: '', to: '', least: '', most: '', assignee: '', meter: '', text: '',
  run: 0, cleared: false, sort: 'day', down: false,
};

const isDay = (s: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(s) && !Number.isNaN(Date.parse(s));

/** Reads a filter from the parameters of an address; what cannot be is left out. */
export function parseFilter(p: URLSearchParams): Filter {
  const one = <T extends string>(name: string, allowed: readonly T[]): T | '' => allowed.find((v) => v === p.get(name)) ?? '';
  const some = <T extends string>(name: string, allowed: readonly T[]): T[] => {
    const asked = (p.get(name) ?? '').split(',');
    return allowed.filter((v) => asked.includes(v));
  };
  const text = (name: string, most: number): string => (p.get(name) ?? '').trim().slice(0, most);
  const day = (name: string): string => (isDay(p.get(name) ?? '') ? p.get(name)! : '');
  const amount = (name: string): string => typed(p.get(name) ?? '') ?? '';
  const band = Number(p.get('age') ?? -1);
  const run = Number(p.get('run') ?? 0);
  return {
    utility: one('utility', UTILITIES), classes: some('class', CLASSES), states: some('state', STATES),
    band: Number.isInteger(band) && band >= 0 && band < BANDS.length ? band : -1,
    from: day('from'), to: day('to'), least: amount('least'), most: amount('most'), assignee: text('assignee', 200), meter: text('meter', 32),
    text: text('text', 64), run: Number.isSafeInteger(run) && run > 0 ? run : 0, cleared: p.get('cleared') === '1',
    sort: one('sort', SORTS) || 'day', down: p.get('down') === '1',
  };
}

/** Writes a filter for an address; defaults are left out. */
export function formatFilter(f: Filter): URLSearchParams {
  const p = new URLSearchParams();
  const set = (name: string, value: string, unless = ''): void => {
    if (value !== unless) p.set(name, value);
  };
  set('utility', f.utility);
  set('class', f.classes.join(','));
  set('state', f.states.join(','));
  set('age', String(f.band), '-1');
  for (const name of ['from', 'to', 'least', 'most', 'assignee', 'meter', 'text'] as const) set(name, f[name]);
  set('run', String(f.run), '0');
  set('cleared', f.cleared ? '1' : '');
  set('sort', f.sort, 'day');
  set('down', f.down ? '1' : '');
  return p;
}

/** The same for the hub: the list and its export are asked with just these. */
export function filterParams(f: Filter): Params {
  const [young, old] = BANDS[f.band] ?? [0, null];
  return {
    utility: f.utility, class: f.classes.join(','), state: f.states.join(','), meter: f.meter, assignee: f.assignee, text: f.text,
    from: f.from, to: f.to, least: f.least, most: f.most, sort: f.sort,
    ...(young > 0 ? { min_age: young } : {}), ...(old !== null ? { max_age: old } : {}), ...(f.run > 0 ? { run: f.run } : {}),
    ...(f.cleared ? { cleared: true } : {}), ...(f.down ? { down: true } : {}),
  };
}

/** A filter with a name. */
export interface Saved {
  name: string;
  /** As in the address. */
  query: string;
}

const MOST_SAVED = 20;

/** Reads what savedText wrote; anything else is an empty list. */
export function parseSaved(text: string): Saved[] {
  try {
    const list: unknown = JSON.parse(text || '[]');
    if (!Array.isArray(list)) return [];
    return list.filter((one): one is Saved => typeof one?.name === 'string' && typeof one?.query === 'string').slice(0, MOST_SAVED);
  } catch {
    return [];
  }
}

/** The list with one more filter; one of the same name gives way. */
export function withSaved(list: readonly Saved[], name: string, f: Filter): Saved[] {
  return [{ name, query: formatFilter(f).toString() }, ...list.filter((one) => one.name !== name)].slice(0, MOST_SAVED);
}
