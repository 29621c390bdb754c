// What an act says, from what was typed.

import type { ActRequest, CaseMediaJSON, MayActJSON, MayFieldJSON } from '../shared/openapi.ts';

/** What was typed into a form, by field. */
export interface Values {
  reason: string;
  text: string;
  class: string;
  condition: string;
  cell: string;
  no_cell: string;
  inspector: string;
  outcome: string;
  duplicate_of: string;
  departments: readonly string[];
  amount: string;
}

export const EMPTY: Values = { reason: '', text: '', class: '', condition: '', cell: '', no_cell: '', inspector: '', outcome: '', duplicate_of: '', departments: [], amount: '' };

/** A form as it opens: with what the case has. */
export function opening(act: MayActJSON, change: Partial<Values> = {}): Values {
  const v: Values = { ...EMPTY };
  for (const f of act.fields) if (f.value !== undefined && f.name !== 'departments' && f.name !== 'media') v[f.name] = f.value;
  return { ...v, ...change };
}

/** Whether a field must be filled in, as things are. */
export function needed(f: MayFieldJSON, v: Values, media: number): boolean {
  switch (f.when) {
    case 'outcome_no':
      return v.outcome === 'no';
    case 'no_cell':
      return v.cell.trim() === '';
    case 'no_media':
      return media === 0;
  }
  return f.required;
}

/** True when class is another one than the case has: then a reason is needed. */
function otherClass(act: MayActJSON, v: Values): boolean {
  return act.fields.some((f) => f.name === 'class' && f.value !== v.class);
}

/** The fields that are needed and empty. */
export function missing(act: MayActJSON, v: Values, media: number): string[] {
  const empty = (f: MayFieldJSON): boolean => {
    if (f.name === 'media') return media === 0;
    const value = v[f.name];
    return typeof value === 'string' ? value.trim() === '' : value.length === 0;
  };
  return act.fields.filter((f) => (f.when === 'other_class' ? otherClass(act, v) : needed(f, v, media)) && empty(f)).map((f) => f.name);
}

/** The body of an act upon a case that had so many entries. */
export function bodyOf(act: MayActJSON, v: Values, media: readonly CaseMediaJSON[], entries: number, clientID: string): ActRequest {
  const body: Record<string, unknown> = { act: act.act, role: act.role, expect_entries: entries, client_id: clientID };
  if (act.number) body['request'] = act.number;
  for (const f of act.fields) {
    if (f.name === 'departments') {
      if (v.departments.length > 0) body['departments'] = [...v.departments];
    } else if (f.name === 'media') {
      if (media.length > 0) body['media'] = [...media];
    } else if (f.name === 'amount') {
      if (/^\d{1,5}$/.test(v.amount.trim())) body['amount'] = Number(v.amount);
    } else if (!['class', 'condition', 'cell', 'no_cell'].includes(f.name) && v[f.name].trim()) body[f.name] = v[f.name].trim();
  }
  const short = (list: readonly (readonly [string, string])[]): Record<string, string> => Object.fromEntries(list.filter(([, s]) => s.trim()).map(([k, s]) => [k, s.trim()]));
  if (act.act === 'classify') body['classification'] = short([['class', v.class], ['condition', v.condition]]);
  if (act.act === 'file') body['filing'] = short([['condition', v.condition], ['cell', v.cell], ['no_cell', v.cell.trim() ? '' : v.no_cell]]);
  return body as unknown as ActRequest;
}

/** A UUID for an upload that may be sent again. */
export function newID(): string {
  return crypto.randomUUID();
}
