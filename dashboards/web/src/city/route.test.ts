import { expect, test } from 'vitest';
import { formatRoute, HOME, parseRoute } from './route.ts';
import { dateOf, dayOf, ownSpan, parseDate, spanOf } from './span.ts';

test('an address is read as it was written', () => {
  const r = { ...HOME, metric: 'consumption', medium: 'gas', area: '990106001', range: 'own', from: '2026-02-28', to: '2026-03-01', chart: 'flow', side: 'cells', wall: true } as const;
  expect(parseRoute(formatRoute(r))).toEqual(r);
  expect(formatRoute(HOME)).toBe('#');
});

test.each(['#metric=evil&area=<b>&range=99&from=2026-02-30&wall=yes&component=a b', '#', ''])('what cannot be is left out: %s', (hash) => {
  expect(parseRoute(hash)).toEqual(HOME);
});

const NOON = Date.parse('2026-03-01T12:00:00+08:00');

test('days begin at midnight in China', () => {
  expect(new Date(dayOf(NOON)).toISOString()).toBe('2026-02-28T16:00:00.000Z');
  expect(dateOf(Date.parse('2026-02-28T15:59:59Z'))).toBe('2026-02-28');
  expect(dateOf(Date.parse('2026-02-28T16:00:00Z'))).toBe('2026-03-01');
  expect(parseDate('2026-02-29')).toBeNull();
  expect(parseDate('2024-02-29')).toBe(Date.parse('2024-02-29T00:00:00+08:00'));
});

test('ranges', () => {
  const at = (t: number): string => new Date(t + 8 * 3_600_000).toISOString().slice(0, 16);
  const shown = (...a: Parameters<typeof spanOf>): string[] => {
    const s = spanOf(...a);
    return [at(s.from), at(s.to), s.step, String(s.open)];
  };
  expect(shown('today', NOON)).toEqual(['2026-03-01T00:00', '2026-03-01T12:00', 'hour', 'true']);
  expect(shown('yesterday', NOON)).toEqual(['2026-02-28T00:00', '2026-03-01T00:00', 'hour', 'false']);
  expect(shown('7d', NOON)).toEqual(['2026-02-23T00:00', '2026-03-01T12:00', 'hour', 'true']);
  expect(shown('30d', NOON)).toEqual(['2026-01-31T00:00', '2026-03-01T12:00', 'day', 'true']);
  expect(shown('own', NOON, '2026-01-01', '2026-01-02')).toEqual(['2026-01-01T00:00', '2026-01-03T00:00', 'hour', 'false']);
  expect(shown('own', NOON, '2026-01-01', '2026-03-01')).toEqual(['2026-01-01T00:00', '2026-03-01T12:00', 'day', 'true']);
});

test.each([['2026-03-02', '2026-03-01'], ['2026-03-05', '2026-03-06'], ['2024-01-01', '2026-01-01'], ['', '2026-01-01']])('a range that cannot be: %s %s', (first, last) => {
  expect(ownSpan(NOON, first, last)).toBeNull();
  expect(spanOf('own', NOON, first, last)).toEqual(spanOf('today', NOON));
});
