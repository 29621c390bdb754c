// What a camera wrote into a photo: where and when. The page draws the photo anew, which
// leaves all of it behind; the place is kept as data [Exif 2.32].

export interface Taken {
  lon?: number;
  lat?: number;
  /** "2026:11-23 09:30:00" as the camera's clock had it, which knows no zone. */
  time?: string;
}

/** Reads the head of a JPEG; what is broken says nothing. */
export function exif(data: ArrayBuffer): Taken {
  try {
    return tiff(segment(new DataView(data)));
  } catch {
    return {}; // a photo without it is as good
  }
}

/** The TIFF part of the first Exif segment. */
function segment(v: DataView): DataView {
  if (v.getUint16(0) !== 0xffd8) throw new RangeError('no JPEG');
  for (let at = 2; v.getUint8(at) === 0xff; at += 2 + v.getUint16(at + 2)) {
    if (v.getUint8(at + 1) === 0xda) break;
    if (v.getUint8(at + 1) === 0xe1 && v.getUint32(at + 4) === 0x45786966) return new DataView(v.buffer, v.byteOffset + at + 10, v.getUint16(at + 2) - 8);
  }
  throw new RangeError('no Exif');
}

type Tags = Map<number, { type: number; count: number; at: number }>;

function tiff(v: DataView): Taken {
  const little = v.getUint16(0) === 0x4949;
  const u16 = (at: number): number => v.getUint16(at, little);
  const u32 = (at: number): number => v.getUint32(at, little);
  const tags = (at: number): Tags => {
    const out: Tags = new Map();
    for (let n = 0, count = u16(at); n < count && n < 200; n++) {
      const e = at + 2 + 12 * n;
      out.set(u16(e), { type: u16(e + 2), count: u32(e + 4), at: e + 8 });
    }
    return out;
  };
  const text = (t?: { count: number; at: number }): string => {
    if (!t || t.count > 64) return '';
    const from = t.count > 4 ? u32(t.at) : t.at;
    return Array.from({ length: t.count }, (_, n) => String.fromCharCode(v.getUint8(from + n))).join('').replace(/\0.*$/, '');
  };
  const degrees = (t?: { at: number }): number => {
    if (!t) return NaN;
    const part = (n: number): number => u32(u32(t.at) + 8 * n) / u32(u32(t.at) + 8 * n + 4);
    return part(0) + part(1) / 60 + part(2) / 3600;
  };
  const first = tags(u32(4));
  const out: Taken = {};
  const inner = first.get(0x8769);
  const time = inner ? text(tags(u32(inner.at)).get(0x9003)) : '';
  if (/^\d{4}:\d\d:\d\d \d\d:\d\d:\d\d$/.test(time)) out.time = time;
  const gps = first.get(0x8825);
  if (!gps) return out;
  const g = tags(u32(gps.at));
  const lat = degrees(g.get(2)) * (text(g.get(1)) === 'S' ? -1 : 1);
  const lon = degrees(g.get(4)) * (text(g.get(3)) === 'W' ? -1 : 1);
  if (Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && (lat !== 0 || lon !== 0)) Object.assign(out, { lat, lon });
  return out;
}
