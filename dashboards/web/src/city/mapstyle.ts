// How the map is drawn: a small cache of styles in the colours of the page.

import Fill from 'ol/style/Fill.js';
import Stroke from 'ol/style/Stroke.js';
import Style from 'ol/style/Style.js';
import Text from 'ol/style/Text.js';
import { colour } from '../shared/theme.ts';
import type { Inks } from './celldraw.ts';
import { COLOURS, HIDDEN, NO_DATA } from './classes.ts';
import type { Ramp } from './classes.ts';
import type { Level } from './tree.ts';
import { levelOf } from './tree.ts';

/** The styles of one ramp, in light or dark; scale enlarges lines and names for a wall. */
export interface Paint {
  readonly ramp: Ramp;
  readonly scale: number;
  /** What the cells are filled with. */
  readonly inks: Inks;
  /** The border of an area; pixels is how much of a mean cell a pixel is. */
  border(level: Level, pixels: number): Style | undefined;
  mark(kind: string): Style[];
  text(level: Level, name: string): Style;
}

export function paintOf(ramp: Ramp, scale: number): Paint {
  const fills: (string | CanvasPattern)[] = Array.from({ length: COLOURS }, (_, i) => colour(`--${ramp}${i}`));
  fills[NO_DATA] = hatch(colour('--map-none'), colour('--map-hatch'), false);
  fills[HIDDEN] = hatch(colour('--map-none'), colour('--map-hatch'), true);
  const strokes = borderStyles(scale);
  const marks = markStyles(scale);
  return {
    ramp, scale,
    inks: { fills, edge: colour('--map-edge'), width: scale },
    border: (level, part) => (level === 'community' && part > 0.25 ? strokes.far : strokes[level === 'community' ? 'community' : 'street']),
    mark: (kind) => (kind === 'hover' ? marks.hover : marks.selected),
    text: texts(scale),
  };
}

function borderStyles(scale: number): Record<'street' | 'community' | 'far', Style> {
  const line = (name: string, width: number): Style => new Style({ stroke: new Stroke({ color: colour(name), width: width * scale, lineJoin: 'round' }) });
  return { street: line('--map-street', 2), community: line('--map-community', 1.1), far: line('--map-community', 0.6) };
}

/** Light under dark, so that an outline is seen on every colour. */
function markStyles(scale: number): Record<'hover' | 'selected', Style[]> {
  const line = (name: string, width: number): Style => new Style({ stroke: new Stroke({ color: colour(name), width: width * scale, lineJoin: 'round' }) });
  return { hover: [line('--panel', 4), line('--ink', 1.75)], selected: [line('--panel', 7), line('--accent', 3.5)] };
}

/** Lines from corner to corner; crossed ones for what is hidden. */
function hatch(ground: string, line: string, crossed: boolean): CanvasPattern | string {
  const side = 7;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const c = canvas.getContext('2d');
  if (!c) return ground;
  c.fillStyle = ground;
  c.fillRect(0, 0, side, side);
  c.strokeStyle = line;
  c.lineWidth = 1;
  c.beginPath();
  for (const d of [-side, 0, side]) {
    c.moveTo(d - 1, side + 1);
    c.lineTo(d + side + 1, -1);
    if (crossed) {
      c.moveTo(d - 1, -1);
      c.lineTo(d + side + 1, side + 1);
    }
  }
  c.stroke();
  return c.createPattern(canvas, 'repeat') ?? ground;
}

const SIZES: Partial<Record<Level, readonly [number, number]>> = { county: [15, 650], street: [14, 650], community: [12, 500], cell: [11, 400] };

function texts(scale: number): Paint['text'] {
  const family = getComputedStyle(document.documentElement).fontFamily;
  const fill = new Fill({ color: colour('--map-name') });
  const stroke = new Stroke({ color: colour('--map-halo'), width: 3 * scale });
  return (level, name) => {
    const [size, weight] = SIZES[level] ?? [12, 400];
    return new Style({
      text: new Text({ text: name, font: `${weight} ${size * scale}px ${family}`, fill, stroke, padding: [4, 6, 4, 6] }),
      zIndex: 20 - (level === 'cell' ? 15 : level === 'community' ? 12 : 9),
    });
  };
}

const kept = new WeakMap<Paint, Map<string, Style>>();

/** The name of a place, where there is room for it: part is how much of a mean cell a pixel is. */
export function label(code: string, name: string, part: number, paint: Paint): Style | undefined {
  const level = levelOf(code);
  const cell = 1 / part / paint.scale; // of a cell, on the screen
  const shown = level === 'cell' || (level === 'community' ? cell > 11 && cell < 64 : level === 'street' && cell < 40);
  if (!shown) return undefined;
  let styles = kept.get(paint);
  if (!styles) kept.set(paint, (styles = new Map()));
  let style = styles.get(code);
  if (!style) styles.set(code, (style = paint.text(level, name)));
  return style;
}
