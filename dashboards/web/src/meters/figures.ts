// The steps of the river and the figures that each shows.

import type { Flow } from './api.ts';
import { formatBytes, formatCount, formatRate } from '../shared/format.ts';
import type { Lang } from '../shared/words.ts';
import { words } from './words.ts';

export const STEPS = ['meters', 'collectors', 'seal', 'spool', 'broker', 'hub', 'store', 'receipts'] as const;
export type StepId = (typeof STEPS)[number];

interface Figures {
  main: string;
  unit: string;
  sub: string;
  moving: boolean;
}

/** What step id shows of f in language l. */
export function figures(id: StepId, f: Flow, l: Lang): Figures {
  const t = (key: Parameters<typeof words.t>[0], vars?: Record<string, string>): string => words.in(l, key, vars);
  const n = (v: number): string => formatCount(v, l);
  const r = (v: number): string => formatRate(v, l);
  switch (id) {
    case 'meters':
      return {
        main: n(f.meters.answering), unit: t('unit.meters', { total: n(f.meters.total) }),
        sub: t('sub.late', { late: n(f.meters.late), failing: n(f.meters.failing) }), moving: f.meters.answering > 0,
      };
    case 'collectors':
      return {
        main: r(f.collectors.values_per_s), unit: t('unit.values_s'),
        sub: `${n(f.collectors.online)}/${n(f.collectors.total)} ${t('unit.collectors')}`, moving: f.collectors.values_per_s > 0,
      };
    case 'seal':
      return {
        main: n(f.seal.sealed), unit: t('unit.sealed'),
        sub: `SM4-GCM · ${t('sub.sealed', { r: r(f.seal.sealed_per_s) })}`, moving: f.seal.sealed_per_s > 0,
      };
    case 'spool':
      return {
        main: n(f.spool.records), unit: t('unit.waiting'),
        sub: t('sub.spool', { used: formatBytes(f.spool.bytes, l), quota: formatBytes(f.spool.quota, l) }), moving: f.broker.received_per_s > 0,
      };
    case 'broker':
      return {
        main: r(f.broker.received_per_s), unit: t('unit.messages_s'),
        sub: t('sub.broker', { p: n(f.broker.published), n: n(f.broker.received) }), moving: f.broker.received_per_s > 0,
      };
    case 'hub':
      return { main: n(f.hub.opened), unit: t('unit.opened'), sub: refused(f, l), moving: f.hub.opened_per_s > 0 };
    case 'store':
      return {
        main: r(f.store.points_per_s), unit: t('unit.points_s'),
        sub: t('sub.points', { n: n(f.store.points), q: n(f.store.queue) }), moving: f.store.points_per_s > 0,
      };
    case 'receipts':
      return {
        main: n(f.receipts.sent), unit: t('unit.receipts'),
        sub: t('sub.receipts', { r: r(f.receipts.sent_per_s), n: n(f.receipts.freed) }), moving: false,
      };
  }
}

function refused(f: Flow, l: Lang): string {
  const n = f.hub.refused_total;
  return n ? words.in(l, 'sub.refused', { n: formatCount(n, l) }) : words.in(l, 'sub.refused0');
}
