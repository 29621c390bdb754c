import { describe, expect, test } from 'vitest';
import { formatAge, formatBytes, formatDecimal, formatDrift, formatLevel, formatOffsetTime, formatPercent, formatRate, formatSpan, formatTick, formatTime, formatUnit, withoutMeter } from './format.ts';

test.each([
  ['0', '0'],
  ['564.86', '564.86'],
  ['1234567.80', '1,234,567.80'],
  ['-1234.5', '\u22121,234.5'],
  ['900719925474099312.25', '900,719,925,474,099,312.25'], // beyond the integers of JavaScript
  ['0.00000', '0.00000'],
  ['odd', 'odd'],
])('a decimal %s keeps every digit', (text, want) => {
  expect(formatDecimal(text)).toBe(want);
});

test('units are written as people write them', () => {
  expect(['m3', 'kW.h', 'Cel', '1', 'V'].map(formatUnit)).toEqual(['m³', 'kWh', '°C', '', 'V']);
});

test('rates', () => {
  expect([0, 0.04, 0.44, 9.94, 9.96, 24_980.4].map((n) => formatRate(n, 'en'))).toEqual(['0', '<0.1', '0.4', '9.9', '10', '24,980']);
});

test('bytes and spans', () => {
  expect([0, 999, 1000, 41_000, 268_435_456].map((n) => formatBytes(n, 'en'))).toEqual(['0 B', '999 B', '1 kB', '41 kB', '268 MB']);
  expect([303, 998, 1300, 90_000, 7_200_000].map((n) => formatSpan(n, 'en'))).toEqual(['303 ms', '1 s', '1.3 s', '1.5 min', '2 h']);
});

test('a success rate is never rounded up', () => {
  expect([0, 0.5, 0.7291, 0.9996, 0.29, 1].map((n) => formatPercent(n, 'en'))).toEqual(['0%', '50%', '72.9%', '99.9%', '29%', '100%']);
});

test('drift of a clock', () => {
  expect([0, 850, -1300, 7_200_000].map((n) => formatDrift(n, 'en'))).toEqual(['0 ms', '+850 ms', '\u22121.3 s', '+2 h']);
});

describe('ages', () => {
  test.each([
    [-400, '0 s ago', '0 秒前'],
    [59_999, '59 s ago', '59 秒前'],
    [60_000, '1 min ago', '1 分前'],
    [3_600_000, '1 h ago', '1 小时前'],
    [90_000_000, '1 d ago', '1 天前'],
  ])('%d ms', (ms, en, zh) => {
    expect(formatAge(ms, 'en')).toBe(en);
    expect(formatAge(ms, 'zh-CN')).toBe(zh);
  });
});

describe('times are those of Shanghai, whatever the browser thinks', () => {
  const t = Date.UTC(2026, 1, 28, 16, 0, 5, 7);
  test('the day turns at 16:00 UTC', () => expect(formatTime(t)).toBe('2026-03-01 00:00:05'));
  test('exports carry the offset', () => expect(formatOffsetTime(t)).toBe('2026-03-01T00:00:05.007+08:00'));
  test('an export reads back as the same moment', () => expect(Date.parse(formatOffsetTime(t))).toBe(t));
  test('the axis has 24 hours and a date at midnight', () => {
    expect(formatTick(Date.UTC(2026, 2, 1, 5, 30), 600)).toBe('13:30');
    expect(formatTick(Date.UTC(2026, 1, 28, 16), 3600)).toBe('03-01');
    expect(formatTick(Date.UTC(2026, 2, 1, 5, 30, 15), 15)).toBe('13:30:15');
  });
});

test('an error leaves out the meter that its row names, and no other', () => {
  expect(withoutMeter('meter P-1: unit 3: no answer', 'P-1')).toBe('unit 3: no answer');
  expect(withoutMeter('meter P-10: unit 3: no answer', 'P-1')).toBe('meter P-10: unit 3: no answer');
  expect(withoutMeter('', 'P-1')).toBe('');
});

test.each([
  [9544.4, 0.02, '9,544.40'],
  [2.5, 2.5, '2.5'],
  [5, 2.5, '5.0'],
  [1200, 200, '1,200'],
  [0.1 + 0.2, 0.05, '0.30'],
])('a level of %d at steps of %d is %s', (v, step, want) => {
  expect(formatLevel(v, step, 'en')).toBe(want);
});
