import { expect, test } from 'vitest';
import type { Words } from './words.ts';

// Every dictionary of the pages: what a module exports that has both languages.
const modules = import.meta.glob<Record<string, unknown>>(['../*/words.ts', './common.ts'], { eager: true });
const found = Object.entries(modules).flatMap(([file, m]) =>
  Object.values(m)
    .filter((v): v is Words<string> => typeof v === 'object' && v !== null && 'dictionaries' in v)
    .map((v) => ({ file, d: v.dictionaries })),
);
const sources = import.meta.glob<string>(['../*/*.ts', '../*/*.tsx', '!../*/*.test.ts', '!../*/*.test.tsx'], { eager: true, query: '?raw', import: 'default' });

test('there are dictionaries', () => {
  expect(found.length).toBeGreaterThan(1);
});

test.each(found)('$file has every text in both languages, and fills in the same names', ({ d }) => {
  const { 'zh-CN': zh, en } = d;
  expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
  const names = (s: string): string[] => [...s.matchAll(/\{\w+\}/g)].map((m) => m[0]).sort();
  for (const [key, text] of Object.entries(zh)) {
    expect(text, key).not.toBe('');
    expect(en[key], key).not.toBe('');
    expect(names(en[key] ?? ''), key).toEqual(names(text));
  }
});

test.each(found)('$file has Chinese in Chinese and none in English', ({ d }) => {
  const han = /\p{Script=Han}/u;
  for (const [key, text] of Object.entries(d.en)) if (key !== 'lang.other') expect(text, key).not.toMatch(han);
  const foreign = Object.entries(d['zh-CN']).filter(([, text]) => !han.test(text) && /[a-z]{4}/.test(text.replace(/\{\w+\}/g, '')));
  expect(foreign.map(([key]) => key).filter((key) => key !== 'lang.other')).toEqual([]);
});

test('texts are in dictionaries only', () => {
  const han = /\p{Script=Han}/u;
  const loose = Object.entries(sources)
    .filter(([file]) => !/\/(words\w*|common|format|openapi)\.ts$/.test(file))
    .flatMap(([file, text]) => text.split('\n').flatMap((line, n) => (han.test(line.replace(/\/\/.*|\*.*/, '')) ? [`${file}:${n + 1} ${line.trim()}`] : [])));
  expect(loose).toEqual([]);
});

test('no text is left that no page uses', () => {
  const all = Object.entries(sources).filter(([file]) => !/\/(words\w*|common)\.ts$/.test(file)).map(([, text]) => text).join('\n');
  const quoted = new Set([...all.matchAll(/['"`]([\w.-]+)['"`]/g)].map((m) => m[1] ?? ''));
  // A key that is put together from a prefix and a code: `nav.${page}`, code('err', ...), word('vs', ...).
  const prefixes = new Set([...all.matchAll(/`([\w.-]+\.)\$\{/g)].map((m) => m[1] ?? ''));
  for (const m of all.matchAll(/(?:code|word)\(\s*'([\w.-]+)'/g)) prefixes.add(`${m[1]}.`);
  const used = (key: string): boolean => quoted.has(key) || [...prefixes].some((p) => key.startsWith(p));
  for (const { file, d } of found) expect(Object.keys(d.en).filter((key) => !used(key)), file).toEqual([]);
});
