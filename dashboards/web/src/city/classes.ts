// From values to the colours of the map and the lines of its legend. Pure, so that it
// can be tested.

export type Metric = 'open' | 'overdue' | 'offline' | 'completeness' | 'consumption';
export const METRICS: readonly Metric[] = ['open', 'overdue', 'offline', 'completeness', 'consumption'];

/** Which colours: r of amounts, h of trouble. */
export type Ramp = 'r' | 'h';

/** The classes that are no colours of a ramp. */
export const NO_DATA = 6;
export const HIDDEN = 7;
export const COLOURS = 6;

/** How values become classes. */
export interface Scale {
  readonly ramp: Ramp;
  /** Ascending. What lies below bounds[0] is of the lowest class, what lies at or above bounds[i] of class i + 1. */
  readonly bounds: readonly number[];
  /** True where little is trouble: the classes count from above. */
  readonly down: boolean;
  /** True for whole numbers: 3 to 4, not 3 to 5. */
  readonly whole: boolean;
}

const COUNT_BOUNDS = [1, 2, 3, 5, 10] as const;
const COMPLETE_BOUNDS = [0.8, 0.9, 0.95, 0.99, 1] as const;

/** The scale of a metric for values; before is kept while it still tells them apart, so that colours do not jump. */
export function scaleOf(metric: Metric, values: readonly (number | null)[], before: Scale | null = null): Scale {
  if (metric === 'completeness') return { ramp: 'h', bounds: COMPLETE_BOUNDS, down: true, whole: false };
  if (metric === 'consumption') {
    if (before && !before.whole && !before.down && tells(before, values)) return before;
    return { ramp: 'r', bounds: quantiles(values), down: false, whole: false };
  }
  const width = Math.max(before?.whole ? (before.bounds[1] ?? 2) / 2 : 1, widened(values));
  return { ramp: 'h', bounds: COUNT_BOUNDS.map((b, i) => (i === 0 ? 1 : b * width)), down: false, whole: true };
}

/** 1, 2, 5, 10, 20 ...: so that few cells are far beyond ten times it. */
function widened(values: readonly (number | null)[]): number {
  const some = sorted(values).filter((v) => v > 0);
  const high = some[Math.floor(some.length * 0.98)] ?? 0;
  let width = 1;
  while (high > 15 * width) width *= String(width).startsWith('2') ? 2.5 : 2;
  return width;
}

function sorted(values: readonly (number | null)[]): number[] {
  return values.filter((v): v is number => v !== null).sort((a, b) => a - b);
}

/** The bounds between six classes of about as many cells, in two significant digits. */
export function quantiles(values: readonly (number | null)[]): number[] {
  const list = sorted(values);
  const bounds: number[] = [];
  for (let i = 1; i < COLOURS; i++) {
    const at = list[Math.floor((list.length * i) / COLOURS)];
    const bound = at === undefined ? undefined : Number(at.toPrecision(2));
    if (bound !== undefined && bound > (bounds.at(-1) ?? list[0] ?? -Infinity)) bounds.push(bound);
  }
  return bounds;
}

/** True while no class holds nearly all, and none of the ends is empty. */
function tells(scale: Scale, values: readonly (number | null)[]): boolean {
  const sums = new Array<number>(scale.bounds.length + 1).fill(0);
  let all = 0;
  for (const v of values) {
    if (v === null) continue;
    sums[step(scale, v)]!++;
    all++;
  }
  if (scale.bounds.length < COLOURS - 1) return all < COLOURS;
  return all > 0 && Math.max(...sums) <= all * 0.45 && Math.min(sums[0]!, sums.at(-1)!) >= all * 0.03;
}

/** How many bounds v reaches. */
function step(scale: Scale, v: number): number {
  let n = 0;
  while (n < scale.bounds.length && v >= scale.bounds[n]!) n++;
  return n;
}

/** The colour, 0 to 5, of the n-th step: a scale of fewer steps uses the whole ramp. */
function ink(scale: Scale, n: number): number {
  const last = scale.bounds.length;
  const place = scale.down ? last - n : n;
  return last === 0 ? 1 : Math.round((place * (COLOURS - 1)) / last);
}

/** The class of each cell: a colour of the ramp, NO_DATA or HIDDEN. */
export function classify(scale: Scale, values: readonly (number | null)[], hidden: readonly number[]): Uint8Array {
  const out = new Uint8Array(values.length).fill(NO_DATA);
  values.forEach((v, i) => {
    if (v !== null) out[i] = ink(scale, step(scale, v));
  });
  for (const i of hidden) if (i < out.length) out[i] = HIDDEN;
  return out;
}

/** A line of the legend: its colour, its bounds (null: open) and how many cells it has. */
export interface Line {
  readonly ink: number;
  readonly from: number | null;
  /** The last value of whole numbers, the first beyond of others. */
  readonly to: number | null;
  readonly cells: number;
}

/** The legend, the lowest colour first. */
export function legend(scale: Scale, classes: Uint8Array): Line[] {
  const sums = new Array<number>(8).fill(0);
  for (const c of classes) sums[c]!++;
  const lines: Line[] = [];
  for (let n = 0; n <= scale.bounds.length; n++) {
    const beyond = scale.bounds[n] ?? null;
    const to = beyond !== null && scale.whole ? beyond - 1 : beyond;
    const from = n === 0 ? (scale.whole ? 0 : null) : scale.bounds[n - 1]!;
    lines.push({ ink: ink(scale, n), from, to, cells: sums[ink(scale, n)]! });
  }
  return scale.down ? lines.reverse() : lines;
}

/** How many cells are of a class. */
export function countOf(classes: Uint8Array, of: number): number {
  let n = 0;
  for (const c of classes) if (c === of) n++;
  return n;
}
