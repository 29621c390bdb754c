import { expect, test } from 'vitest';
import { exif } from './exif.ts';

/** A JPEG head with Exif: 30 15 36 N (or S), 120 6 0 E (or W), taken at a time. */
function jpeg(little: boolean, ns: string, ew: string): ArrayBuffer {
  const t = new DataView(new ArrayBuffer(260));
  const u16 = (at: number, v: number): void => t.setUint16(at, v, little);
  const u32 = (at: number, v: number): void => t.setUint32(at, v, little);
  const tag = (at: number, id: number, type: number, count: number, v: number): void => {
    u16(at, id);
    u16(at + 2, type);
    u32(at + 4, count);
    u32(at + 8, v);
  };
  const text = (at: number, s: string): void => [...s].forEach((c, n) => t.setUint8(at + n, c.charCodeAt(0)));
  u16(0, little ? 0x4949 : 0x4d4d);
  u16(2, 42);
  u32(4, 8);
  u16(8, 2);
  tag(10, 0x8769, 4, 1, 40);
  tag(22, 0x8825, 4, 1, 60);
  u16(40, 1);
  tag(42, 0x9003, 2, 20, 120);
  text(120, '2026:11:23 09:30:00');
  u16(60, 4);
  tag(62, 1, 2, 2, 0);
  text(70, ns);
  tag(74, 2, 5, 3, 150);
  tag(86, 3, 2, 2, 0);
  text(94, ew);
  tag(98, 4, 5, 3, 180);
  [30, 1, 15, 1, 360, 10, 120, 1, 6, 1, 0, 1].forEach((v, n) => u32((n < 6 ? 150 : 180) + 4 * (n % 6), v));
  const out = new Uint8Array(12 + 260);
  out.set([0xff, 0xd8, 0xff, 0xe1, 1, 12, 0x45, 0x78, 0x69, 0x66, 0, 0]);
  out.set(new Uint8Array(t.buffer), 12);
  return out.buffer;
}

test.each([[true, 'N', 'E', 1, 1], [false, 'N', 'E', 1, 1], [true, 'S', 'W', -1, -1], [false, 'N', 'W', 1, -1]])('little %s, %s %s', (little, ns, ew, lat, lon) => {
  const got = exif(jpeg(little, ns, ew));
  expect(got.time).toBe('2026:11:23 09:30:00');
  expect(got.lat).toBeCloseTo(30.26 * lat, 9);
  expect(got.lon).toBeCloseTo(120.1 * lon, 9);
});

test('what is broken or missing says nothing', () => {
  const whole = jpeg(true, 'N', 'E');
  for (let n = 0; n < whole.byteLength; n++) expect(() => exif(whole.slice(0, n))).not.toThrow();
  expect(exif(new ArrayBuffer(0))).toEqual({});
  expect(exif(new Uint8Array([0xff, 0xd8, 0xff, 0xda, 0, 2]).buffer)).toEqual({});
});
