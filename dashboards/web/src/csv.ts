import type { Readings } from './api.ts';
import { formatOffsetTime, ZONE } from './format.ts';

/**
 * The readings as CSV for a spreadsheet: a byte-order mark (or Excel takes
 * Chinese for gibberish), CRLF, times with their offset, exact values.
 */
export function toCSV(r: Readings): string {
  const head = [`taken_at (${ZONE})`, 'value', 'unit', 'quality', 'reason', 'step_s', 'min', 'mean', 'max', 'count'];
  const rows = r.points.map((p) => [
    formatOffsetTime(Date.parse(p.at)), p.value ?? '', r.unit, p.quality, p.reason,
    p.quality === 'none' ? '' : r.step_s, p.min ?? '', p.mean ?? '', p.max ?? '', p.count,
  ]);
  return '\ufeff' + [head, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

/** A field, quoted where it must be, and never a formula. */
export function field(v: string | number): string {
  let s = String(v);
  if (typeof v === 'string' && /^[=+@\t\r]|^-(?![\d.]+$)/.test(s)) s = `'${s}`;
  return /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}

/** Hands a file to the browser. */
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}
