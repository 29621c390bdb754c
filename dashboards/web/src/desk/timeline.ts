// The order of a difference's life, and which of its events speak of it.

import type { DossierEventJSON, WorkItemJSON } from '../shared/openapi.ts';

/** What happens to money on its way; events of one moment stand in this order. */
export const PHASES = ['sale', 'payment', 'card', 'load', 'meter', 'refund', 'decision'] as const;
export type Phase = (typeof PHASES)[number];

/** The step on the way that an event tells of. */
export function phaseOf(e: Pick<DossierEventJSON, 'what' | 'kind'>): Phase {
  switch (e.what) {
    case 'sale':
      return e.kind === 'refund' || e.kind === 'reversal' ? 'refund' : 'sale';
    case 'payment':
      return e.kind === 'refund' ? 'refund' : 'payment';
    case 'decision':
      return 'decision';
    default:
      if (e.kind === 'load' || e.kind === 'refusal') return 'load';
      return e.kind === 'state' || e.kind === 'return' ? 'meter' : 'card';
  }
}

/** The events by moment, and those of one moment in the order of PHASES. */
export function inOrder<T extends Pick<DossierEventJSON, 'what' | 'kind' | 'at'>>(events: readonly T[]): T[] {
  return events
    .map((e, n) => ({ e, n, at: Date.parse(e.at), phase: PHASES.indexOf(phaseOf(e)) }))
    .sort((a, b) => a.at - b.at || a.phase - b.phase || a.n - b.n)
    .map(({ e }) => e);
}

const NEAR = 3 * 86_400_000;

/** True for what speaks of the difference itself: its order, its purchase number, what is near its moment, decisions. */
export function bears(e: DossierEventJSON, d: WorkItemJSON): boolean {
  if (e.what === 'decision') return true;
  if (d.order && (e.order === d.order || e.undoes === d.order || e.undoes === `${d.channel}/${d.order}`)) return true;
  if (d.purchase > 0 && e.purchase === d.purchase && e.kind !== 'state' && e.kind !== 'return') return true;
  return d.moment !== undefined && Math.abs(Date.parse(e.at) - Date.parse(d.moment)) <= NEAR;
}

/** What was used from the state before to each state, in its unit; "" where one of them is not known. */
export function uses(events: readonly Pick<DossierEventJSON, 'used'>[]): string[] {
  let before: { value: bigint; unit: string } | null = null;
  return events.map((e) => {
    const m = /^(-?\d+) (L|Wh)$/.exec(e.used);
    if (!m) return '';
    const now = { value: BigInt(m[1] ?? '0'), unit: m[2] ?? '' };
    const text = before && before.unit === now.unit ? `${now.value - before.value} ${now.unit}` : '';
    before = now;
    return text;
  });
}
