// Distances and cells. A round is a few kilometres wide: a plane will do. The hub's
// outlines are in CGCS2000, with which the WGS 84 of receivers agrees within a metre.

import type { RoundCellJSON } from '../shared/openapi.ts';

export interface LonLat {
  lon: number;
  lat: number;
}

/** Polygons, of each its rings, the outer one first. */
export type Outline = RoundCellJSON['outline'];

/** Metres in a degree of latitude. */
export const DEGREE = 111_195;

/** Metres between two places of one city. */
export function metres(a: LonLat, b: LonLat): number {
  const x = (a.lon - b.lon) * Math.cos(((a.lat + b.lat) / 2) * (Math.PI / 180));
  return Math.hypot(x, a.lat - b.lat) * DEGREE;
}

/** True when a place is in an outline; borders belong to either side. */
export function inside(outline: Outline, at: LonLat): boolean {
  return outline.some((polygon) => inRing(polygon?.[0], at) && !polygon!.slice(1).some((hole) => inRing(hole, at)));
}

function inRing(ring: (number[] | null)[] | null | undefined, at: LonLat): boolean {
  let odd = false;
  if (!ring) return odd;
  for (let n = 0, m = ring.length - 1; n < ring.length; m = n++) {
    const [x1 = 0, y1 = 0] = ring[n] ?? [];
    const [x2 = 0, y2 = 0] = ring[m] ?? [];
    if (y1 > at.lat !== y2 > at.lat && at.lon < ((x2 - x1) * (at.lat - y1)) / (y2 - y1) + x1) odd = !odd;
  }
  return odd;
}

/** The cell that a place is in; undefined: none of these. */
export function cellAt(cells: readonly RoundCellJSON[], at: LonLat): RoundCellJSON | undefined {
  return cells.find((c) => inside(c.outline, at));
}

/** West, south, east, north of outlines; null for none. */
export function bounds(cells: readonly RoundCellJSON[]): [number, number, number, number] | null {
  let b: [number, number, number, number] | null = null;
  for (const c of cells)
    for (const [x, y] of corners(c.outline)) b = b ? [Math.min(b[0], x), Math.min(b[1], y), Math.max(b[2], x), Math.max(b[3], y)] : [x, y, x, y];
  return b;
}

/** All corners of an outline. */
export function corners(outline: Outline): [number, number][] {
  return outline.flatMap((polygon) => (polygon ?? []).flatMap((ring) => (ring ?? []).map((p): [number, number] => [p?.[0] ?? 0, p?.[1] ?? 0])));
}
