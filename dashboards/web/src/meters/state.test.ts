import { describe, expect, test } from 'vitest';
import type { Flow, MeterRow, Readings } from './api.ts';
import { field } from '../shared/file.ts';
import { toCSV } from './csv.ts';
import { lang } from '../shared/words.ts';
import { words } from './words.ts';
import { figures } from './figures.ts';
import { onFlow, onLost, onMeters, onSelect, onTick, SILENCE_MS, START } from './live.ts';
import { formatRoute, HOME, parseRoute, selection } from './route.ts';
import { valueRange } from '../shared/plot.tsx';
import { columns } from './series.ts';

describe('words', () => {
  test('every reason that the hub gives has its words', () => {
    const reasons = [
      'no_meters', 'none_answering', 'some_silent', 'no_collectors', 'all_offline', 'some_offline', 'no_data', 'spool_full',
      'no_status', 'spool_filling', 'broker_disconnected', 'refusing', 'store_down', 'queue_filling',
    ];
    for (const r of reasons) expect(words.dictionaries.en, r).toHaveProperty([`reason.${r}`]);
  });
  test('a code newer than the page is still shown', () => {
    lang.value = 'en';
    expect(words.code('reason', 'flooded')).toBe('Reason: flooded');
    lang.value = 'zh-CN';
    expect(words.word('why', 'rollback')).toBe('累计值倒退');
    expect(words.word('why', 'flooded')).toBe('flooded');
    expect(words.in('en', 'rows', { from: 1, to: 50, total: 60 })).toBe('1–50 of 60');
  });
});

describe('the river', () => {
  const flow = {
    seal: { state: 'ok', reason: '', sealed: 12345, sealed_per_s: 11 },
    broker: { state: 'ok', reason: '', published: 12344, received: 20001, received_per_s: 14 },
    receipts: { state: 'ok', reason: '', sent: 12340, sent_per_s: 11, freed: 12330 },
  } as Flow;
  test('seal counts envelopes and names the cipher below', () => {
    expect(figures('seal', flow, 'en')).toEqual({ main: '12,345', unit: 'sealed', sub: 'SM4-GCM · 11 a second', moving: true });
    expect(figures('seal', { ...flow, seal: { ...flow.seal, sealed_per_s: 0 } }, 'en').moving).toBe(false);
  });
  test('broker shows both sides', () => {
    expect(figures('broker', flow, 'en').sub).toBe('12,344 envelopes out, 20,001 messages in');
    expect(figures('broker', flow, 'zh-CN').sub).toBe('已发 12,344 信封，收到 20,001 消息');
  });
  test('receipts shows what they freed', () => {
    expect(figures('receipts', flow, 'en').sub).toBe('11 a second, 12,330 freed');
  });
});

describe('addresses', () => {
  test('what is written reads back', () => {
    const r = { ...HOME, meter: 'W-1', quantity: 'water.flow', range: '7d' as const, medium: 'water', q: '北 1', sort: '-value' as const };
    expect(parseRoute(formatRoute(r))).toEqual(r);
  });
  test('defaults are left out, and a list has no range', () => {
    expect(formatRoute(HOME)).toBe('#');
    expect(formatRoute({ ...HOME, range: '7d', quantity: 'water.flow' })).toBe('#');
  });
  test('nonsense is ignored', () => {
    expect(parseRoute('#meter=../x&range=9y&medium=steam&sort=up&state=odd')).toEqual(HOME);
  });
  test('the stream is asked for what the list shows', () => {
    expect(selection({ ...HOME, medium: 'gas', q: 'a', sort: 'quality', meter: 'W-1', range: '7d' }, 50)).toEqual({
      limit: '50', medium: 'gas', q: 'a', sort: 'quality',
    });
  });
});

const flow = { at: '2026-03-01T02:00:00Z' } as Flow;
const row = (id: string, value: string): MeterRow => ({
  id, medium: 'water', state: 'answering', quantity: 'water.flow', value, unit: 'm3/h', quality: 'good', reason: '', taken_at: flow.at,
});
const event = { at: flow.at, full: false, total: 2, rows: [] };

describe('the live state', () => {
  const first = onMeters(START, { ...event, full: true, order: ['a', 'b'], rows: [row('a', '1'), row('b', '2')] }, 10);
  test('a delta changes only its rows and keeps the order', () => {
    const s = onMeters(first, { ...event, rows: [row('b', '3')] }, 20);
    expect(s.order).toEqual(['a', 'b']);
    expect([s.rows.get('a')?.value, s.rows.get('b')?.value]).toEqual(['1', '3']);
    expect(first.rows.get('b')?.value).toBe('2');
  });
  test('rows that left the page are forgotten', () => {
    const s = onMeters(first, { ...event, order: ['b', 'c'], rows: [row('c', '9')] }, 20);
    expect([...s.rows.keys()].sort()).toEqual(['b', 'c']);
  });
  test('a full event after a reconnect replaces everything', () => {
    const s = onMeters(first, { ...event, full: true, total: 0, rows: [] }, 20);
    expect([s.rows.size, s.order.length, s.total]).toEqual([0, 0, 0]);
  });
  test('silence is said, and ends with the next word', () => {
    const live = onFlow(START, flow, 1000);
    expect(onTick(live, 1000 + SILENCE_MS).connection).toBe('live');
    const stale = onTick(live, 1001 + SILENCE_MS);
    expect(stale.connection).toBe('stale');
    expect(stale.flow).toBe(flow);
    expect(onFlow(stale, flow, 9999).connection).toBe('live');
  });
  test('a lost connection is not "stale" before there was one', () => {
    expect(onLost(START).connection).toBe('connecting');
    expect(onLost(onFlow(START, flow, 0)).connection).toBe('stale');
  });
  test('the clock of the hub is known from its word', () => {
    expect(onFlow(START, flow, Date.parse(flow.at) + 1500).skew).toBe(1500);
  });
  test('another selection keeps the rows until it is answered', () => {
    const s = onSelect(first);
    expect([s.loaded, s.rows.size]).toEqual([false, 2]);
  });
});

const readings: Readings = {
  meter: 'W-1', quantity: 'water.flow', unit: 'm3/h', from: flow.at, to: flow.at, origin: 'live', step_s: 0,
  points: [
    { at: '2026-03-01T02:00:00.250Z', value: '1.50', min: 1.5, mean: 1.5, max: 1.5, count: 1, quality: 'good', reason: '' },
    { at: '2026-03-01T02:00:10Z', value: null, min: null, mean: null, max: null, count: 0, quality: 'missing', reason: 'nan' },
    { at: '2026-03-01T02:00:20Z', value: null, min: null, mean: null, max: null, count: 0, quality: 'none', reason: '' },
  ],
};

describe('the past', () => {
  test('CSV has a mark, offsets, exact values and empty gaps', () => {
    const csv = toCSV(readings);
    expect(csv.startsWith('\ufefftaken_at (Asia/Shanghai),value,unit,')).toBe(true);
    expect(csv.split('\r\n').slice(1)).toEqual([
      '2026-03-01T10:00:00.250+08:00,1.50,m3/h,good,,0,1.5,1.5,1.5,1',
      '2026-03-01T10:00:10+08:00,,m3/h,missing,nan,0,,,,0',
      '2026-03-01T10:00:20+08:00,,m3/h,none,,,,,,0',
      '',
    ]);
  });
  test('a field is never a formula', () => {
    expect([field('=1+1'), field('-2.5'), field('-cmd'), field('a,"b"')]).toEqual(["'=1+1", '-2.5', "'-cmd", '"a,""b"""']);
  });
  test('a gap is null on the chart, never zero', () => {
    expect(columns(readings).mean).toEqual([1.5, null, null]);
  });
  test('a bucket is drawn at its middle', () => {
    expect(columns({ ...readings, step_s: 60 }).x[1]).toBe(Date.parse('2026-03-01T02:00:10Z') / 1000 + 30);
  });
  test('a flat line still has a range', () => {
    const [low, high] = valueRange(0, 0);
    expect(high).toBeGreaterThan(low);
    expect(valueRange(null, null)).toEqual([0, 1]);
  });
});
