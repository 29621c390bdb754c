// Tasks in the order of what is due, with a light that goes on without network.

import type { TaskJSON } from '../shared/openapi.ts';

export type Tone = 'ok' | 'warn' | 'bad' | 'none';

/** Red after the deadline, yellow when 80 % of the time is used, none without a limit. */
export function toneOf(task: TaskJSON, now: number): Tone {
  if (!task.due) return 'none';
  const due = Date.parse(task.due);
  if (now >= due) return 'bad';
  const sent = Date.parse(task.sent ?? task.case.since);
  return now - sent >= 0.8 * (due - sent) ? 'warn' : 'ok';
}

/** What is due first comes first; what has no limit comes last. */
export function byDue(a: TaskJSON, b: TaskJSON): number {
  const at = (v: TaskJSON): number => (v.due ? Date.parse(v.due) : Infinity);
  return at(a) - at(b) || (a.case.id < b.case.id ? -1 : 1);
}

/** The time left until something is due, or since then: "2:05" hours and minutes, or whole days. */
export function left(due: string, now: number): { late: boolean; days: number; hours: number; minutes: number } {
  const ms = Date.parse(due) - now;
  const minutes = Math.floor(Math.abs(ms) / 60_000);
  return { late: ms < 0, days: Math.floor(minutes / 1440), hours: Math.floor((minutes % 1440) / 60), minutes: minutes % 60 };
}
