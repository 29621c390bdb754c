// The sums above the list of differences, from the groups that the hub counts.

import type { WorkGroupJSON } from '../shared/openapi.ts';
import { BANDS } from './filter.ts';
import { fen } from './money.ts';

export interface Total {
  count: number;
  above: bigint;
  below: bigint;
}

const none = (): Total => ({ count: 0, above: 0n, below: 0n });

function add(t: Total, g: WorkGroupJSON): Total {
  return { count: t.count + g.count, above: t.above + fen(g.above), below: t.below + fen(g.below) };
}

export interface Sums {
  all: Total;
  bands: Total[];
  classes: Map<string, Total>;
  states: Map<string, Total>;
}

/** Adds the groups up: over all, by age, by class and by state. */
export function sumsOf(groups: readonly WorkGroupJSON[]): Sums {
  const s: Sums = { all: none(), bands: BANDS.map(none), classes: new Map(), states: new Map() };
  for (const g of groups) {
    s.all = add(s.all, g);
    s.bands = s.bands.map((b, n) => (n === g.band ? add(b, g) : b));
    s.classes.set(g.class, add(s.classes.get(g.class) ?? none(), g));
    s.states.set(g.state, add(s.states.get(g.state) ?? none(), g));
  }
  return s;
}
