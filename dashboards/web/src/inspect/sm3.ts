// The digest by which the hub names photos: SM3 [GB/T 32905-2016]. Browsers have none.

const rotate = (x: number, n: number): number => (x << n % 32) | (x >>> (32 - (n % 32)));

/** The SM3 digest of data, 64 hexadecimal digits. */
export function sm3(data: Uint8Array): string {
  const v = new Int32Array([0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e]);
  const whole = data.length - (data.length % 64);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < whole; at += 64) compress(v, view, at);
  const rest = data.length - whole;
  const end = new Uint8Array(rest < 56 ? 64 : 128);
  end.set(data.subarray(whole));
  end[rest] = 0x80;
  const tail = new DataView(end.buffer);
  tail.setUint32(end.length - 8, Math.floor(data.length / 0x20000000));
  tail.setUint32(end.length - 4, (data.length << 3) >>> 0);
  for (let at = 0; at < end.length; at += 64) compress(v, tail, at);
  return Array.from(v, (x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
}

const w = new Int32Array(68);

function compress(v: Int32Array, block: DataView, at: number): void {
  for (let j = 0; j < 16; j++) w[j] = block.getInt32(at + 4 * j);
  for (let j = 16; j < 68; j++) {
    const x = w[j - 16]! ^ w[j - 9]! ^ rotate(w[j - 3]!, 15);
    w[j] = x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13]!, 7) ^ w[j - 6]!;
  }
  let [a, b, c, d, e, f, g, h] = v as unknown as [number, number, number, number, number, number, number, number];
  for (let j = 0; j < 64; j++) {
    const early = j < 16;
    const a12 = rotate(a, 12);
    const ss1 = rotate((a12 + e + rotate(early ? 0x79cc4519 : 0x7a879d8a, j)) | 0, 7);
    const ff = early ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = early ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + (ss1 ^ a12) + (w[j]! ^ w[j + 4]!)) | 0;
    const tt2 = (gg + h + ss1 + w[j]!) | 0;
    [d, c, b, a] = [c, rotate(b, 9), a, tt1];
    [h, g, f, e] = [g, rotate(f, 19), e, tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17)];
  }
  const next = [a, b, c, d, e, f, g, h];
  for (let n = 0; n < 8; n++) v[n]! ^= next[n]!;
}
