import { expect, test } from 'vitest';
import { classify, countOf, HIDDEN, legend, NO_DATA, quantiles, scaleOf } from './classes.ts';

const many = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));

test('counts have fixed classes: 0 is alone, and null is never 0', () => {
  const values = [0, 1, 2, 3, 4, 5, 9, 10, 15, null];
  const scale = scaleOf('open', values);
  expect([...classify(scale, values, [])]).toEqual([0, 1, 2, 3, 3, 4, 4, 5, 5, NO_DATA]);
  expect(legend(scale, classify(scale, values, [])).map((l) => [l.from, l.to, l.cells])).toEqual([[0, 0, 1], [1, 1, 1], [2, 2, 1], [3, 4, 2], [5, 9, 2], [10, null, 2]]);
});

test('large counts have wider classes, which do not shrink while one looks', () => {
  const scale = scaleOf('open', many(100, (i) => i * 3));
  expect(scale.bounds).toEqual([1, 40, 60, 100, 200]);
  expect(scaleOf('open', [0, 1], scale).bounds).toEqual(scale.bounds);
});

test('completeness: only all of it is the best class', () => {
  const values = [1, 0.9999, 0.99, 0.989, 0.95, 0.9, 0.8, 0.1, 0];
  const scale = scaleOf('completeness', values);
  expect([...classify(scale, values, [])]).toEqual([0, 1, 1, 2, 2, 3, 4, 5, 5]);
  const lines = legend(scale, classify(scale, values, []));
  expect(lines[0]).toMatchObject({ ink: 0, from: 1, to: null });
  expect(lines.at(-1)).toMatchObject({ ink: 5, from: null, to: 0.8 });
});

test('consumption: classes of about as many cells', () => {
  const values = many(600, (i) => i / 10);
  const scale = scaleOf('consumption', values);
  const classes = classify(scale, values, []);
  for (let c = 0; c < 6; c++) expect(countOf(classes, c)).toBeGreaterThan(85);
});

test('the classes of consumption stay while they tell cells apart, and change when they do not', () => {
  const scale = scaleOf('consumption', many(600, (i) => i / 10));
  expect(scaleOf('consumption', many(600, (i) => i / 9.5), scale)).toBe(scale);
  expect(scaleOf('consumption', many(600, (i) => i), scale)).not.toBe(scale);
});

test('few different values have few classes, from the whole ramp', () => {
  expect(quantiles([])).toEqual([]);
  expect(quantiles([null, 3, 3, 3])).toEqual([]);
  const values = [...many(50, () => 0), ...many(50, () => 8)];
  const scale = scaleOf('consumption', values);
  expect(scale.bounds).toEqual([8]);
  expect([...classify(scale, [0, 8], [])]).toEqual([0, 5]);
});

test('every value is in the class that the legend says', () => {
  const values = many(1000, (i) => (i * 7919) % 1013);
  const scale = scaleOf('consumption', values);
  const classes = classify(scale, values, []);
  const lines = legend(scale, classes);
  values.forEach((v, i) => {
    const line = lines.find((l) => l.ink === classes[i])!;
    expect(v >= (line.from ?? -Infinity) && v < (line.to ?? Infinity)).toBe(true);
  });
  expect(lines.reduce((n, l) => n + l.cells, 0)).toBe(1000);
});

test('what is hidden is so, whatever its value', () => {
  const scale = scaleOf('consumption', [1, 2, 3]);
  expect([...classify(scale, [1, null, 3], [0, 1, 9])].slice(0, 2)).toEqual([HIDDEN, HIDDEN]);
});
