import { expect, test } from 'vitest';
import { addDays, dayOf, monthBefore, monthOf } from './period.ts';

test('a day begins at midnight in the city', () => {
  expect(dayOf(Date.parse('2026-11-22T16:00:00Z'))).toBe('2026-11-23');
  expect(dayOf(Date.parse('2026-11-22T15:59:59Z'))).toBe('2026-11-22');
});

test('months have their own lengths', () => {
  expect(monthOf('2026-11-23')).toBe('2026-11-01');
  expect(monthBefore('2026-03-31')).toEqual({ from: '2026-02-01', to: '2026-02-28' });
  expect(monthBefore('2028-03-01')).toEqual({ from: '2028-02-01', to: '2028-02-29' });
  expect(monthBefore('2027-01-15')).toEqual({ from: '2026-12-01', to: '2026-12-31' });
  expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
});
