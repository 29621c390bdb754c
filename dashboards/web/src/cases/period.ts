// Days of the city's zone, for periods.

import { formatTime } from '../shared/format.ts';

/** The day of a moment, such as 2026-11-23. */
export function dayOf(t: number): string {
  return formatTime(t).slice(0, 10);
}

/** The first day of the month of a day. */
export function monthOf(day: string): string {
  return `${day.slice(0, 8)}01`;
}

/** So many days after a day. */
export function addDays(day: string, n: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + n * 86_400_000).toISOString().slice(0, 10);
}

/** The month before that of a day, from its first to its last day. */
export function monthBefore(day: string): { from: string; to: string } {
  const to = addDays(monthOf(day), -1);
  return { from: monthOf(to), to };
}
