// Runs that were asked for, one after the other, and how far they are. They go on while
// somebody looks at another view.

import { signal } from '@preact/signals';
import { ApiError, ask, send } from '../shared/api.ts';
import type { JobJSON } from '../shared/openapi.ts';
import { daysBetween, shiftDay } from './dates.ts';
import type { Utility } from './filter.ts';

/** The work of one click: days of a utility in their order. */
export interface Work {
  utility: Utility;
  spans: readonly (readonly [string, string])[];
  /** Which of them is under way, from 0. */
  at: number;
  job: JobJSON | null;
  error: unknown;
  done: boolean;
}

/** The latest work of each utility. */
export const works = signal<Readonly<Partial<Record<Utility, Work>>>>({});

/** Counts the runs that have ended: what shows days asks again when it rises. */
export const ended = signal(0);

/** Days are made one by one up to this many; more are one run. */
const ONE_BY_ONE = 10;

/**
 * Which runs it takes so that day is reconciled (again), after the run that ends with last:
 * runs follow one another without a gap, and doing a day again takes the later ones along.
 */
export function plan(day: string, last: string): [string, string][] {
  const first = last === '' || day <= last ? day : shiftDay(last, 1);
  const end = last !== '' && day <= last ? last : day;
  const n = daysBetween(first, end) + 1;
  if (n > ONE_BY_ONE) return [[first, end]];
  return Array.from({ length: n }, (_, i) => [shiftDay(first, i), shiftDay(first, i)]);
}

function change(utility: Utility, part: Partial<Work>): void {
  const now = works.value[utility];
  if (now) works.value = { ...works.value, [utility]: { ...now, ...part } };
}

const PERIOD = 400;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Makes the runs, and ends with the first that fails. */
export async function make(utility: Utility, spans: readonly (readonly [string, string])[]): Promise<boolean> {
  works.value = { ...works.value, [utility]: { utility, spans, at: 0, job: null, error: null, done: false } };
  try {
    for (const [at, [from, to]] of spans.entries()) {
      let job = await send<JobJSON>('POST', '/api/v1/ledger/runs', { utility, from, to });
      change(utility, { at, job });
      while (job.state === 'waiting' || job.state === 'running') {
        await pause(PERIOD);
        job = await follow(job);
        change(utility, { job });
      }
      ended.value++;
      if (job.state === 'failed') return false;
    }
    return true;
  } catch (error) {
    change(utility, { error });
    return false;
  } finally {
    change(utility, { done: true });
  }
}

/**
 * Makes the runs of several utilities, one utility after the other. None hinders the next:
 * their books are apart.
 */
export async function makeAll(list: readonly Pick<Work, 'utility' | 'spans'>[]): Promise<void> {
  const waits = list.map(({ utility, spans }) => [utility, { utility, spans, at: 0, job: null, error: null, done: false }] as const);
  works.value = { ...works.value, ...Object.fromEntries(waits) };
  for (const { utility, spans } of list) await make(utility, spans);
}

/** How far a job is; a moment without network is no failure of the run. */
async function follow(job: JobJSON): Promise<JobJSON> {
  try {
    return await ask<JobJSON>(`/api/v1/ledger/jobs/${job.id}`);
  } catch (err) {
    if (err instanceof ApiError && (err.code === 'offline' || err.status === 503)) return job;
    throw err;
  }
}

/** The part that is done, 0 to 1; null where nobody knows. */
export function part(w: Work): number | null {
  const whole = w.job && w.job.total > 0 ? Math.min(w.job.done / w.job.total, 1) : 0;
  if (w.spans.length === 1 && whole === 0) return null;
  return (w.at + whole) / w.spans.length;
}
