// What is judged of a collector's account. Pure, so that it can be tested.

import type { Tone } from '../shared/marks.tsx';
import type { Collector } from './api.ts';

/** Days before the end of a certificate from which somebody should act. */
const SOON = 30;

export function certificateTone(days: number | null): Tone {
  if (days === null) return 'none';
  return days < 0 ? 'bad' : days < SOON ? 'warn' : 'ok';
}

/** The part of the spool's quota that is taken, 0 to 1. */
export function spoolPart(c: Pick<Collector, 'spool_bytes' | 'spool_quota'>): number {
  return c.spool_quota > 0 ? Math.min(1, c.spool_bytes / c.spool_quota) : 0;
}

/** A spool that dropped readings has done harm, however empty it is now. */
export function spoolTone(c: Pick<Collector, 'spool_full' | 'spool_bytes' | 'spool_quota' | 'spool_dropped'>): Tone {
  return c.spool_full || c.spool_dropped > 0 ? 'bad' : spoolPart(c) > 0.5 ? 'warn' : 'ok';
}

/** How busy a line is: one that needs all of its time loses slots. */
export function usedTone(used: number): Tone {
  return used >= 1 ? 'bad' : used >= 0.8 ? 'warn' : 'ok';
}

export function refused(c: Pick<Collector, 'refusals'>): number {
  return c.refusals.reduce((sum, r) => sum + r.count, 0);
}

/** The key generation as the tools write it: 0x0102. */
export function generation(c: Pick<Collector, 'key_generation'>): string {
  return c.key_generation === null ? '–' : `0x${c.key_generation.toString(16).padStart(4, '0')}`;
}

/** Those in trouble first, then by id. */
export function byTrouble(list: readonly Collector[]): Collector[] {
  const trouble = (c: Collector): number =>
    (c.online ? 0 : 8) + (c.spool_full || c.spool_dropped > 0 ? 4 : 0) + (c.certificate_days !== null && c.certificate_days < SOON ? 2 : 0) + (c.failing_total > 0 ? 1 : 0);
  return [...list].sort((a, b) => trouble(b) - trouble(a) || a.id.localeCompare(b.id, 'en'));
}
