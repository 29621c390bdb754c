// What a typed or scanned code is, told without network.

import type { CatalogueJSON, RoundComponentJSON } from '../shared/openapi.ts';

export type Reading =
  | { kind: 'empty' }
  /** In the catalogue. */
  | { kind: 'known'; component: RoundComponentJSON }
  /** Built as a list says, but of no component here. */
  | { kind: 'other'; id: string; ref: string; county: string }
  /** Nothing that a list builds, but an id that the hub may know. */
  | { kind: 'free'; id: string }
  | { kind: 'wrong'; why: 'length' | 'character' | 'class' | 'form'; at?: number; length?: number; lengths?: string };

/** The id that a scanned text names: the text itself, or the last part of an address. */
export function idOf(text: string): string {
  const t = text.trim();
  const m = /(?:[?&#](?:component|id|code)=|[/:])([0-9A-Za-z_-]{1,32})\/?$/.exec(t);
  return m?.[1] ?? t;
}

/** Explains a code. Full-width digits, blanks and small dashes are taken as meant. */
export function read(c: CatalogueJSON, text: string): Reading {
  const id = idOf(text.normalize('NFKC').replace(/\s+/g, ''));
  if (id === '') return { kind: 'empty' };
  const held = c.components.find((one) => one.id === id);
  if (held) return { kind: 'known', component: held };
  if (!/^[0-9A-Za-z_-]{1,32}$/.test(id)) return { kind: 'wrong', why: 'form' };
  const digits = id.replace(/[^0-9]/g, '').length;
  if (digits < 8 || digits < id.length - 2) return { kind: 'free', id };
  return numbered(c, id);
}

/** Of a code that is meant to be one of digits: 6 county, class, 6 serial. */
function numbered(c: CatalogueJSON, id: string): Reading {
  const letter = /[^0-9]/.exec(id);
  if (letter) return { kind: 'wrong', why: 'character', at: letter.index + 1 };
  const fits = c.schemes.filter((s) => id.length === 12 + s.class);
  if (fits.length === 0) {
    const lengths = [...new Set(c.schemes.map((s) => 12 + s.class))].sort();
    return lengths.length === 0 ? { kind: 'free', id } : { kind: 'wrong', why: 'length', length: id.length, lengths: lengths.join(', ') };
  }
  for (const s of fits) {
    const ref = `${s.standard}:component:${id.slice(6, 6 + s.class)}`;
    if (c.classes.some((k) => k.ref === ref)) return { kind: 'other', id, ref, county: id.slice(0, 6) };
  }
  return { kind: 'wrong', why: 'class', at: 7 };
}
