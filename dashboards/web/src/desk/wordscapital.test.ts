import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { capital } from './wordscapital.ts';
import { fen } from './money.ts';
import type { Statement, Tally } from './statement.ts';
import { mainTotals } from './statement.ts';

// The hub's own table, so that the page and the paper say the same.
const table = JSON.parse(readFileSync(new URL('../../../../hub/ledger/testdata/capital.json', import.meta.url), 'utf8')) as { yuan: string; capital: string }[];

describe('capitals', () => {
  test('are those of the hub, to the end of its range', () => {
    expect(table.length).toBeGreaterThan(40);
    for (const { yuan, capital: want } of table) expect(capital(fen(yuan)), yuan).toBe(want);
  });
});

describe('main totals', () => {
  const tally = (amount: string): Tally => ({ count: 1, amount, volume: 0 });
  const roll = (amount: string) => ({ opening: tally('0.00'), rows: tally(amount), matched: tally(amount), amount_diff: tally('0.00'), duplicates: tally('0.00'), decided: tally('0.00'), closing: tally('0.00') });
  const cleared = { opening: tally('0.00'), found: tally('0.00'), cleared: tally('0.00'), decided: tally('0.00') };
  test('are those of the printed summary, in its order, to the fen', () => {
    const s: Statement = {
      rules: '1', from: '2026-11-21', to: '2026-11-21', cut_off: '23:00', rows: { sales: 2, payments: 2, entries: 0, refused: 0 },
      channels: [{ channel: 'a', sales: roll('0.10'), payments: roll('9.00') }, { channel: 'b', sales: roll('0.20'), payments: roll('9.00') }],
      purchases: { opening: tally('0.00'), sold: tally('0.00'), transferred: tally('0.00'), undone: tally('0.00'), loaded: tally('0.00'), closing: tally('325.04') },
      classes: [{ class: 'SALE_NO_PAY', ...cleared, closing: tally('-50.00') }, { class: 'PAID_NO_SALE', ...cleared, closing: tally('0.07') }],
      stock: { closing: { residual: tally('16409.02'), overdraft: tally('2.50'), installations: 1, fresh: 1, stale: 0 } },
    };
    expect(mainTotals(s)).toEqual([['matched', 30n], ['open', -4993n], ['unloaded', 32504n], ['prepaid', 1640902n], ['overdraft', 250n]]);
  });
});
