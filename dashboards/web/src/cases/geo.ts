// Small flat maps: a cell's outline and points, in metres on the screen's plane.

import type { GeometryJSON, PositionJSON } from '../shared/openapi.ts';

/** A point in degrees of CGCS2000 or WGS84, which agree within a metre. */
export interface Point {
  lon: number;
  lat: number;
}

/** A position as a point; null where its system is shifted and the page cannot draw it. */
export function pointOf(p: PositionJSON | undefined): Point | null {
  return p && p.crs !== 'GCJ-02' ? { lon: p.lon, lat: p.lat } : null;
}

/** A degree of latitude in metres, by the mean radius of the Earth (GRS 80). */
const DEGREE = (Math.PI * 6_371_008.8) / 180;

/** Metres between two points of a city. */
export function metres(a: Point, b: Point): number {
  const east = (a.lon - b.lon) * Math.cos(((a.lat + b.lat) / 2) * (Math.PI / 180)) * DEGREE;
  return Math.hypot(east, (a.lat - b.lat) * DEGREE);
}

/** Turns points into those of a picture and back. */
export interface Plan {
  width: number;
  height: number;
  /** Metres of the ground to a pixel. */
  scale: number;
  at(p: Point): [number, number];
  back(x: number, y: number): Point;
}

/** A plan on which points have room, at least so many metres wide; null without points. */
export function planOf(points: readonly Point[], width: number, height: number, least = 60): Plan | null {
  if (points.length === 0) return null;
  const lons = points.map((p) => p.lon);
  const lats = points.map((p) => p.lat);
  const [west, east, south, north] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)];
  const mid = { lon: (west + east) / 2, lat: (south + north) / 2 };
  const k = Math.cos(mid.lat * (Math.PI / 180)) * DEGREE;
  const scale = Math.max(((east - west) * k) / (width * 0.86), ((north - south) * DEGREE) / (height * 0.86), least / width);
  return {
    width, height, scale,
    at: (p) => [width / 2 + ((p.lon - mid.lon) * k) / scale, height / 2 - ((p.lat - mid.lat) * DEGREE) / scale],
    back: (x, y) => ({ lon: mid.lon + ((x - width / 2) * scale) / k, lat: mid.lat - ((y - height / 2) * scale) / DEGREE }),
  };
}

/** The rings of an outline, the outer and the inner ones. */
function rings(g: GeometryJSON | undefined): Point[][] {
  const some = <T>(list: readonly (T | null)[] | null | undefined): T[] => (list ?? []).filter((v): v is T & {} => v !== null && v !== undefined);
  return some(g?.coordinates).flatMap((polygon) => some(polygon).map((ring) => some(ring).map(([lon = 0, lat = 0]) => ({ lon, lat }))));
}

/** The outline as points, for a plan. */
export function corners(g: GeometryJSON | undefined): Point[] {
  return rings(g).flat();
}

/** The outline as a path of SVG. */
export function pathOf(g: GeometryJSON | undefined, plan: Plan): string {
  return rings(g).map((r) => `M${r.map((p) => plan.at(p).map((v) => v.toFixed(1)).join(' ')).join('L')}Z`).join('');
}

/** A round length for a scale bar, at most so many pixels long. */
export function barOf(plan: Plan, most: number): { metres: number; pixels: number } {
  const room = most * plan.scale;
  const ten = 10 ** Math.floor(Math.log10(room));
  const length = [5, 2, 1].map((f) => f * ten).find((v) => v <= room) ?? ten;
  return { metres: length, pixels: length / plan.scale };
}
