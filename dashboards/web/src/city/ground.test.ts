import { expect, test } from 'vitest';
import type { Outline } from './geometry.ts';
import { byClass, Ground } from './ground.ts';
import { projector } from './project.ts';

const way = projector('EPSG:4490');
const square = (x: number, y: number, side: number): number[] => [x, y, x + side, y, x + side, y + side, x, y + side, x, y];
const outline = (...rings: number[][]): Outline => {
  const ends: number[] = [];
  for (const r of rings) ends.push((ends.at(-1) ?? 0) + r.length);
  return { flat: Float64Array.from(rings.flat()), ends: rings.length ? [ends] : [] };
};

test('finds the cell of a point, holes left out', () => {
  const g = new Ground([outline(square(0, 0, 4), square(1, 1, 2)), outline(square(4, 0, 4)), outline()], way);
  expect(g.find(0.5, 0.5)).toBe(0);
  expect(g.find(2, 2)).toBe(-1);
  expect(g.find(6, 2)).toBe(1);
  expect(g.find(9, 2)).toBe(-1);
});

test('several polygons of one cell', () => {
  const two: Outline = { flat: Float64Array.from([...square(0, 0, 1), ...square(5, 5, 1)]), ends: [[10], [20]] };
  const g = new Ground([two], way);
  expect([g.find(0.5, 0.5), g.find(5.5, 5.5), g.find(3, 3)]).toEqual([0, 0, -1]);
  expect([...g.rings]).toEqual([0, 10, 20]);
});

test('rectangles and sizes', () => {
  const g = new Ground([outline(square(0, 0, 4)), outline(square(4, 0, 4)), outline()], way);
  expect(g.around(0, 3)).toEqual([0, 0, 8, 4]);
  expect(g.around(2, 3)).toBeNull();
  expect(g.mean).toBe(4);
  expect([g.meets(0, [-2, -2, 1, 1]), g.meets(0, [5, 5, 9, 9]), g.meets(2, [-99, -99, 99, 99])]).toEqual([true, false, false]);
});

test('cells by class', () => {
  const { order, starts } = byClass(Uint8Array.from([2, 0, 2, 1]), 4);
  expect([...order]).toEqual([1, 3, 0, 2]);
  expect([...starts]).toEqual([0, 1, 2, 4, 4]);
});
