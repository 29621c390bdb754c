// The cells in the coordinates of the view, as plain numbers: 20,000 of them as objects
// of a library cost a second. Pure, so that it can be tested.

import type { Outline } from './geometry.ts';
import type { Projector } from './project.ts';
import { projectInto } from './project.ts';

/** West, south, east, north. */
export type Box = readonly [number, number, number, number];

export class Ground {
  /** Corners of all rings, x, y, x, y ... */
  readonly at: Float64Array;
  /** Where each ring begins in at; one more for the end. */
  readonly rings: Uint32Array;
  /** Which ring is the first of each cell; one more for the end. */
  readonly cells: Uint32Array;
  /** Four numbers of each cell: west, south, east, north. A cell without outline has none that holds a point. */
  readonly boxes: Float64Array;
  /** The side of a square as large as a cell is in the mean. */
  readonly mean: number;

  constructor(outlines: readonly Outline[], way: Projector) {
    let corners = 0;
    let rings = 0;
    for (const o of outlines) {
      corners += o.flat.length;
      for (const e of o.ends) rings += e.length;
    }
    this.at = new Float64Array(corners);
    this.rings = new Uint32Array(rings + 1);
    this.cells = new Uint32Array(outlines.length + 1);
    this.boxes = new Float64Array(outlines.length * 4);
    this.fill(outlines, way);
    this.mean = this.measure();
  }

  private fill(outlines: readonly Outline[], way: Projector): void {
    let at = 0;
    let ring = 0;
    outlines.forEach((o, i) => {
      this.cells[i] = ring;
      let from = 0;
      for (const ends of o.ends) {
        for (const end of ends) {
          this.rings[ring++] = at + from;
          from = end;
        }
      }
      projectInto(way, o.flat, this.at, at);
      this.box(i, at, at + o.flat.length);
      at += o.flat.length;
    });
    this.cells[outlines.length] = ring;
    this.rings[ring] = at;
  }

  private box(i: number, from: number, to: number): void {
    let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = from; k < to; k += 2) {
      const x = this.at[k]!;
      const y = this.at[k + 1]!;
      if (x < w) w = x;
      if (x > e) e = x;
      if (y < s) s = y;
      if (y > n) n = y;
    }
    this.boxes[i * 4] = w;
    this.boxes[i * 4 + 1] = s;
    this.boxes[i * 4 + 2] = e;
    this.boxes[i * 4 + 3] = n;
  }

  /** A cell is taken to be as large as its rectangle: this only says what has room on the screen. */
  private measure(): number {
    let sum = 0;
    let some = 0;
    for (let i = 0; i < this.boxes.length; i += 4) {
      const area = (this.boxes[i + 2]! - this.boxes[i]!) * (this.boxes[i + 3]! - this.boxes[i + 1]!);
      if (!(area > 0) || area === Infinity) continue;
      sum += area;
      some++;
    }
    return some > 0 ? Math.sqrt(sum / some) : 1;
  }

  /** The rectangle around cells from first until before last; null of none. */
  around(first: number, last: number): Box | null {
    let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = first * 4; i < last * 4; i += 4) {
      w = Math.min(w, this.boxes[i]!);
      s = Math.min(s, this.boxes[i + 1]!);
      e = Math.max(e, this.boxes[i + 2]!);
      n = Math.max(n, this.boxes[i + 3]!);
    }
    return w <= e && s <= n ? [w, s, e, n] : null;
  }

  /** True when a cell's rectangle and box have something in common. */
  meets(i: number, box: Box): boolean {
    const k = i * 4;
    return this.boxes[k]! <= box[2] && this.boxes[k + 2]! >= box[0] && this.boxes[k + 1]! <= box[3] && this.boxes[k + 3]! >= box[1];
  }

  /** The cell at a point, or -1. A look at every rectangle takes a few hundredths of a millisecond. */
  find(x: number, y: number): number {
    for (let i = 0; i + 1 < this.cells.length; i++) {
      const k = i * 4;
      if (x >= this.boxes[k]! && x <= this.boxes[k + 2]! && y >= this.boxes[k + 1]! && y <= this.boxes[k + 3]! && this.holds(i, x, y)) return i;
    }
    return -1;
  }

  /** Even-odd over all rings: holes are out. */
  private holds(i: number, x: number, y: number): boolean {
    let inside = false;
    for (let r = this.cells[i]!; r < this.cells[i + 1]!; r++) {
      const end = this.rings[r + 1]!;
      for (let k = this.rings[r]!; k + 3 < end; k += 2) {
        const ay = this.at[k + 1]!;
        const by = this.at[k + 3]!;
        if (ay > y !== by > y && x < this.at[k]! + ((y - ay) / (by - ay)) * (this.at[k + 2]! - this.at[k]!)) inside = !inside;
      }
    }
    return inside;
  }
}

/** The cells by class, each class one after the other: so that a colour is set once. */
export function byClass(classes: Uint8Array, kinds: number): { order: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(kinds + 1);
  for (const c of classes) starts[c + 1]!++;
  for (let k = 0; k < kinds; k++) starts[k + 1]! += starts[k]!;
  const next = starts.slice();
  const order = new Uint32Array(classes.length);
  classes.forEach((c, i) => (order[next[c]!++] = i));
  return { order, starts };
}
