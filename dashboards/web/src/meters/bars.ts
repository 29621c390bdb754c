// What went through a meter, hour by hour or day by day. Pure, so that it can be tested.

import { csv } from '../shared/file.ts';
import { formatOffsetTime, ZONE } from '../shared/format.ts';
import type { ConsumptionStepsJSON } from './api.ts';
import type { Bars } from './route.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Beijing time has no summer time: days begin at the same distance from UTC all year. */
const OFFSET = 8 * HOUR;

/** How many bars each picture has. */
export const COUNT: Record<Bars, number> = { hour: 24, day: 30 };

/** Where the bars begin that end now, and where those of the period before do. */
export function barSpan(bars: Bars, now: number): { from: number; before: number; to: number } {
  const width = bars === 'hour' ? HOUR : DAY;
  const current = Math.floor((now + OFFSET) / width) * width - OFFSET;
  const from = current - (COUNT[bars] - 1) * width;
  return { from, before: from - COUNT[bars] * width, to: current + width };
}

/** The heights of bars, for drawing only: exact values are in the table. */
export interface BarColumns {
  /** Unix seconds. */
  x: number[];
  whole: (number | null)[];
  /** Of steps in which something is missing. */
  part: (number | null)[];
}

export function barColumns(r: ConsumptionStepsJSON): BarColumns {
  const height = (whole: boolean): (number | null)[] => r.steps.map((s) => (s.value === null || (s.gap === '') !== whole ? null : Number(s.value)));
  return { x: r.steps.map((s) => Date.parse(s.from) / 1000), whole: height(true), part: height(false) };
}

/** The heights of the period before, bar by bar. */
export function beforeColumn(r: ConsumptionStepsJSON | null, n: number): (number | null)[] {
  return Array.from({ length: n }, (_, i) => {
    const value = r?.steps[i]?.value;
    return value === null || value === undefined ? null : Number(value);
  });
}

export function barsCSV(r: ConsumptionStepsJSON): string {
  const head = [`from (${ZONE})`, 'to', 'consumption', 'unit', 'gap'];
  return csv([head, ...r.steps.map((s) => [formatOffsetTime(Date.parse(s.from)), formatOffsetTime(Date.parse(s.to)), s.value ?? '', r.unit, s.gap])]);
}
