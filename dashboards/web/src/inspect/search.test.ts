import { expect, test } from 'vitest';
import type { CatalogueClassJSON, CatalogueJSON } from '../shared/openapi.ts';
import { read } from './code.ts';
import { bounds, cellAt, inside, metres } from './geo.ts';
import { fit } from './photo.ts';
import { findClasses, findComponents, initials, near, suggested } from './search.ts';

const S = 'CJ/T 214-2007';
const k = (code: string, zh: string, en: string, kind = 'component', of?: string): CatalogueClassJSON => ({
  ref: `${S}:${kind}:${code}`, zh, en, major_zh: '公用设施', major_en: 'Public utilities', ...(of ? { of } : {}),
});
const square = (x: number, y: number): number[][][][] => [[[[x, y], [x + 0.001, y], [x + 0.001, y + 0.001], [x, y + 0.001], [x, y]]]];

const catalogue: CatalogueJSON = {
  person: { id: 'zhang', name: 'Zhang', duty: ['D1'] },
  cells: [
    { code: '330106001001001', name: 'one', duty: 'D1', outline: square(120, 30) },
    { code: '330106001001002', name: 'two', duty: 'D1', outline: [[...square(120.001, 30)[0]!, [[120.0014, 30.0004], [120.0016, 30.0004], [120.0016, 30.0006], [120.0014, 30.0004]]]] },
  ],
  components: [
    { id: '3301060101000001', class: `${S}:component:0101`, class_name: '上水井盖', cell: '330106001001001', at: [120.0005, 30.0005], location: '人民路 18 号' },
    { id: '3301060101000002', class: `${S}:component:0101`, class_name: '上水井盖', cell: '330106001001002', at: [120.0015, 30.0002] },
    { id: 'MB-7', class: `${S}:component:0301`, class_name: '公共厕所', cell: '330106001001002', name: '东门' },
  ],
  classes: [k('0101', '上水井盖', 'Water supply cover'), k('0102', '污水井盖', 'Sewer cover'), k('0301', '公共厕所', 'Public toilet'), k('0201', '路面破损', 'Broken pavement', 'event'), k('0501', '井盖异常', 'Cover abnormal', 'event', '0101')],
  schemes: [{ standard: S, class: 4 }, { standard: 'GB/T 47678.5-2026', class: 5 }],
};

test('first letters in pinyin, for every letter', () => {
  expect(initials('上水井盖')).toBe('ssjg');
  expect(initials('污水井盖 A2')).toBe('wsjga2');
  expect(initials('阿八嚓哒鹅发嘎哈鸡卡拉妈那哦啪七然撒他挖夕呀杂')).toBe('abcdefghjklmnopqrstwxyz');
  expect(initials('燃气阀门箱（甲）')).toBe('rqfmxj');
});

test.each([
  ['ssjg', ['0101']], ['jg', ['0501', '0101', '0102']], ['0301', ['0301']], ['01', ['0101', '0102']], ['井盖', ['0501', '0101', '0102']],
  ['COVER', ['0501', '0101', '0102']], ['sewer cover', ['0102']], ['路', ['0201']], ['', []], ['zzz', []],
])('%s finds classes %j', (text, want) => {
  expect(findClasses(catalogue.classes, text).map((c) => c.ref.slice(-4))).toEqual(want);
});

test('a component suggests its own class, then what may be wrong with it', () => {
  expect(suggested(catalogue, catalogue.components[0]!).map((c) => c.ref)).toEqual([`${S}:component:0101`, `${S}:event:0501`]);
});

test('components by code, name and place, and near a position', () => {
  expect(findComponents(catalogue.components, '000002').map((c) => c.id)).toEqual(['3301060101000002']);
  expect(findComponents(catalogue.components, '东门').map((c) => c.id)).toEqual(['MB-7']);
  expect(findComponents(catalogue.components, '人民路')).toHaveLength(1);
  const found = near(catalogue.components, { lon: 120.0006, lat: 30.0005 }, 60);
  expect(found.map((f) => [f.component.id, Math.round(f.far)])).toEqual([['3301060101000001', 10]]);
});

test.each([
  ['3301060101000001', { kind: 'known' }],
  [' 3301060101 000001 ', { kind: 'known' }],
  ['３３０１０６０１０１０００００１', { kind: 'known' }],
  ['https://city.example/c/3301060101000001', { kind: 'known' }],
  ['https://city.example/#component=MB-7', { kind: 'known' }],
  ['3301060102000009', { kind: 'other', ref: `${S}:component:0102`, county: '330106' }],
  ['3301069902000009', { kind: 'wrong', why: 'class' }],
  ['330106010100000', { kind: 'wrong', why: 'length', length: 15, lengths: '16, 17' }],
  ['33010601O1000001', { kind: 'wrong', why: 'character', at: 9 }],
  ['pole-12', { kind: 'free', id: 'pole-12' }],
  ['井盖', { kind: 'wrong', why: 'form' }],
  ['', { kind: 'empty' }],
])('%s is read as %j', (text, want) => {
  expect(read(catalogue, text)).toMatchObject(want);
});

test('distances and cells', () => {
  expect(metres({ lon: 120, lat: 30 }, { lon: 120, lat: 30.001 })).toBeCloseTo(111.2, 0);
  expect(metres({ lon: 120, lat: 30 }, { lon: 120.001, lat: 30 })).toBeCloseTo(96.3, 0);
  expect(cellAt(catalogue.cells, { lon: 120.0005, lat: 30.0005 })?.name).toBe('one');
  expect(cellAt(catalogue.cells, { lon: 120.0012, lat: 30.0005 })?.name).toBe('two');
  expect(cellAt(catalogue.cells, { lon: 120.00155, lat: 30.00045 })).toBeUndefined(); // in the hole
  expect(inside([], { lon: 0, lat: 0 })).toBe(false);
  expect(bounds(catalogue.cells)?.map((v) => v.toFixed(6))).toEqual(['120.000000', '30.000000', '120.002000', '30.001000']);
  expect(bounds([])).toBeNull();
});

test.each([
  [4032, 3024, [1600, 1200]], [3024, 4032, [1200, 1600]], [1600, 900, [1600, 900]], [640, 480, [640, 480]], [1601, 1, [1600, 1]], [10_000, 3, [1600, 1]], [1, 1, [1, 1]],
])('a photo of %i by %i becomes %j', (w, h, want) => {
  expect(fit(w, h)).toEqual(want);
});
