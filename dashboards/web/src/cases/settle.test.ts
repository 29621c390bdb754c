import { expect, test } from 'vitest';
import { distinct, settle } from './settle.ts';

const row = (id: string, v = 0): { id: string; v: number } => ({ id, v });

test('without a hand at it the list is as the hub says', () => {
  expect(settle([row('a'), row('b')], [row('c'), row('a', 1)], false)).toEqual({ rows: [row('c'), row('a', 1)], gone: new Set(), waiting: 0 });
});

test('under a hand no row moves: new content, gone marked, new ones wait', () => {
  const got = settle([row('a'), row('b'), row('c')], [row('x'), row('c', 2), row('a', 1), row('y')], true);
  expect(got.rows).toEqual([row('a', 1), row('b'), row('c', 2)]);
  expect([...got.gone]).toEqual(['b']);
  expect(got.waiting).toBe(2);
});

test('the first answer is shown whatever the hand does', () => {
  expect(settle([], [row('a')], true).rows).toEqual([row('a')]);
});

test('a case in two lists is one row', () => {
  expect(distinct([row('a', 1), row('b'), row('a', 2)])).toEqual([row('a', 1), row('b')]);
});
