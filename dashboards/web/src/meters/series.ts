// The columns that the chart draws. Pure, so that they can be tested.

import type { Readings } from './api.ts';

type Column = (number | null)[];

export interface Columns {
  /** Unix seconds. */
  x: number[];
  mean: Column;
  min: Column;
  max: Column;
  /** The mean where a reading of the point is suspect. */
  suspect: Column;
}

/** A point without a value is null, which breaks the line; it is never zero. */
export function columns(r: Readings): Columns {
  const half = r.step_s / 2; // a bucket is drawn at its middle
  return {
    x: r.points.map((p) => Date.parse(p.at) / 1000 + half),
    mean: r.points.map((p) => p.mean),
    min: r.points.map((p) => p.min),
    max: r.points.map((p) => p.max),
    suspect: r.points.map((p) => (p.quality === 'suspect' ? p.mean : null)),
  };
}

/** The first value there is; a total is counted from it when two periods are compared. */
export function firstOf(values: readonly (number | null)[]): number {
  return values.find((v) => v !== null) ?? 0;
}

export function less(values: readonly (number | null)[], by: number): Column {
  return values.map((v) => (v === null ? null : v - by));
}

/**
 * The values of the period before at the moments of this one: of each moment the
 * nearest point, and none where there is none within the usual distance.
 */
export function shifted(x: readonly number[], before: Columns, by: number): Column {
  const near = usual(before.x) * 0.75;
  let i = 0;
  return x.map((at) => {
    const want = at - by;
    while (i + 1 < before.x.length && Math.abs(before.x[i + 1]! - want) <= Math.abs(before.x[i]! - want)) i++;
    const there = before.x[i];
    return there === undefined || Math.abs(there - want) > near ? null : (before.mean[i] ?? null);
  });
}

/** The median distance of moments. */
function usual(x: readonly number[]): number {
  const distances = x.slice(1).map((v, i) => v - x[i]!).sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? 0;
}

/**
 * Columns in which a suspect value far from all good ones spoils nothing: the line passes
 * it by, and its mark stands at the edge. The table has its value.
 */
export function tame(c: Columns): Columns {
  const good = c.mean.filter((v, i): v is number => v !== null && c.suspect[i] === null);
  if (good.length === 0) return c;
  const [lo, hi] = good.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)] as [number, number], [Infinity, -Infinity] as [number, number]);
  const span = hi - lo || Math.abs(hi) * 0.001 || 1;
  const wild = (v: number | null | undefined): boolean => v != null && (v < lo - span || v > hi + span);
  const out = c.suspect.map((v) => wild(v));
  if (!out.includes(true)) return c;
  const edge = span * 0.06;
  return {
    x: c.x, mean: between(c.x, c.mean, out), min: between(c.x, c.min, out), max: between(c.x, c.max, out),
    suspect: c.suspect.map((v) => (v === null ? null : Math.min(Math.max(v, lo - edge), hi + edge))),
  };
}

/** Puts what lies between its neighbours in the place of values that are left out. */
function between(x: readonly number[], values: readonly (number | null)[], out: readonly boolean[]): Column {
  const kept = (i: number, by: 1 | -1): number => {
    while (i >= 0 && i < values.length && out[i]) i += by;
    return i;
  };
  return values.map((v, i) => {
    if (!out[i]) return v;
    const [a, b] = [kept(i, -1), kept(i, 1)];
    const [va, vb] = [values[a] ?? null, values[b] ?? null];
    if (va === null || vb === null) return null;
    return va + ((vb - va) * (x[i]! - x[a]!)) / (x[b]! - x[a]!);
  });
}
