// Draws the cells on a canvas. Each cell is a path of its own: one path for many is
// slower to fill.

import type { Box, Ground } from './ground.ts';
import { byClass } from './ground.ts';

/** What the cells are filled with, by class, and the line between them. */
export interface Inks {
  readonly fills: readonly (string | CanvasPattern)[];
  readonly edge: string;
  /** Pixels. */
  readonly width: number;
}

/** Metres or degrees, and how many of them a pixel of the canvas is. */
export interface Frame {
  readonly box: Box;
  readonly resolution: number;
}

/** Corners nearer than this to the last, in pixels, are left out. */
const NEAR = 0.45;
/** A cell needs so many pixels to have a line around it. */
const EDGED = 9;

export function drawCells(c: CanvasRenderingContext2D, ground: Ground, classes: Uint8Array, inks: Inks, frame: Frame): void {
  const edged = ground.mean / frame.resolution > EDGED * inks.width;
  const { order, starts } = byClass(classes, inks.fills.length);
  c.strokeStyle = inks.edge;
  c.lineWidth = inks.width;
  inks.fills.forEach((fill, kind) => {
    c.fillStyle = fill;
    for (let n = starts[kind]!; n < starts[kind + 1]!; n++) {
      const cell = order[n]!;
      if (!ground.meets(cell, frame.box)) continue;
      trace(c, ground, cell, frame);
      c.fill('evenodd');
      if (edged) c.stroke();
    }
  });
}

function trace(c: CanvasRenderingContext2D, ground: Ground, cell: number, frame: Frame): void {
  const { at, rings, cells } = ground;
  const k = 1 / frame.resolution;
  const [west, , , north] = frame.box;
  c.beginPath();
  for (let r = cells[cell]!; r < cells[cell + 1]!; r++) {
    const end = rings[r + 1]! - 2; // the last corner is the first
    let from = rings[r]!;
    let x = (at[from]! - west) * k;
    let y = (north - at[from + 1]!) * k;
    c.moveTo(x, y);
    for (from += 2; from < end; from += 2) {
      const px = (at[from]! - west) * k;
      const py = (north - at[from + 1]!) * k;
      if (Math.abs(px - x) < NEAR && Math.abs(py - y) < NEAR) continue;
      x = px;
      y = py;
      c.lineTo(x, y);
    }
    c.closePath();
  }
}
