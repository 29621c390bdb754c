// Finding in the catalogue what a person means: a component by its code, a class by its
// code, its name, or the first letters of its name in pinyin.

import type { CatalogueClassJSON, CatalogueJSON, RoundComponentJSON } from '../shared/openapi.ts';
import type { LonLat } from './geo.ts';
import { metres } from './geo.ts';

// For each letter the first character that is read with it, in the order of pinyin.
const FIRST = '\u963f\u516b\u5693\u54d2\u59b8\u53d1\u65ee\u54c8\u8ba5\u5494\u5783\u75f3\u62cf\u5662\u5991\u4e03\u5465\u6268\u4ed6\u7a75\u5915\u4e2b\u5e00';
const LETTERS = 'abcdefghjklmnopqrstwxyz';

let order: Intl.Collator | null = null;
const known = new Map<string, string>();

function letter(c: string): string {
  if (/[a-z0-9]/i.test(c)) return c.toLowerCase();
  if (!/\p{Script=Han}/u.test(c)) return '';
  let l = known.get(c);
  if (l === undefined) {
    order ??= new Intl.Collator('zh-CN-u-co-pinyin');
    let n = FIRST.length - 1;
    while (n > 0 && order.compare(c, FIRST[n]!) < 0) n--;
    l = LETTERS[n]!;
    known.set(c, l);
  }
  return l;
}

/** The first letters of a name in pinyin: what a thumb types. */
export function initials(name: string): string {
  return Array.from(name, letter).join('');
}

const codeOf = (ref: string): string => ref.slice(ref.lastIndexOf(':') + 1);
export const kindOf = (ref: string): string => ref.split(':')[1] ?? '';

/** Classes that are meant by text, the best first. Empty text: none. */
export function findClasses(list: readonly CatalogueClassJSON[], text: string, most = 30): CatalogueClassJSON[] {
  const q = text.trim().toLowerCase();
  if (q === '') return [];
  const scored = list.map((c) => [score(c, q), c] as const).filter(([s]) => s > 0);
  scored.sort((a, b) => b[0] - a[0] || (a[1].ref < b[1].ref ? -1 : 1));
  return scored.slice(0, most).map(([, c]) => c);
}

function score(c: CatalogueClassJSON, q: string): number {
  const code = codeOf(c.ref).toLowerCase();
  const [zh, en] = [c.zh.toLowerCase(), c.en.toLowerCase()];
  if (code === q || zh === q || en === q) return 100;
  if (code.startsWith(q)) return 80;
  if (zh.startsWith(q) || en.startsWith(q)) return 70;
  const first = initials(c.zh);
  if (first.startsWith(q)) return 60;
  if (zh.includes(q)) return 50;
  if (q.split(/\s+/).every((word) => en.includes(word))) return 40;
  return q.length > 1 && first.includes(q) ? 30 : 0;
}

/** The classes that a component suggests: its own, then what its list says may be wrong with it. */
export function suggested(c: CatalogueJSON, component: RoundComponentJSON): CatalogueClassJSON[] {
  const standard = component.class.slice(0, component.class.indexOf(':'));
  const code = codeOf(component.class);
  const own = c.classes.filter((k) => k.ref === component.class);
  return [...own, ...c.classes.filter((k) => k.of === code && k.ref.startsWith(`${standard}:event:`))];
}

/** A component with how far it is; far is NaN where one of the places is not known. */
export interface Found {
  component: RoundComponentJSON;
  far: number;
}

/** Components around a place, the nearest first. */
export function near(list: readonly RoundComponentJSON[], at: LonLat, within: number, most = 8): Found[] {
  return list
    .filter((c) => c.at)
    .map((component) => ({ component, far: metres({ lon: component.at![0]!, lat: component.at![1]! }, at) }))
    .filter((f) => f.far <= within)
    .sort((a, b) => a.far - b.far)
    .slice(0, most);
}

/** Components whose code begins or ends so, or that are called so. */
export function findComponents(list: readonly RoundComponentJSON[], text: string, most = 20): RoundComponentJSON[] {
  const q = text.trim().toLowerCase();
  if (q === '') return [];
  const hit = (c: RoundComponentJSON): boolean =>
    c.id.toLowerCase().startsWith(q) || c.id.toLowerCase().endsWith(q) || (c.name ?? '').toLowerCase().includes(q) || (c.location ?? '').toLowerCase().includes(q);
  return list.filter(hit).slice(0, most);
}
