// Drawing of the round on a canvas: no tiles, so that it is whole without network.

import { colour } from '../shared/theme.ts';
import type { RoundCellJSON, RoundComponentJSON } from '../shared/openapi.ts';
import { DEGREE, bounds } from './geo.ts';
import type { LonLat } from './geo.ts';

/** What of the ground is in sight: its middle, and metres in a pixel. */
export interface View extends LonLat {
  scale: number;
}

export interface Scene {
  cells: readonly RoundCellJSON[];
  components: readonly RoundComponentJSON[];
  tasks: readonly { at: LonLat; tone: 'ok' | 'warn' | 'bad' | 'none'; key: string }[];
  here: (LonLat & { accuracy: number }) | null;
  pin: LonLat | null;
  chosen: string;
}

const FINEST = 0.05;
const COARSEST = 200;

/** The view that shows all cells, or what is around a place. */
export function whole(cells: readonly RoundCellJSON[], width: number, height: number, around: LonLat | null): View {
  const b = bounds(cells);
  if (!b) return { ...(around ?? { lon: 0, lat: 0 }), scale: 1 };
  const lat = (b[1] + b[3]) / 2;
  const wide = (b[2] - b[0]) * Math.cos((lat * Math.PI) / 180) * DEGREE;
  const high = (b[3] - b[1]) * DEGREE;
  return { lon: (b[0] + b[2]) / 2, lat, scale: clamp(1.12 * Math.max(wide / width, high / height)) };
}

const clamp = (s: number): number => Math.min(COARSEST, Math.max(FINEST, s));

/** Pixels of a place. */
export function toPixel(v: View, width: number, height: number, at: LonLat): [number, number] {
  const k = Math.cos((v.lat * Math.PI) / 180);
  return [width / 2 + ((at.lon - v.lon) * k * DEGREE) / v.scale, height / 2 - ((at.lat - v.lat) * DEGREE) / v.scale];
}

/** The place of a pixel. */
export function toPlace(v: View, width: number, height: number, x: number, y: number): LonLat {
  const k = Math.cos((v.lat * Math.PI) / 180);
  return { lon: v.lon + ((x - width / 2) * v.scale) / (k * DEGREE), lat: v.lat - ((y - height / 2) * v.scale) / DEGREE };
}

/** The view after the ground was pulled by so many pixels. */
export function moved(v: View, width: number, height: number, dx: number, dy: number): View {
  return { ...v, ...toPlace(v, width, height, width / 2 - dx, height / 2 - dy) };
}

/** The view after zooming by factor around a pixel, which keeps its place. */
export function zoomed(v: View, width: number, height: number, factor: number, x = width / 2, y = height / 2): View {
  const at = toPlace(v, width, height, x, y);
  const next = { ...v, scale: clamp(v.scale * factor) };
  const [nx, ny] = toPixel(next, width, height, at);
  return moved(next, width, height, x - nx, y - ny);
}

/** Draws the scene; ratio is the device's pixels in one of the page. */
export function draw(pen: CanvasRenderingContext2D, v: View, s: Scene, width: number, height: number, ratio: number): void {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colour('--page');
  pen.fillRect(0, 0, width, height);
  const px = (at: LonLat): [number, number] => toPixel(v, width, height, at);
  cells(pen, s.cells, px, v.scale);
  components(pen, s, px, v.scale);
  for (const t of s.tasks) task(pen, px(t.at), t.tone);
  if (s.here) me(pen, px(s.here), s.here.accuracy / v.scale);
  if (s.pin) pin(pen, px(s.pin));
  ruler(pen, height, v.scale);
}

type Pixel = (at: LonLat) => [number, number];

function cells(pen: CanvasRenderingContext2D, list: readonly RoundCellJSON[], px: Pixel, scale: number): void {
  pen.fillStyle = colour('--panel');
  pen.strokeStyle = colour('--quiet');
  pen.lineWidth = 1;
  pen.font = '12px system-ui, sans-serif';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  const labels: [string, number, number][] = [];
  for (const c of list) {
    pen.beginPath();
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const polygon of c.outline)
      for (const ring of polygon ?? []) {
        (ring ?? []).forEach((p, n) => {
          const [x, y] = px({ lon: p?.[0] ?? 0, lat: p?.[1] ?? 0 });
          [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
          if (n === 0) pen.moveTo(x, y);
          else pen.lineTo(x, y);
        });
        pen.closePath();
      }
    pen.fill('evenodd');
    pen.stroke();
    if (scale < 1.5 && x1 - x0 > 60) labels.push([c.name || c.code.slice(-3), (x0 + x1) / 2, (y0 + y1) / 2]);
  }
  pen.fillStyle = colour('--quiet');
  for (const [text, x, y] of labels) pen.fillText(text, x, y);
}

function components(pen: CanvasRenderingContext2D, s: Scene, px: Pixel, scale: number): void {
  const size = scale < 0.3 ? 5 : scale < 1 ? 3.5 : 2;
  pen.fillStyle = colour('--accent');
  for (const c of s.components) {
    if (!c.at) continue;
    const [x, y] = px({ lon: c.at[0]!, lat: c.at[1]! });
    pen.beginPath();
    pen.arc(x, y, c.id === s.chosen ? size + 4 : size, 0, 2 * Math.PI);
    pen.fill();
  }
}

function task(pen: CanvasRenderingContext2D, [x, y]: [number, number], tone: string): void {
  pen.fillStyle = colour(tone === 'bad' ? '--bad' : tone === 'warn' ? '--warn' : '--ok');
  pen.strokeStyle = colour('--panel');
  pen.lineWidth = 2;
  pen.beginPath();
  if (tone === 'bad') pen.rect(x - 9, y - 9, 18, 18);
  else if (tone === 'warn') pen.moveTo(x, y - 11), pen.lineTo(x + 11, y + 8), pen.lineTo(x - 11, y + 8), pen.closePath();
  else pen.arc(x, y, 9, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

function me(pen: CanvasRenderingContext2D, [x, y]: [number, number], radius: number): void {
  pen.fillStyle = colour('--band');
  pen.beginPath();
  pen.arc(x, y, Math.min(radius, 4000), 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = colour('--water');
  pen.strokeStyle = '#ffffff';
  pen.lineWidth = 3;
  pen.beginPath();
  pen.arc(x, y, 8, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

function pin(pen: CanvasRenderingContext2D, [x, y]: [number, number]): void {
  pen.fillStyle = colour('--bad');
  pen.strokeStyle = '#ffffff';
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.bezierCurveTo(x - 4, y - 12, x - 12, y - 16, x - 12, y - 26);
  pen.arc(x, y - 26, 12, Math.PI, 0);
  pen.bezierCurveTo(x + 12, y - 16, x + 4, y - 12, x, y);
  pen.fill();
  pen.stroke();
  pen.fillStyle = '#ffffff';
  pen.beginPath();
  pen.arc(x, y - 26, 4, 0, 2 * Math.PI);
  pen.fill();
}

/** A bar of a round number of metres. */
function ruler(pen: CanvasRenderingContext2D, height: number, scale: number): void {
  const wanted = 90 * scale;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const long = [5, 2, 1].map((m) => m * power).find((m) => m <= wanted) ?? power;
  pen.strokeStyle = pen.fillStyle = colour('--ink');
  pen.lineWidth = 2;
  pen.strokeRect(14, height - 16, 0, 4);
  pen.beginPath();
  pen.moveTo(14, height - 20);
  pen.lineTo(14, height - 14);
  pen.lineTo(14 + long / scale, height - 14);
  pen.lineTo(14 + long / scale, height - 20);
  pen.stroke();
  pen.textAlign = 'left';
  pen.textBaseline = 'bottom';
  pen.font = '12px system-ui, sans-serif';
  pen.fillText(long >= 1000 ? `${long / 1000} km` : `${long} m`, 18, height - 17);
}
