// What to do when an act is refused: which field is meant, what others did meanwhile,
// and whether it may be tried again.

import type { FieldProblem } from '../shared/api.ts';
import type { EntryJSON, MayActJSON } from '../shared/openapi.ts';

/** Where a field of an act stands in its body. */
const PLACES: Readonly<Record<string, string>> = {
  'classification.class': 'class',
  'classification.condition': 'condition',
  'filing.condition': 'condition',
  'filing.cell': 'cell',
  'filing.no_cell': 'no_cell',
};

/** The field of the form that a location of a problem means, such as body.departments[0]; "" for none. */
export function fieldOf(location: string, fields: readonly string[]): string {
  const path = location.replace(/^body\./, '').replace(/^report\./, '').replace(/\[\d+\].*$/, '');
  const name = PLACES[path] ?? path;
  return fields.includes(name) ? name : '';
}

/** What is wrong, by field; what means none of them stands under "". */
export function byField(problems: readonly FieldProblem[], fields: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const p of problems) {
    const name = fieldOf(p.location, fields);
    out[name] = out[name] ? `${out[name]}; ${p.message}` : p.message;
  }
  return out;
}

/** The entries that came after the one that somebody saw last. */
export function meanwhile(journal: readonly EntryJSON[], seen: number): EntryJSON[] {
  return journal.filter((e) => e.number > seen);
}

/** The act in what may be done now, when it still fits; undefined: it does not. */
export function retryable(act: MayActJSON, now: readonly MayActJSON[]): MayActJSON | undefined {
  return now.find((m) => m.act === act.act && m.role === act.role && m.request === act.request && m.number === act.number && m.possible);
}

/** True when the refusal says that the case is another than the one that was seen. */
export function overtaken(code: string): boolean {
  return code === 'stale' || code === 'conflict';
}
