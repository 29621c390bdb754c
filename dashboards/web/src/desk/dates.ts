// Accounting days are texts, YYYY-MM-DD, that no time zone moves.

const DAY = 86_400_000;

/** The day n days later. */
export function shiftDay(day: string, n: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + n * DAY).toISOString().slice(0, 10);
}

/** How many days lie between; the age of a fact of day as of another. */
export function daysBetween(day: string, asOf: string): number {
  return Math.round((Date.parse(`${asOf}T00:00:00Z`) - Date.parse(`${day}T00:00:00Z`)) / DAY);
}
