// The columns that a chart draws. Pure, so that it can be tested.

import type { CityPoint } from './api.ts';
import type { FigureId } from './route.ts';

export interface Columns {
  /** Unix seconds of the beginning of each step. */
  readonly x: readonly number[];
  /** Completeness in percent; null is a gap, never zero. */
  readonly values: readonly (number | null)[];
  readonly gaps: readonly boolean[];
  /** Steps that are not over. */
  readonly running: readonly boolean[];
  readonly known: number;
}

/** One figure of the points. Floats here are for drawing only. */
export function columns(points: readonly CityPoint[], figure: FigureId): Columns {
  const values = points.map((p) => {
    if (figure === 'completeness') return p.completeness === null ? null : p.completeness * 100;
    return figure === 'flow' ? p.flow : p.value === null ? null : Number(p.value);
  });
  const running = points.map((p, i) => !p.final && values[i] !== null);
  return {
    x: points.map((p) => Date.parse(p.at) / 1000), values, running,
    gaps: values.map((v) => v === null),
    known: values.filter((v) => v !== null).length,
  };
}

/** The upper end of the value axis. */
export function top(c: Columns): number {
  const high = Math.max(0, ...c.values.filter((v): v is number => v !== null));
  return high > 0 ? high * 1.08 : 1;
}
