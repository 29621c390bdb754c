// The columns that the chart draws. Pure, so that it can be tested.

import type { Readings } from './api.ts';

export interface Columns {
  /** Unix seconds. */
  x: number[];
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

/** A point without a value is null, which breaks the line; it is never zero. */
export function columns(r: Readings): Columns {
  const half = r.step_s / 2; // a bucket is drawn at its middle
  return {
    x: r.points.map((p) => Date.parse(p.at) / 1000 + half),
    mean: r.points.map((p) => p.mean),
    min: r.points.map((p) => p.min),
    max: r.points.map((p) => p.max),
  };
}

/** The range of the value axis: the data with a margin, and never nothing. */
export function valueRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min === max) {
    const pad = Math.abs(min) * 0.001 || 1;
    return [min - pad, max + pad];
  }
  const pad = (max - min) * 0.08;
  return [min - pad, max + pad];
}
