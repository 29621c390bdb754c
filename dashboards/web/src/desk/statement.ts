// The statement of a run as the hub writes it, and whether it adds up: the page counts
// for itself, in whole fen.

import { address } from '../shared/api.ts';
import type { Lang } from '../shared/words.ts';
import { fen, yuan } from './money.ts';

export interface Tally {
  count: number;
  amount: string;
  volume: number;
}

export interface MatchRoll {
  opening: Tally;
  rows: Tally;
  matched: Tally;
  amount_diff: Tally;
  duplicates: Tally;
  decided: Tally;
  closing: Tally;
}

export interface ClassRoll {
  class: string;
  opening: Tally;
  found: Tally;
  cleared: Tally;
  decided: Tally;
  closing: Tally;
}

export interface PurchaseRoll {
  opening: Tally;
  sold: Tally;
  transferred: Tally;
  undone: Tally;
  loaded: Tally;
  closing: Tally;
}

export interface Statement {
  rules: string;
  from: string;
  to: string;
  cut_off: string;
  rows: { sales: number; payments: number; entries: number; refused: number };
  channels: { channel: string; sales: MatchRoll; payments: MatchRoll }[];
  purchases: PurchaseRoll;
  classes: ClassRoll[];
  stock: { closing: { residual: Tally; overdraft: Tally; installations: number; fresh: number; stale: number } };
  unresolved?: { sales: number; entries: number };
}

export interface StatementFile {
  statement: Statement;
  sm3: string;
}

/** What is left over when purchases are rolled forward; 0n: it adds up to the fen. */
export function purchasesLeft(p: PurchaseRoll): bigint {
  return fen(p.opening.amount) + fen(p.sold.amount) + fen(p.transferred.amount) - fen(p.undone.amount) - fen(p.loaded.amount) - fen(p.closing.amount);
}

/** Likewise in numbers of purchases. */
export function purchaseCountLeft(p: PurchaseRoll): number {
  return p.opening.count + p.sold.count + p.transferred.count - p.undone.count - p.loaded.count - p.closing.count;
}

/** Likewise for one side of a channel: what came in is matched, told apart, or still open. */
export function matchLeft(m: MatchRoll): bigint {
  return fen(m.opening.amount) + fen(m.rows.amount) - fen(m.matched.amount) - fen(m.amount_diff.amount) - fen(m.duplicates.amount) - fen(m.decided.amount) - fen(m.closing.amount);
}

/** Likewise for a class of differences. */
export function classLeft(c: ClassRoll): bigint {
  return fen(c.opening.amount) + fen(c.found.amount) - fen(c.cleared.amount) - fen(c.decided.amount) - fen(c.closing.amount);
}

/** The sum of one column of several rolls. */
export function over<T>(list: readonly T[], of: (one: T) => Tally): Tally {
  let count = 0;
  let amount = 0n;
  for (const one of list) {
    count += of(one).count;
    amount += fen(of(one).amount);
  }
  return { count, amount: yuan(amount), volume: 0 };
}

/** The totals that the printed summary has in capitals too, in fen and in its order. */
export function mainTotals(s: Statement): ['matched' | 'open' | 'unloaded' | 'prepaid' | 'overdraft', bigint][] {
  const { residual, overdraft } = s.stock.closing;
  return [
    ['matched', fen(over(s.channels, (c) => c.sales.matched).amount)],
    ['open', fen(over(s.classes, (c) => c.closing).amount)],
    ['unloaded', fen(s.purchases.closing.amount)],
    ['prepaid', fen(residual.amount)],
    ['overdraft', fen(overdraft.amount)],
  ];
}

/** Where a form of the statement of a run is. */
export function statementAddress(run: number, format: string, language: Lang): string {
  return address(`/api/v1/ledger/runs/${run}/statement`, { format, lang: language });
}
