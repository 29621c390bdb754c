// How much of a limit is left. The hub counts working time, by the city's calendar;
// the page only lets its clock run on until the next answer.

/** The part of a limit that a countdown needs. */
export interface Running {
  left_ms: number;
  ticking: boolean;
}

/** What is left now of a limit that the hub told asOf; negative when it has passed. */
export function leftNow(due: Running, asOf: number, now: number): number {
  return due.ticking ? due.left_ms - Math.max(0, now - asOf) : due.left_ms;
}

/** A span in the largest units that say enough: whole days only of limits that run day and night. */
export interface Span {
  days: number;
  hours: number;
  minutes: number;
}

/** Cuts a span, whatever its sign; seconds are cut off. A working day has no 24 hours, so working time stays in hours. */
export function spanOf(ms: number, working: boolean): Span {
  const minutes = Math.floor(Math.abs(ms) / 60_000);
  const hours = Math.floor(minutes / 60);
  if (!working && hours >= 72) return { days: Math.floor(hours / 24), hours: hours % 24, minutes: 0 };
  return { days: 0, hours, minutes: hours >= 10 ? 0 : minutes % 60 };
}

/** The light of what is left, as the hub would say it: red from nothing left on. */
export function lightNow(light: string, left: number): string {
  return left <= 0 && light !== 'none' ? 'red' : light;
}
