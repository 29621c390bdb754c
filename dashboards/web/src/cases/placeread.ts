// What somebody types to say where something is.

/** A component's id, a cell's code, a point in WGS84, or nothing. */
export type Read = { kind: 'component'; id: string } | { kind: 'cell'; code: string } | { kind: 'point'; lon: number; lat: number } | { kind: 'none' };

/**
 * Reads coordinates (longitude and latitude, in either order, for in China they cannot
 * be mistaken), a cell's code of 14 or 15 characters, or a component's id.
 */
export function readPlace(text: string): Read {
  const s = text.trim().replaceAll('\uff0c', ',');
  const pair = /^(-?\d{1,3}(?:\.\d+)?)\s*[, ]\s*(-?\d{1,3}(?:\.\d+)?)$/.exec(s);
  if (pair) {
    const [a, b] = [Number(pair[1]), Number(pair[2])];
    if (Math.abs(a) <= 180 && Math.abs(b) <= 90 && Math.abs(a) > 60) return { kind: 'point', lon: a, lat: b };
    if (Math.abs(b) <= 180 && Math.abs(a) <= 90) return { kind: 'point', lon: b, lat: a };
    return { kind: 'none' };
  }
  if (/^\d{12}[0-9A-Z]{2,3}$/i.test(s)) return { kind: 'cell', code: s.toUpperCase() };
  if (/^[0-9A-Za-z_-]{1,32}$/.test(s)) return { kind: 'component', id: s };
  return { kind: 'none' };
}
