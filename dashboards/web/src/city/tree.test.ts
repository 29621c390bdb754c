import { expect, test } from 'vitest';
import type { Plan } from './geometry.ts';
import { levelOf, Tree } from './tree.ts';

const none = { flat: new Float64Array(0), ends: [] };
const cell = (code: string): Plan['cells'][number] => ({ code, name: `n${code.slice(-2)}`, duty: '', outline: none });
const area = (code: string, first: number, last: number): Plan['areas'][number] => ({ code, name: `a${code}`, first, last, outline: null });

const one: Plan = {
  version: 'v', cells: ['99010600100101', '99010600100102', '99010600200101'].map(cell),
  areas: [area('990106', 0, 3), area('990106001', 0, 2), area('990106001001', 0, 2), area('990106002', 2, 3), area('990106002001', 2, 3)],
};
const two: Plan = { ...one, areas: [...one.areas, area('990107', 3, 3)] };

test('levels', () => {
  expect(['', '990106', '990106001', '990106001001', '99010600100101', '990106001001011'].map(levelOf)).toEqual(['city', 'county', 'street', 'community', 'cell', 'cell']);
});

test('the way to a cell; a single county is no step', () => {
  expect(new Tree(one).path('99010600100102').map((p) => p.code)).toEqual(['990106001', '990106001001', '99010600100102']);
  expect(new Tree(two).path('99010600100102').map((p) => p.code)).toEqual(['990106', '990106001', '990106001001', '99010600100102']);
});

test('up and down', () => {
  const t = new Tree(one);
  expect(t.parent('990106001001')).toBe('990106001');
  expect(t.parent('990106001')).toBe('');
  expect(t.children('').map((p) => p.code)).toEqual(['990106001', '990106002']);
  expect(new Tree(two).children('').map((p) => p.code)).toEqual(['990106', '990107']);
  expect(t.children('990106001001').map((p) => p.code)).toEqual(['99010600100101', '99010600100102']);
  expect(t.children('99010600100101')).toEqual([]);
});

test('a register without areas has cells below the city', () => {
  expect(new Tree({ ...one, areas: [] }).children('').length).toBe(3);
});

test('a click goes one step towards the cell, also from elsewhere', () => {
  const t = new Tree(one);
  expect(t.next('', '99010600100101')).toBe('990106001');
  expect(t.next('990106001', '99010600100101')).toBe('990106001001');
  expect(t.next('990106001001', '99010600100101')).toBe('99010600100101');
  expect(t.next('990106002001', '99010600100101')).toBe('990106001');
  expect(t.next('99010600100101', '99010600100101')).toBe('99010600100101');
});

test('ranges of cells', () => {
  const t = new Tree(one);
  expect([t.range(''), t.range('990106002'), t.range('99010600100102'), t.range('nothing')]).toEqual([[0, 3], [2, 3], [1, 2], [0, 0]]);
});
