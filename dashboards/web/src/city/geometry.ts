// Cells and areas of the map, from the whole numbers of map/geometry. Pure, so
// that it can be tested.

import type { GeometryFile } from './api.ts';

/** Polygons with their rings: closed, as x, y, x, y ... in degrees of CGCS2000. */
export interface Outline {
  readonly flat: Float64Array;
  /** Of each polygon, where each of its rings ends in flat. */
  readonly ends: readonly (readonly number[])[];
}

/** A county, street or community. Its cells are those from first until before last. */
export interface Area {
  readonly code: string;
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** Null where the register has none. */
  readonly outline: Outline | null;
}

export interface CellPlace {
  readonly code: string;
  readonly name: string;
  readonly duty: string;
  readonly outline: Outline;
}

/** The city at one version of the register. */
export interface Plan {
  readonly version: string;
  readonly cells: readonly CellPlace[];
  readonly areas: readonly Area[];
}

/** Reads the file; an outline that is no list of whole numbers is an error, as a map that is wrong is worse than none. */
export function decode(file: GeometryFile): Plan {
  const read = reader(file.scale);
  const cells = file.codes.map((code, i): CellPlace => ({
    code, name: file.names[i] ?? '', duty: file.duty_codes[file.duties[i] ?? -1] ?? '', outline: read(file.outlines[i] ?? []),
  }));
  const areas = file.areas.map((a): Area => ({
    code: a.code, name: a.name, first: a.cells?.[0] ?? 0, last: a.cells?.[1] ?? 0, outline: a.outline ? read(a.outline) : null,
  }));
  return { version: file.version, cells, areas };
}

type Rings = readonly (readonly (readonly number[] | null)[] | null)[] | null;

/** Reads outlines one after the other: each ring begins where the one before it began. */
function reader(scale: number): (polygons: Rings) => Outline {
  let x0 = 0;
  let y0 = 0;
  return (polygons) => {
    let size = 0;
    for (const rings of polygons ?? []) for (const steps of rings ?? []) size += (steps?.length ?? 0) + 2;
    const flat = new Float64Array(size);
    const ends: number[][] = [];
    let at = 0;
    for (const rings of polygons ?? []) {
      const of: number[] = [];
      for (const steps of rings ?? []) {
        const start = at;
        at = ring(flat, at, steps ?? [], x0, y0, scale);
        x0 = Math.round(flat[start]! * scale);
        y0 = Math.round(flat[start + 1]! * scale);
        of.push(at);
      }
      ends.push(of);
    }
    return { flat, ends };
  };
}

/** Writes one ring, closed; returns where it ends. */
function ring(flat: Float64Array, at: number, steps: readonly number[], x: number, y: number, scale: number): number {
  if (steps.length < 6 || steps.length % 2 !== 0) throw new Error(`a ring of the map has ${steps.length} numbers`);
  const start = at;
  for (let i = 0; i < steps.length; i += 2) {
    x += steps[i]!;
    y += steps[i + 1]!;
    flat[at++] = x / scale;
    flat[at++] = y / scale;
  }
  if (!Number.isFinite(x) || !Number.isFinite(y)) throw new Error('a ring of the map has a corner that is no number');
  flat[at++] = flat[start]!;
  flat[at++] = flat[start + 1]!;
  return at;
}

/** The borders of a group of outlines: the edges that only one of them has, as pairs of corners x, y, x, y. */
export function borders(outlines: readonly Outline[]): number[] {
  const edges = new Map<string, readonly [number, number, number, number]>();
  for (const o of outlines) {
    let from = 0;
    for (const end of o.ends.flat()) {
      for (let i = from; i + 3 < end; i += 2) {
        const [ax, ay, bx, by] = [o.flat[i]!, o.flat[i + 1]!, o.flat[i + 2]!, o.flat[i + 3]!];
        const key = ax < bx || (ax === bx && ay < by) ? `${ax},${ay},${bx},${by}` : `${bx},${by},${ax},${ay}`;
        if (edges.has(key)) edges.delete(key);
        else edges.set(key, [ax, ay, bx, by]);
      }
      from = end;
    }
  }
  return [...edges.values()].flat();
}

/** West, south, east, north of outlines; null of none. */
export function boundsOf(outlines: Iterable<Outline>): [number, number, number, number] | null {
  let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { flat } of outlines) {
    for (let i = 0; i < flat.length; i += 2) {
      w = Math.min(w, flat[i]!);
      e = Math.max(e, flat[i]!);
      s = Math.min(s, flat[i + 1]!);
      n = Math.max(n, flat[i + 1]!);
    }
  }
  return w <= e ? [w, s, e, n] : null;
}
