// The two languages. Each folder has a words.ts with its dictionaries; what several
// folders say is here. {x} in a text is filled in by t().

import { signal } from '@preact/signals';
import { recall, remember } from './storage.ts';

export type Lang = 'zh-CN' | 'en';
export type Fill = Record<string, string | number>;

const first: Lang = (recall('lang') || globalThis.navigator?.language || 'en').toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';

/** The language of the page. */
export const lang = signal<Lang>(first);
lang.subscribe((l) => {
  remember('lang', l);
  if (typeof document !== 'undefined') document.documentElement.lang = l;
});

/** The texts of a folder in both languages. */
export interface Words<K extends string> {
  /** For the test that compares the two. */
  readonly dictionaries: Record<Lang, Readonly<Record<K, string>>>;
  /** The text of key in the language of the page. */
  t(key: K, fill?: Fill): string;
  /** The text of key in language l. */
  in(l: Lang, key: K, fill?: Fill): string;
  /** The text of prefix.code, or of prefix.other when the code is newer than this page. */
  code(prefix: string, code: string): string;
  /** The text of prefix.code, or the code itself. */
  word(prefix: string, code: string): string;
}

export function dictionary<K extends string>(zh: Readonly<Record<K, string>>, en: Readonly<Record<K, string>>): Words<K> {
  const dictionaries: Record<Lang, Readonly<Record<K, string>>> = { 'zh-CN': zh, en };
  const known = (key: string): key is K => Object.hasOwn(zh, key);
  const text = (l: Lang, key: K, fill: Fill = {}): string =>
    (dictionaries[l][key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => (name in fill ? String(fill[name]) : whole));
  return {
    dictionaries,
    in: text,
    t: (key, fill) => text(lang.value, key, fill),
    code: (prefix, code) => {
      const key = `${prefix}.${code}`;
      if (known(key)) return text(lang.value, key);
      const other = `${prefix}.other`;
      return known(other) ? text(lang.value, other, { code }) : code;
    },
    word: (prefix, code) => {
      const key = `${prefix}.${code}`;
      return known(key) ? text(lang.value, key) : code;
    },
  };
}
