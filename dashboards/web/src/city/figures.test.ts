import { expect, test } from 'vitest';
import { legend, scaleOf } from './classes.ts';
import { change, lacks, lineText, plain, short } from './figures.ts';

test('more and less than yesterday, and nothing where there is nothing to compare', () => {
  expect(change('103.2', '100', 'en')).toBe('+3.2%');
  expect(change('50', '100', 'en')).toBe('\u221250%');
  expect(change('100', '100', 'en')).toBe('0%');
  expect([change(null, '1', 'en'), change('1', null, 'en'), change('1', '0', 'en')]).toEqual(['', '', '']);
});

test('a sum says what it lacks', () => {
  expect(lacks({ meters: 120, missing: 3, waiting: 2, carried: 0, outside: 1 }, 'en')).toEqual([
    expect.stringMatching(/3.*120/), expect.stringMatching(/2/), expect.stringMatching(/1/),
  ]);
  expect(lacks({ meters: 0, missing: 0, waiting: 0, carried: 0 }, 'en')).toEqual([]);
});

test('a long decimal is cut, never rounded up', () => {
  expect(['6200.999', '123456.999', '12.345678', '999.999', '-3.25', '7'].map(short)).toEqual(['6200.9', '123456', '12.345', '999.99', '-3.25', '7']);
});

test('numbers have no exponent', () => {
  expect([plain(1e-7), plain(0.5), plain(12)]).toEqual(['0.0000001', '0.5', '12']);
});

test('lines of the legend', () => {
  const texts = (metric: 'open' | 'completeness'): string[] => {
    const scale = scaleOf(metric, [0, 1]);
    return legend(scale, new Uint8Array()).map((l) => lineText(metric, scale, l, 'en'));
  };
  expect(texts('open').slice(0, 4)).toEqual(['0', '1', '2', '3 – 4']);
  expect(texts('completeness').slice(0, 2)).toEqual(['100%', '99% – 100%']);
  expect(texts('completeness')).toHaveLength(6);
});
