import type { Readings } from './api.ts';
import { csv } from '../shared/file.ts';
import { formatOffsetTime, ZONE } from '../shared/format.ts';

/**
 * The readings as CSV for a spreadsheet: times with their offset, exact values.
 */
export function toCSV(r: Readings): string {
  const head = [`taken_at (${ZONE})`, 'value', 'unit', 'quality', 'reason', 'step_s', 'min', 'mean', 'max', 'count'];
  const rows = r.points.map((p) => [
    formatOffsetTime(Date.parse(p.at)), p.value ?? '', r.unit, p.quality, p.reason,
    p.quality === 'none' ? '' : r.step_s, p.min ?? '', p.mean ?? '', p.max ?? '', p.count,
  ]);
  return csv([head, ...rows]);
}
