import { expect, test } from 'vitest';
import type { GeometryFile } from './api.ts';
import { borders, boundsOf, decode } from './geometry.ts';

// Two squares side by side, the second with a hole, and the street around them.
const FILE: GeometryFile = {
  version: 'v1', crs: 'CGCS2000', scale: 1000, codes: ['99010600100101', '99010600100102'], names: ['A', 'B'],
  communities: [1, 1], duties: [0, -1], duty_codes: ['D1'],
  outlines: [
    [[[120_000, 30_000, 2, 0, 0, 2, -2, 0]]],
    [[[2, 0, 2, 0, 0, 2, -2, 0], [1, 1, 0, 1, 1, -1]]],
  ],
  areas: [
    { code: '990106001', name: 'S', cells: [0, 2], outline: [[[-3, -1, 4, 0, 0, 2, -4, 0]]] },
    { code: '990106001001', name: 'C', cells: [0, 2] },
  ],
};

test('rings follow each other and are closed', () => {
  const plan = decode(FILE);
  expect([...plan.cells[0]!.outline.flat]).toEqual([120, 30, 120.002, 30, 120.002, 30.002, 120, 30.002, 120, 30]);
  const second = plan.cells[1]!.outline;
  expect(second.ends).toEqual([[10, 18]]);
  expect([...second.flat.slice(0, 4)]).toEqual([120.002, 30, 120.004, 30]);
  expect([...second.flat.slice(10)]).toEqual([120.003, 30.001, 120.003, 30.002, 120.004, 30.001, 120.003, 30.001]);
  expect([...plan.areas[0]!.outline!.flat.slice(0, 2)]).toEqual([120, 30]);
});

test('what the file does not have is empty, not wrong', () => {
  const plan = decode(FILE);
  expect(plan.cells.map((c) => c.duty)).toEqual(['D1', '']);
  expect(plan.areas[1]).toEqual({ code: '990106001001', name: 'C', first: 0, last: 2, outline: null });
});

test('a cell without an outline costs its neighbours nothing', () => {
  const plan = decode({ ...FILE, outlines: [[], FILE.outlines[0]!] });
  expect(plan.cells[0]!.outline.flat).toHaveLength(0);
  expect(plan.cells[1]!.outline.flat[0]).toBe(120);
});

test.each([[[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, Number.NaN, 4, 5, 6]]])('a ring that is none is refused: %j', (ring) => {
  expect(() => decode({ ...FILE, outlines: [[[ring]], []] })).toThrow(/ring of the map/);
});

test('thousands of steps lose nothing', () => {
  const codes = Array.from({ length: 5000 }, (_, i) => String(99_010_600_100_000 + i));
  const outlines = codes.map((_, i) => [[i === 0 ? [120_123_457, 30_000_001, 7, 0, 0, 7] : [1, 0, 7, 0, 0, 7]]]);
  const plan = decode({ ...FILE, scale: 1_000_000, codes, names: codes, outlines, areas: [] });
  expect(plan.cells[4999]!.outline.flat[0]).toBe(120_128_456 / 1_000_000);
});

test('the border of two squares is six edges: the one between them is none', () => {
  const { cells } = decode({ ...FILE, outlines: [FILE.outlines[0]!, [[[2, 0, 2, 0, 0, 2, -2, 0]]]] });
  const b = borders(cells.map((c) => c.outline));
  expect(b).toHaveLength(6 * 4);
  const between = [];
  for (let i = 0; i < b.length; i += 4) if (b[i] === 120.002 && b[i + 2] === 120.002) between.push(i);
  expect(between).toEqual([]);
});

test('bounds', () => {
  expect(boundsOf(decode(FILE).cells.map((c) => c.outline))).toEqual([120, 30, 120.004, 30.002]);
  expect(boundsOf([])).toBeNull();
});
