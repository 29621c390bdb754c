// From degrees of CGCS2000 to the coordinates of the map on screen, and back. Pure,
// so that it can be tested.

/** The projections that a map is drawn in. CGCS2000 and WGS 84 are the same within a decimetre. */
export type Code = 'EPSG:3857' | 'EPSG:4490';

export type Shift = (lon: number, lat: number) => readonly [number, number];

/** A way to draw. */
export interface Projector {
  readonly code: Code;
  /** True when everything is drawn shifted, over pictures that are. */
  readonly shifted: boolean;
  to(lon: number, lat: number): [number, number];
  from(x: number, y: number): [number, number];
}

const R = 6_378_137;
const RAD = Math.PI / 180;

/** The projector of a code; there and back shift it for pictures in GCJ-02. */
export function projector(code: Code, there?: Shift, back?: Shift): Projector {
  const plane = code === 'EPSG:3857';
  return {
    code,
    shifted: there !== undefined,
    to: (lon, lat) => {
      const [a, b] = there ? there(lon, lat) : [lon, lat];
      return plane ? [a * RAD * R, Math.log(Math.tan(Math.PI / 4 + (b * RAD) / 2)) * R] : [a, b];
    },
    from: (x, y) => {
      const [a, b] = plane ? [x / RAD / R, (2 * Math.atan(Math.exp(y / R)) - Math.PI / 2) / RAD] : [x, y];
      const [lon, lat] = back ? back(a, b) : [a, b];
      return [lon, lat];
    },
  };
}

/** Writes flat degrees as coordinates of p into out, from a place on. */
export function projectInto(p: Projector, flat: ArrayLike<number>, out: Float64Array | number[], place: number): void {
  for (let i = 0; i < flat.length; i += 2) {
    const [x, y] = p.to(flat[i]!, flat[i + 1]!);
    out[place + i] = x;
    out[place + i + 1] = y;
  }
}

/** Flat degrees as flat coordinates of p. */
export function project(p: Projector, flat: ArrayLike<number>): number[] {
  const out = new Array<number>(flat.length);
  projectInto(p, flat, out, 0);
  return out;
}
