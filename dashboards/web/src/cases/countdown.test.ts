import { expect, test } from 'vitest';
import { leftNow, lightNow, spanOf } from './countdown.ts';

const HOUR = 3_600_000;

test('a clock that runs goes down, one that stands stays', () => {
  expect(leftNow({ left_ms: HOUR, ticking: true }, 1000, 61_000)).toBe(HOUR - 60_000);
  expect(leftNow({ left_ms: HOUR, ticking: false }, 1000, 61_000)).toBe(HOUR);
});

test('it runs on below nothing', () => {
  expect(leftNow({ left_ms: 1000, ticking: true }, 0, 5000)).toBe(-4000);
  expect(leftNow({ left_ms: -HOUR, ticking: false }, 0, 5000)).toBe(-HOUR);
});

test('a clock of the browser that lags behind the hub adds nothing', () => {
  expect(leftNow({ left_ms: HOUR, ticking: true }, 10_000, 4000)).toBe(HOUR);
});

test.each([
  [59_999, false, { days: 0, hours: 0, minutes: 0 }],
  [61 * 60_000, false, { days: 0, hours: 1, minutes: 1 }],
  [-61 * 60_000, false, { days: 0, hours: 1, minutes: 1 }],
  [10.5 * HOUR, false, { days: 0, hours: 10, minutes: 0 }],
  [71.9 * HOUR, false, { days: 0, hours: 71, minutes: 0 }],
  [100 * HOUR, false, { days: 4, hours: 4, minutes: 0 }],
  [100 * HOUR, true, { days: 0, hours: 100, minutes: 0 }],
])('%d ms, working time %s', (ms, working, want) => {
  expect(spanOf(ms, working)).toEqual(want);
});

test('the light turns red when nothing is left, and none stays none', () => {
  expect(lightNow('yellow', 0)).toBe('red');
  expect(lightNow('green', 1)).toBe('green');
  expect(lightNow('none', -1)).toBe('none');
});
