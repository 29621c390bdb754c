import { expect, test } from 'vitest';
import { readPlace } from './placeread.ts';

test.each([
  ['120.1, 30.2', { kind: 'point', lon: 120.1, lat: 30.2 }],
  ['30.2 120.1', { kind: 'point', lon: 120.1, lat: 30.2 }],
  ['120.1\uff0c30.2', { kind: 'point', lon: 120.1, lat: 30.2 }],
  ['330106001001001', { kind: 'cell', code: '330106001001001' }],
  ['3301060010010a', { kind: 'cell', code: '3301060010010A' }],
  ['3301060101000001', { kind: 'component', id: '3301060101000001' }],
  ['C-1', { kind: 'component', id: 'C-1' }],
  ['999.1, 30', { kind: 'none' }],
  ['', { kind: 'none' }],
  ['a b', { kind: 'none' }],
])('%s', (text, want) => {
  expect(readPlace(text)).toEqual(want);
});
