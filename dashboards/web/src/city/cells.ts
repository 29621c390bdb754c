// The rows of the list beside the map. Pure, so that it can be tested.

import type { Tree } from './tree.ts';

export type Order = 'value' | '-value' | 'name' | '-name';

export interface CellRow {
  readonly i: number;
  readonly code: string;
  readonly name: string;
  readonly community: string;
  readonly value: number | null;
  readonly hidden: boolean;
}

/** The cells of a place that match what is looked for, in order. Those without a value are the last, whichever way. */
export function rowsOf(tree: Tree, area: string, find: string, order: Order, values: readonly (number | null)[], hidden: readonly number[]): CellRow[] {
  const [first, last] = tree.range(area);
  const dark = new Set(hidden);
  const wanted = find.trim().toLowerCase();
  const rows: CellRow[] = [];
  for (let i = first; i < last; i++) {
    const cell = tree.plan.cells[i]!;
    const community = tree.area(cell.code.slice(0, 12))?.name ?? '';
    if (wanted && !`${cell.name} ${cell.code} ${community}`.toLowerCase().includes(wanted)) continue;
    rows.push({ i, code: cell.code, name: cell.name, community, value: dark.has(i) ? null : (values[i] ?? null), hidden: dark.has(i) });
  }
  const sign = order.startsWith('-') ? -1 : 1;
  const byName = (a: CellRow, b: CellRow): number => a.i - b.i;
  if (order.endsWith('name')) return rows.sort((a, b) => sign * byName(a, b));
  return rows.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null) || byName(a, b);
    return sign * (a.value - b.value) || byName(a, b);
  });
}
