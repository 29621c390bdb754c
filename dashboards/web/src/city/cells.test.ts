import { expect, test } from 'vitest';
import type { CityPoint } from './api.ts';
import { rowsOf } from './cells.ts';
import { columns, top } from './series.ts';
import { Tree } from './tree.ts';

const none = { flat: new Float64Array(0), ends: [] };
const tree = new Tree({
  version: 'v', cells: ['01', '02', '03', '04'].map((n) => ({ code: `990106001001${n}`, name: `Cell ${n}`, duty: '', outline: none })),
  areas: [{ code: '990106001001', name: 'Spring', first: 0, last: 3, outline: null }],
});
const list = (...a: Parameters<typeof rowsOf> extends [unknown, ...infer R] ? R : never): string => rowsOf(tree, ...a).map((r) => r.code.slice(-2)).join();

test('order: the most first, no data last whichever way', () => {
  expect(list('', '', '-value', [1, null, 5, 3], [])).toBe('03,04,01,02');
  expect(list('', '', 'value', [1, null, 5, 3], [])).toBe('01,04,03,02');
  expect(list('', '', '-name', [1, null, 5, 3], [])).toBe('04,03,02,01');
});

test('what is hidden has no value, not even in the order', () => {
  expect(list('', '', '-value', [9, 1, 5, 3], [0])).toBe('03,04,02,01');
  expect(rowsOf(tree, '', '', 'name', [9, 1, 5, 3], [0])[0]).toMatchObject({ value: null, hidden: true });
});

test('of an area, and found by name, code and community', () => {
  expect(list('990106001001', '', 'name', [], [])).toBe('01,02,03');
  expect(list('', 'cell 04', 'name', [], [])).toBe('04');
  expect(list('', 'SPRING', 'name', [], [])).toBe('01,02,03,04');
  expect(list('', '00102', 'name', [], [])).toBe('02');
});

const point = (p: Partial<CityPoint>): CityPoint => ({
  at: '2026-03-01T00:00:00Z', value: null, flow: null, completeness: null, meters: 1, missing: 0, waiting: 0, partial: 0, carried: 0, hours: 1, final: true, ...p,
});

test('a gap is a gap, zero is zero', () => {
  const c = columns([point({ value: '0' }), point({}), point({ value: '12.5', final: false })], 'value');
  expect(c.values).toEqual([0, null, 12.5]);
  expect(c.gaps).toEqual([false, true, false]);
  expect(c.running).toEqual([false, false, true]);
  expect([c.known, top(c)]).toEqual([2, 13.5]);
});

test('completeness is in percent; an empty chart has an axis', () => {
  expect(columns([point({ completeness: 0.5 })], 'completeness').values).toEqual([50]);
  expect(top(columns([], 'flow'))).toBe(1);
});
