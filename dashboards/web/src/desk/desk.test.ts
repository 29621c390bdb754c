import { describe, expect, test } from 'vitest';
import { daysBetween, shiftDay } from './dates.ts';
import { ALL, CLASSES, filterParams, formatFilter, parseFilter, parseSaved, withSaved } from './filter.ts';
import type { Filter } from './filter.ts';
import { plan } from './jobs.ts';
import { commandOf, move } from './keys.ts';
import { fen, formatCredit, formatVolume, formatYuan, sum, typed, yuan } from './money.ts';
import { formatRoute, parseRoute } from './route.ts';
import type { Tally } from './statement.ts';
import { classLeft, matchLeft, purchasesLeft } from './statement.ts';
import { sumsOf } from './sums.ts';
import { inOrder, phaseOf, uses } from './timeline.ts';
import { actOf } from './wordsact.ts';
import { classes } from './wordsclass.ts';
import { faultText, toldText } from './wordshub.ts';
import { words } from './words.ts';
import { plural } from './wordsplural.ts';

describe('money', () => {
  test.each([['0.00', 0n], ['0.07', 7n], ['-0.07', -7n], ['50', 5000n], ['50.5', 5050n], ['90071992547409.93', 9007199254740993n]])('%s yuan are %s fen', (text, value) => {
    expect(fen(text)).toBe(value);
  });
  test('an amount that is none is an error, never a wrong number', () => {
    for (const bad of ['', '1.234', '1,000.00', 'NaN', '1e3', '--1', '.5', '\u221250.00']) expect(() => fen(bad), bad).toThrow(RangeError);
  });
  test('is written exactly, with separators and a real minus', () => {
    expect(formatYuan('90071992547409.93')).toBe('90,071,992,547,409.93');
    expect(formatYuan('-1234.50')).toBe('\u22121,234.50');
    expect(formatYuan(-7n)).toBe('\u22120.07');
    expect(formatYuan('0.00', true)).toBe('0.00');
    expect(formatYuan('12.00', true)).toBe('+12.00');
    expect(formatYuan('999.99')).toBe('999.99');
  });
  test('goes there and back', () => {
    for (const v of [0n, 1n, -1n, 99n, 100n, -12345n, 9007199254740993n]) expect(fen(yuan(v))).toBe(v);
  });
  test('sums what floats get wrong', () => {
    expect(sum(Array<string>(10).fill('0.10'))).toBe(100n);
    expect(sum(['0.10', '0.20', '-0.30'])).toBe(0n);
  });
  test('takes what people type, and nothing else', () => {
    expect(typed(' 1,234.5 ')).toBe('1234.50');
    expect(typed('\u00a5\uff0c50')).toBe('50.00');
    expect(typed('-5')).toBeNull();
    expect(typed('\u22125', true)).toBe('-5.00');
    for (const bad of ['', 'x', '1.234', '1e5', '1.2.3']) expect(typed(bad, true), bad).toBeNull();
  });
  test('volumes are cut into m³ and kWh without rounding', () => {
    expect(formatVolume(1234567, 'water')).toBe('1,234.567 m³');
    expect(formatVolume(-5, 'power')).toBe('\u22120.005 kWh');
    expect(formatCredit('1200 L')).toBe('1.200 m³');
    expect(formatCredit('-50.00 CNY')).toBe('\u221250.00');
  });
});

describe('filter', () => {
  const full: Filter = {
    utility: 'gas', classes: ['SALE_NO_PAY', 'DUP_PAY'], states: ['open', 'assigned'], band: 2, from: '2026-11-01', to: '2026-11-20', least: '1.00', most: '99.50',
    assignee: '\u5434\u5efa\u56fd', meter: 'W-1', text: 'a&b=c#d', run: 7, cleared: true, sort: 'amount', down: true,
  };
  test('goes through the address and back', () => {
    expect(parseFilter(formatFilter(full))).toEqual(full);
    expect(parseFilter(formatFilter(ALL))).toEqual(ALL);
    expect(formatFilter(ALL).toString()).toBe('');
    expect(parseRoute(formatRoute({ view: 'work', filter: full }))).toEqual({ view: 'work', filter: full });
  });
  test('leaves out what cannot be', () => {
    const p = new URLSearchParams('utility=oil&class=NO,STALE&state=lost&age=9&from=2026-13-40&least=x&run=-3&sort=colour');
    expect(parseFilter(p)).toEqual({ ...ALL, classes: ['STALE'] });
  });
  test('asks the hub for just that', () => {
    expect(filterParams(full)).toMatchObject({ class: 'SALE_NO_PAY,DUP_PAY', state: 'open,assigned', min_age: 4, max_age: 7, least: '1.00', run: 7, cleared: true, down: true });
    expect(filterParams({ ...ALL, band: 4 })).toMatchObject({ min_age: 31 });
    expect(filterParams({ ...ALL, band: 4 })).not.toHaveProperty('max_age');
    expect(filterParams({ ...ALL, band: 0 })).toMatchObject({ max_age: 1 });
    expect(filterParams({ ...ALL, band: 0 })).not.toHaveProperty('min_age');
  });
  test('is remembered by its name', () => {
    const list = withSaved(withSaved([], 'a', full), 'a', ALL);
    expect(list).toEqual([{ name: 'a', query: '' }]);
    expect(parseSaved(JSON.stringify(list))).toEqual(list);
    for (const bad of ['', '{', '{}', '[1,null,{"name":1}]']) expect(parseSaved(bad), bad).toEqual([]);
  });
});

describe('addresses', () => {
  test.each([
    '#days?utility=gas', '#day?utility=water&day=2026-11-20', '#case?key=SALE_NO_PAY%2Fpos%2F4%232&back=state%3Dopen', '#import', '#search?meter=W-1', '#bills?utility=gas', '#clearing',
  ])('%s stays itself', (hash) => {
    expect(formatRoute(parseRoute(hash))).toBe(hash);
  });
  test('what is unknown leads to the days', () => {
    for (const hash of ['', '#', '#nowhere', '#day?utility=water', '#case', '#day?day=20261120']) expect(parseRoute(hash).view, hash).toBe('days');
  });
});

describe('timeline', () => {
  const e = (what: 'sale' | 'payment' | 'entry' | 'decision', kind: string, at = '2026-11-20T01:00:00Z'): { what: typeof what; kind: string; at: string } => ({ what, kind, at });
  test('what happened at one moment stands in the order of the money', () => {
    const mixed = [e('decision', 'explained'), e('payment', 'refund'), e('entry', 'state'), e('entry', 'load'), e('entry', 'sale'), e('payment', 'payment'), e('sale', 'purchase')];
    expect(inOrder(mixed).map((one) => phaseOf(one))).toEqual(['sale', 'payment', 'card', 'load', 'meter', 'refund', 'decision']);
  });
  test('time goes before the kind', () => {
    const later = e('sale', 'purchase', '2026-11-20T09:00:00+08:00');
    const sooner = e('decision', 'closed', '2026-11-20T00:59:59Z');
    expect(inOrder([later, sooner])).toEqual([sooner, later]);
  });
  test('use is the difference of two known counters', () => {
    expect(uses([{ used: '1000 L' }, { used: '' }, { used: '1250 L' }, { used: '9 Wh' }])).toEqual(['', '', '250 L', '']);
  });
});

describe('keyboard', () => {
  const press = (key: string, tagName = 'BODY', more: object = {}): ReturnType<typeof commandOf> =>
    commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, target: { tagName, closest: () => null, ...more } as unknown as EventTarget });
  test('keys are commands outside of fields', () => {
    expect(press('j')).toBe('down');
    expect(press('Enter')).toBe('open');
    expect(press('?')).toBe('help');
    for (const field of ['INPUT', 'TEXTAREA', 'SELECT']) expect(press('j', field), field).toBeNull();
    expect(press('j', 'INPUT', { type: 'checkbox' })).toBe('down');
    expect(press('Enter', 'BUTTON')).toBeNull();
    expect(press('e', 'BUTTON')).toBe('decide');
    expect(press('e', 'P', { closest: () => ({}) })).toBeNull();
    expect(commandOf({ key: 'a', ctrlKey: true, metaKey: false, altKey: false, target: null })).toBeNull();
  });
  test('the cursor stays on the list', () => {
    expect(move(-1, 'down', 3)).toBe(0);
    expect(move(2, 'down', 3)).toBe(2);
    expect(move(0, 'up', 3)).toBe(0);
    expect(move(5, 'mark', 3)).toBe(2);
    expect(move(0, 'down', 0)).toBe(-1);
    expect(move(0, 'last', 3)).toBe(2);
  });
});

describe('sums', () => {
  test('follow class, state and age', () => {
    const s = sumsOf([
      { class: 'A', state: 'open', band: 0, count: 2, above: '0.10', below: '-5.00' },
      { class: 'A', state: 'closed', band: 4, count: 1, above: '0.20', below: '0.00' },
    ]);
    expect(s.all).toEqual({ count: 3, above: 30n, below: -500n });
    expect(s.bands[0]).toEqual({ count: 2, above: 10n, below: -500n });
    expect(s.bands[4]?.count).toBe(1);
    expect(s.classes.get('A')?.above).toBe(30n);
    expect(s.states.get('closed')?.count).toBe(1);
  });
  test('rolls show by how much they do not add up', () => {
    const of = (amount: string): Tally => ({ count: 1, amount, volume: 0 });
    const p = { opening: of('10.00'), sold: of('5.00'), transferred: of('1.00'), undone: of('2.00'), loaded: of('4.00'), closing: of('10.00') };
    expect(purchasesLeft(p)).toBe(0n);
    expect(purchasesLeft({ ...p, closing: of('9.99') })).toBe(1n);
    expect(matchLeft({ opening: of('1.00'), rows: of('5.00'), matched: of('3.00'), amount_diff: of('1.00'), duplicates: of('1.00'), decided: of('0.50'), closing: of('0.50') })).toBe(0n);
    expect(classLeft({ class: 'A', opening: of('1.00'), found: of('2.00'), cleared: of('0.50'), decided: of('0.50'), closing: of('2.01') })).toBe(-1n);
  });
});

describe('runs', () => {
  test('follow one another without a gap, and a day done again takes the later ones along', () => {
    expect(plan('2026-11-21', '2026-11-20')).toEqual([['2026-11-21', '2026-11-21']]);
    expect(plan('2026-11-22', '2026-11-20')).toEqual([['2026-11-21', '2026-11-21'], ['2026-11-22', '2026-11-22']]);
    expect(plan('2026-11-19', '2026-11-20')).toEqual([['2026-11-19', '2026-11-19'], ['2026-11-20', '2026-11-20']]);
    expect(plan('2026-11-19', '')).toEqual([['2026-11-19', '2026-11-19']]);
    expect(plan('2026-12-31', '2026-11-20')).toEqual([['2026-11-21', '2026-12-31']]);
  });
  test('days have no time zone', () => {
    expect(shiftDay('2026-02-28', 1)).toBe('2026-03-01');
    expect(shiftDay('2026-01-01', -1)).toBe('2025-12-31');
    expect(daysBetween('2026-02-28', '2026-03-02')).toBe(2);
  });
});

describe('words', () => {
  test('every class is named and explained in both languages', () => {
    for (const l of ['zh-CN', 'en'] as const) {
      const d: Record<string, string> = classes.dictionaries[l];
      for (const c of CLASSES) for (const part of ['name', 'when', 'amount', 'clears', 'look']) expect(d[`${part}.${c}`], `${l} ${part}.${c}`).toBeTruthy();
      expect(Object.keys(d)).toHaveLength(CLASSES.length * 5);
    }
  });
  test('what the hub tells is said in Chinese, and values are written as everywhere', () => {
    expect(toldText('meter -1234.50', 'zh-CN')).toMatch(/^\p{Script=Han}+ \u22121,234\.50$/u);
    expect(toldText('expected 70228 Wh', 'en')).toBe('expected 70.228 kWh');
    expect(toldText('last heard of 2025-10-31', 'en')).toBe('last heard of 2025-10-31');
    expect(toldText('read the meter, or visit it', 'zh-CN')).toMatch(/\p{Script=Han}/u);
    expect(toldText('something new', 'zh-CN')).toBe('something new');
    expect(faultText('amount: want yuan as digits with at most two decimals, such as 50.00', 'zh-CN')).toMatch(/50\.00/);
    expect(faultText('kind: want one of purchase, refund', 'zh-CN')).toMatch(/purchase, refund/);
    expect(faultText('kind: want one of purchase', 'en')).toBe('kind: want one of purchase');
  });
  test('one row is no rows', () => {
    expect(plural('{n|row|rows}', { n: 1 })).toBe('row');
    expect(plural('{n|row|rows}', { n: '0' })).toBe('rows');
    expect(words.in('en', 'decide.sum', { n: 1, sum: '5.00' })).toBe('1 difference, 5.00 yuan in all');
    expect(words.in('en', 'balance.refused', { n: '1,001' })).toBe('1,001 rows contradict the register and are left out.');
    for (const l of ['zh-CN', 'en'] as const) for (const text of Object.values(words.dictionaries[l])) expect(plural(text), text).not.toMatch(/\|/);
  });
  test('what to do is an act, and a finding stands beside it', () => {
    expect(actOf('the purchase was not taken off the card', 'see', 'en')).toMatchObject({ found: true, act: expect.stringMatching(/take the purchase off it/) as unknown });
    expect(actOf('the purchase was not taken off the card', 'see', 'zh-CN').act).toMatch(/\p{Script=Han}/u);
    expect(actOf('read the meter, or visit it', 'see', 'en')).toEqual({ act: 'Read the meter, or visit it', found: false });
    expect(actOf('cumulative use fell: look at the meter', 'see', 'en').found).toBe(false);
    expect(actOf('something new', 'see', 'en')).toEqual({ act: 'see', found: true });
    expect(actOf('', 'see', 'en')).toEqual({ act: 'see', found: false });
  });
});
