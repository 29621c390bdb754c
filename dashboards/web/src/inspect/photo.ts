// A photo on its way into a record: smaller, without what the camera wrote into it, with
// time and cell to be seen.

import { exif } from './exif.ts';
import type { Taken } from './exif.ts';
import { sm3 } from './sm3.ts';

/** The longer side of what is kept. */
export const LONGEST = 1600;

/** The size of a picture of width by height whose longer side is at most most. */
export function fit(width: number, height: number, most = LONGEST): [number, number] {
  const scale = Math.min(1, most / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

export interface Prepared {
  digest: string;
  bytes: ArrayBuffer;
  type: string;
  taken: Taken;
}

/** Turns what the camera gave into what is kept; the error is a DOMException of the browser. */
export async function prepare(file: Blob, lines: readonly string[]): Promise<Prepared> {
  const taken = exif(await file.slice(0, 256 * 1024).arrayBuffer());
  const bitmap = await createImageBitmap(file);
  const [width, height] = fit(bitmap.width, bitmap.height);
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext('2d')!;
  pen.drawImage(bitmap, 0, 0, width, height);
  bitmap.close(); // a phone has memory for few of them
  mark(pen, width, height, lines);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.82));
  [canvas.width, canvas.height] = [0, 0];
  if (!blob) throw new DOMException('no picture', 'EncodingError');
  const bytes = await blob.arrayBuffer();
  return { digest: sm3(new Uint8Array(bytes)), bytes, type: 'image/jpeg', taken };
}

/** Writes lines into the lower left corner, on a dark ground. */
function mark(pen: CanvasRenderingContext2D, width: number, height: number, lines: readonly string[]): void {
  const size = Math.max(12, Math.round(Math.max(width, height) / 52));
  const step = Math.round(size * 1.4);
  pen.font = `${size}px system-ui, sans-serif`;
  const wide = Math.max(...lines.map((l) => pen.measureText(l).width)) + 2 * size;
  const top = height - step * lines.length - size;
  pen.fillStyle = 'rgb(0 0 0 / 55%)';
  pen.fillRect(0, top, Math.min(width, wide), height - top);
  pen.fillStyle = '#ffffff';
  pen.textBaseline = 'middle';
  lines.forEach((l, n) => pen.fillText(l, size, top + size / 2 + step * (n + 0.5), width - 2 * size));
}
