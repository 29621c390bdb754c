// The address of what is on screen: #metric=...&area=...&range=... Back and bookmarks
// work by it. Pure, so that it can be tested.

import type { Metric } from './classes.ts';
import { METRICS } from './classes.ts';
import type { Range } from './span.ts';
import { parseDate, RANGES } from './span.ts';

export const MEDIA = ['water', 'power', 'gas'] as const;
export type MediumId = (typeof MEDIA)[number];

export const FIGURES = ['value', 'flow', 'completeness'] as const;
export type FigureId = (typeof FIGURES)[number];

export interface Route {
  metric: Metric;
  /** Of the charts, and of the metric consumption. */
  medium: MediumId;
  area: string;
  component: string;
  range: Range;
  from: string;
  to: string;
  /** Which figure the chart shows. */
  chart: FigureId;
  /** What stands beside the map. */
  side: 'overview' | 'cells';
  wall: boolean;
}

export const HOME: Route = {
  metric: 'open', medium: 'water', area: '', component: '', range: 'today', from: '', to: '', chart: 'value', side: 'overview', wall: false,
};

/** Reads an address; what it does not know, or cannot be, is left at its default. */
export function parseRoute(hash: string): Route {
  const p = new URLSearchParams(hash.replace(/^#/, ''));
  const pick = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const v = p.get(name) as T | null;
    return v !== null && allowed.includes(v) ? v : fallback;
  };
  const form = (name: string, pattern: RegExp): string => (pattern.test(p.get(name) ?? '') ? (p.get(name) ?? '') : '');
  const day = (name: string): string => (parseDate(p.get(name) ?? '') === null ? '' : (p.get(name) ?? ''));
  return {
    metric: pick('metric', METRICS, HOME.metric),
    medium: pick('medium', MEDIA, HOME.medium),
    area: form('area', /^[0-9A-Z]{6,15}$/),
    component: form('component', /^[0-9A-Za-z_-]{1,40}$/),
    range: pick('range', RANGES, HOME.range),
    from: day('from'),
    to: day('to'),
    chart: pick('chart', FIGURES, HOME.chart),
    side: pick('side', ['overview', 'cells'], HOME.side),
    wall: p.get('wall') === '1',
  };
}

/** Writes an address; defaults are left out. */
export function formatRoute(r: Route): string {
  const p = new URLSearchParams();
  for (const name of Object.keys(HOME) as (keyof Route)[]) {
    if (r[name] === HOME[name]) continue;
    if ((name === 'from' || name === 'to') && r.range !== 'own') continue;
    p.set(name, r[name] === true ? '1' : String(r[name]));
  }
  const s = p.toString();
  return s ? `#${s}` : '#';
}
