import { describe, expect, test } from 'vitest';
import type { Collector, ConsumptionStepsJSON, Readings } from './api.ts';
import { barColumns, barsCSV, barSpan, beforeColumn } from './bars.ts';
import { byTrouble, certificateTone, generation, refused, spoolPart, spoolTone, usedTone } from './collectorfacts.ts';
import { formatRoute, HOME, parseRoute, selection } from './route.ts';
import { lone } from '../shared/plot.tsx';
import { columns, firstOf, less, shifted, tame } from './series.ts';

describe('bars', () => {
  const noon = Date.parse('2026-03-01T12:34:56+08:00');
  test('days begin at midnight in Beijing, hours at the full hour', () => {
    const day = barSpan('day', noon);
    expect(new Date(day.to).toISOString()).toBe('2026-03-01T16:00:00.000Z');
    expect(new Date(day.from).toISOString()).toBe('2026-01-30T16:00:00.000Z');
    expect(day.from - day.before).toBe(30 * 86_400_000);
    const hour = barSpan('hour', noon);
    expect(new Date(hour.from).toISOString()).toBe('2026-02-28T05:00:00.000Z');
    expect(hour.to - hour.from).toBe(24 * 3_600_000);
  });
  const step = (h: number, value: string | null, gap: ConsumptionStepsJSON['steps'][number]['gap'] = ''): ConsumptionStepsJSON['steps'][number] => ({
    from: `2026-03-01T0${h}:00:00Z`, to: `2026-03-01T0${h + 1}:00:00Z`, value, gap,
  });
  const answer: ConsumptionStepsJSON = { meter: 'W-1', quantity: 'water.volume.forward', unit: 'm3', step_s: 3600, recorded: true, steps: [step(0, '1.50'), step(1, null, 'no_reading'), step(2, '0.2', 'no_end')] };
  test('what is missing is no bar, what is not complete a bar of its own', () => {
    const c = barColumns(answer);
    expect(c.whole).toEqual([1.5, null, null]);
    expect(c.part).toEqual([null, null, 0.2]);
    expect(beforeColumn(answer, 4)).toEqual([1.5, null, 0.2, null]);
    expect(beforeColumn(null, 2)).toEqual([null, null]);
  });
  test('the file has exact values and times with their offset', () => {
    const lines = barsCSV(answer).split('\r\n');
    expect(lines[1]).toBe('2026-03-01T08:00:00+08:00,2026-03-01T09:00:00+08:00,1.50,m3,');
    expect(lines[2]).toContain(',,m3,no_reading');
  });
});

describe('two periods', () => {
  const r = (from: string, values: (number | null)[]): Readings => ({
    meter: 'W-1', quantity: 'water.flow', unit: 'm3/h', origin: 'live', from, to: from, step_s: 60,
    points: values.map((mean, i) => ({ at: new Date(Date.parse(from) + i * 60_000).toISOString(), value: null, min: mean, mean, max: mean, count: mean === null ? 0 : 1, quality: mean === null ? 'none' : 'suspect', reason: '' })),
  });
  test('each moment has the value of the same moment before, or none', () => {
    const now = columns(r('2026-03-01T10:00:00Z', [1, 2, 3, 4]));
    const before = columns(r('2026-03-01T09:00:10Z', [10, null, 30]));
    expect(shifted(now.x, before, 3600)).toEqual([10, null, 30, null]);
    expect(shifted(now.x, columns(r('2026-03-01T09:00:00Z', [])), 3600)).toEqual([null, null, null, null]);
  });
  test('totals are counted from their beginning', () => {
    expect(firstOf([null, 7, 9])).toBe(7);
    expect(less([null, 7, 9], 7)).toEqual([null, 0, 2]);
    expect(firstOf([])).toBe(0);
  });
  test('a value between two gaps is found, to be drawn as a point', () => {
    expect(lone([1, null, 2, 3, null, 4, null, null, 5])).toEqual([0, 5, 8]);
  });
  test('a suspect value far from all good ones spoils no scale', () => {
    const c = { x: [0, 10, 20, 30], mean: [1, 900, 3, null], min: [1, 900, 3, null], max: [1, 900, 3, null], suspect: [null, 900, null, null] };
    expect(tame(c)).toMatchObject({ mean: [1, 2, 3, null], suspect: [null, 3.12, null, null] });
    expect(tame({ ...c, mean: [1, 2.5, 3, null], suspect: [null, 2.5, null, null] }).mean).toEqual([1, 2.5, 3, null]);
    expect(tame({ ...c, suspect: [1, 900, 3, null] }).mean).toEqual([1, 900, 3, null]);
    expect(tame({ ...c, mean: [900, 1, 3, null], suspect: [900, null, null, null] }).mean).toEqual([null, 1, 3, null]);
  });
  test('suspect points are marked, gaps are not', () => {
    expect(columns(r('2026-03-01T10:00:00Z', [1, null])).suspect).toEqual([1, null]);
  });
});

describe('addresses', () => {
  test('old links stay good, and an area may come before the #', () => {
    expect(parseRoute('#meter=W-1&quantity=water.flow&range=7d')).toMatchObject({ meter: 'W-1', quantity: 'water.flow', range: '7d', view: '' });
    expect(parseRoute('', '?area=330106001002003')).toMatchObject({ area: '330106001002003' });
    expect(parseRoute('#area=3301', '?area=11').area).toBe('3301');
    expect(parseRoute('#area=../x&collector=a/b&range=2y&bars=week')).toMatchObject({ area: '', collector: '', range: '1h', bars: 'hour' });
  });
  test('what is written reads back', () => {
    const routes = [
      { ...HOME, view: 'collectors' as const, collector: 'c-1' },
      { ...HOME, meter: 'W-1', range: '1y' as const, compare: '1' as const, bars: 'day' as const },
      { ...HOME, area: '330106', medium: 'gas' },
    ];
    for (const one of routes) expect(parseRoute(formatRoute(one))).toEqual(one);
    expect(formatRoute({ ...HOME, compare: '1' })).toBe('#');
    expect(selection({ ...HOME, area: '330106' }, 5)).toEqual({ limit: '5', area: '330106' });
  });
});

describe('collectors', () => {
  const c = (over: Partial<Collector>): Collector =>
    ({ id: 'c', online: true, spool_full: false, spool_bytes: 0, spool_quota: 100, spool_dropped: 0, failing_total: 0, certificate_days: null, key_generation: null, refusals: [], ...over }) as Collector;
  test('certificates, spools and lines', () => {
    expect([null, -1, 0, 29, 30].map(certificateTone)).toEqual(['none', 'bad', 'warn', 'warn', 'ok']);
    expect(spoolTone(c({ spool_bytes: 51 }))).toBe('warn');
    expect(spoolTone(c({ spool_full: true }))).toBe('bad');
    expect(spoolTone(c({ spool_dropped: 1 }))).toBe('bad');
    expect(spoolPart(c({ spool_quota: 0, spool_bytes: 5 }))).toBe(0);
    expect([0.5, 0.8, 1].map(usedTone)).toEqual(['ok', 'warn', 'bad']);
  });
  test('key generation and refusals', () => {
    expect(generation(c({}))).toBe('–');
    expect(generation(c({ key_generation: 258 }))).toBe('0x0102');
    expect(refused(c({ refusals: [{ code: 'a', count: 2, at: '' }, { code: 'b', count: 3, at: '' }] }))).toBe(5);
  });
  test('trouble first', () => {
    const list = [c({ id: 'b' }), c({ id: 'a' }), c({ id: 'z', online: false }), c({ id: 'y', failing_total: 1 }), c({ id: 'x', certificate_days: 3 })];
    expect(byTrouble(list).map((one) => one.id)).toEqual(['z', 'x', 'y', 'a', 'b']);
  });
});
