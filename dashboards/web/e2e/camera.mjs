// What the inspector's walk shows to the page: a camera that sees a code, and a photo
// with what a camera writes into it.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { prepareZXingModule, writeBarcode } from 'zxing-wasm/writer';

const require = createRequire(import.meta.url);

/** Writes a film in which a QR code with this text turns a little, as in a hand. */
export async function film(file, text) {
  prepareZXingModule({ overrides: { wasmBinary: readFileSync(require.resolve('zxing-wasm/writer/zxing_writer.wasm')).buffer } });
  const { symbol, error } = await writeBarcode(text, { format: 'QRCode' });
  if (error) throw new Error(error);
  const [width, height] = [640, 480];
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`)];
  const grey = Buffer.alloc((width * height) / 2, 128);
  for (let n = 0; n < 12; n++) {
    parts.push(Buffer.from('FRAME\n'), frame(symbol, width, height, (10 + n) * (Math.PI / 180)), grey);
  }
  await writeFile(file, Buffer.concat(parts));
}

function frame(symbol, width, height, angle) {
  const y = Buffer.alloc(width * height, 150);
  const size = symbol.width;
  const scale = 260 / size;
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const [dx, dy] = [(u - width / 2) / scale, (v - height / 2) / scale];
      const a = Math.floor(dx * Math.cos(angle) + dy * Math.sin(angle) + size / 2);
      const b = Math.floor(dy * Math.cos(angle) - dx * Math.sin(angle) + size / 2);
      const quiet = a >= -4 && b >= -4 && a < size + 4 && b < size + 4;
      const on = a >= 0 && b >= 0 && a < size && b < size ? symbol.data[b * size + a] : 255;
      if (quiet) y[v * width + u] = on > 127 ? 225 - (u % 7) : 35 + (v % 9);
    }
  }
  return y;
}

/** A JPEG of a phone, with position and time in it, drawn in a page. */
export async function photo(page, seed) {
  const plain = Buffer.from(
    await page.evaluate(async (n) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [2400, 1800];
      const pen = canvas.getContext('2d');
      for (let k = 0; k < 400; k++) {
        pen.fillStyle = `hsl(${(k * 37 + n * 61) % 360} 40% ${30 + ((k * 13) % 50)}%)`;
        pen.fillRect((k * 397) % 2400, (k * 223) % 1800, 240, 180);
      }
      pen.font = '200px sans-serif';
      pen.fillText(String(n), 200, 900);
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.9));
      return [...new Uint8Array(await blob.arrayBuffer())];
    }, seed),
  );
  return Buffer.concat([plain.subarray(0, 2), exif(), plain.subarray(2)]);
}

/** An Exif segment with 30.26 N 120.1 E. */
function exif() {
  const t = Buffer.alloc(140);
  const tag = (at, id, type, count, v) => {
    t.writeUInt16BE(id, at);
    t.writeUInt16BE(type, at + 2);
    t.writeUInt32BE(count, at + 4);
    if (typeof v === 'string') t.write(v, at + 8, 'latin1');
    else t.writeUInt32BE(v, at + 8);
  };
  t.write('MM', 0, 'latin1');
  t.writeUInt16BE(42, 2);
  t.writeUInt32BE(8, 4);
  t.writeUInt16BE(1, 8);
  tag(10, 0x8825, 4, 1, 26);
  t.writeUInt16BE(4, 26);
  tag(28, 1, 2, 2, 'N');
  tag(40, 2, 5, 3, 84);
  tag(52, 3, 2, 2, 'E');
  tag(64, 4, 5, 3, 108);
  [30, 1, 15, 1, 36, 1].forEach((v, n) => t.writeUInt32BE(v, 84 + 4 * n));
  [120, 1, 6, 1, 0, 1].forEach((v, n) => t.writeUInt32BE(v, 108 + 4 * n));
  const head = Buffer.from([0xff, 0xe1, 0, 0, 0x45, 0x78, 0x69, 0x66, 0, 0]);
  head.writeUInt16BE(t.length + 8, 2);
  return Buffer.concat([head, t]);
}
