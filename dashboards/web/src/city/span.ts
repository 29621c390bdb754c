// Ranges of time, by the city's days. China has one zone and no summer time, so a
// day is 24 hours that begin at 16:00 UTC. Pure, so that it can be tested.

export type Range = 'today' | 'yesterday' | '7d' | '30d' | 'own';
export const RANGES: readonly Range[] = ['today', 'yesterday', '7d', '30d', 'own'];

export interface Span {
  /** Unix ms. */
  readonly from: number;
  /** Not later than now. */
  readonly to: number;
  readonly step: 'hour' | 'day';
  /** True when it ends now and grows. */
  readonly open: boolean;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const OFFSET = 8 * HOUR;
const MOST = 400 * DAY;

/** The first moment of the day of t. */
export function dayOf(t: number): number {
  return Math.floor((t + OFFSET) / DAY) * DAY - OFFSET;
}

/** 2026-03-01, of the day of t. */
export function dateOf(t: number): string {
  return new Date(t + OFFSET).toISOString().slice(0, 10);
}

/** The first moment of a day; null when text is none. */
export function parseDate(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const t = Date.parse(`${text}T00:00:00Z`) - OFFSET;
  return Number.isNaN(t) || dateOf(t) !== text ? null : t;
}

/** The span of a range; an own range that cannot be is today. first and last are days, both within. */
export function spanOf(range: Range, now: number, first = '', last = ''): Span {
  const today = dayOf(now);
  switch (range) {
    case 'yesterday':
      return { from: today - DAY, to: today, step: 'hour', open: false };
    case '7d':
      return { from: today - 6 * DAY, to: now, step: 'hour', open: true };
    case '30d':
      return { from: today - 29 * DAY, to: now, step: 'day', open: true };
    case 'own':
      return ownSpan(now, first, last) ?? spanOf('today', now);
    default:
      return { from: today, to: now, step: 'hour', open: true };
  }
}

/** The span from the first day to the end of the last; null when there is none. */
export function ownSpan(now: number, first: string, last: string): Span | null {
  const from = parseDate(first);
  const end = parseDate(last);
  if (from === null || end === null || end < from || from > now || end + DAY - from > MOST) return null;
  const to = Math.min(end + DAY, now);
  return { from, to, step: to - from > 8 * DAY ? 'day' : 'hour', open: end + DAY > now };
}
