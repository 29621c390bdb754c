// What comes next: of files that were imported, of a day, of a utility.

import type { DayJSON, DaysJSON, ImportJSON, UtilityDaysJSON } from '../shared/openapi.ts';
import type { Utility } from './filter.ts';
import { UTILITIES } from './filter.ts';
import type { One } from './upload.ts';

/** The files of one day, by utility. */
export interface ImportedDay {
  day: string;
  files: number;
  utilities: readonly (readonly [Utility, number])[];
}

/** What files have put into the books: now, or before when they came again. */
export function stored(files: readonly Pick<One, 'stage' | 'done' | 'check'>[]): ImportJSON[] {
  return files.flatMap((f) => f.done ?? (f.check?.state === 'imported' ? (f.check.held ?? []) : []));
}

/** Imported files by day, the latest first; utilities in their usual order. */
export function importedDays(list: readonly Pick<ImportJSON, 'day' | 'utility'>[]): ImportedDay[] {
  const days = [...new Set(list.map((i) => i.day))].sort().reverse();
  return days.map((day) => {
    const of = list.filter((i) => i.day === day);
    const count = UTILITIES.map((u) => [u, of.filter((i) => i.utility === u).length] as const);
    return { day, files: of.length, utilities: count.filter(([, n]) => n > 0) };
  });
}

/** What waits: the day of a utility where the next work is. */
export interface Waiting {
  utility: Utility;
  line: DayJSON;
}

/**
 * The newest day of each utility that waits: one with files and no run; else one that is over
 * and has no files, or open differences, if no later day is done. A utility that was never
 * reconciled misses no files, unless none was.
 */
export function waiting(data: DaysJSON): Waiting[] {
  const begun = data.utilities.some((u) => u.last_run !== '');
  return data.utilities.flatMap((u) => {
    const line = u.days.find((d) => d.state === 'imported') ?? u.days.find((d) => d.day < data.today);
    if (!line || line.state === 'reconciled' || line.state === 'closed') return [];
    if (line.state === 'not_imported' && begun && u.last_run === '') return [];
    return [{ utility: u.utility, line }];
  });
}

/** Which utilities of a day have files, no run, and may be run. */
export function toRun(data: DaysJSON, day: string): UtilityDaysJSON[] {
  return data.utilities.filter((u) => u.days.some((d) => d.day === day && d.state === 'imported') && day <= data.today && (u.closed_to === '' || day > u.closed_to));
}
