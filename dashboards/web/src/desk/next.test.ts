import { describe, expect, test } from 'vitest';
import type { DayJSON, DaysJSON, ImportJSON } from '../shared/openapi.ts';
import { bringsFiles } from './drop.tsx';
import { importedDays, stored, toRun, waiting } from './next.ts';

const line = (day: string, state: DayJSON['state']): DayJSON => ({ day, state }) as DayJSON;
const days = (utility: 'water' | 'power' | 'gas', last_run: string, ...lines: DayJSON[]): DaysJSON['utilities'][number] => ({ utility, last_run, closed_to: '', days: lines });

describe('what waits', () => {
  const found = (...utilities: DaysJSON['utilities']): string[] => waiting({ today: '2026-11-23', utilities }).map((w) => `${w.utility} ${w.line.day} ${w.line.state}`);
  test('is the newest day with files and no run, before days whose files have not come', () => {
    expect(found(days('water', '2026-11-20', line('2026-11-23', 'not_imported'), line('2026-11-22', 'not_imported'), line('2026-11-21', 'imported'), line('2026-11-20', 'open')))).toEqual(['water 2026-11-21 imported']);
    expect(found(days('water', '2026-11-22', line('2026-11-23', 'imported'), line('2026-11-22', 'open')))).toEqual(['water 2026-11-23 imported']);
  });
  test('is yesterday else, and the day that is not over misses nothing', () => {
    expect(found(days('gas', '2026-11-21', line('2026-11-23', 'not_imported'), line('2026-11-22', 'not_imported'), line('2026-11-21', 'open')))).toEqual(['gas 2026-11-22 not_imported']);
    expect(found(days('gas', '2026-11-22', line('2026-11-23', 'not_imported'), line('2026-11-22', 'open'), line('2026-11-21', 'open')))).toEqual(['gas 2026-11-22 open']);
  });
  test('is nothing after a day that is done, nor for a utility that keeps no books here', () => {
    expect(found(days('gas', '2026-11-22', line('2026-11-23', 'not_imported'), line('2026-11-22', 'reconciled'), line('2026-11-21', 'open')))).toEqual([]);
    expect(found(days('water', '2026-11-22', line('2026-11-22', 'closed')), days('gas', '', line('2026-11-22', 'not_imported')))).toEqual([]);
    expect(found(days('gas', '', line('2026-11-22', 'not_imported')))).toEqual(['gas 2026-11-22 not_imported']);
  });
  test('of one day are the utilities with files, no run and no lock', () => {
    const data = { today: '2026-11-23', utilities: [days('water', '', line('2026-11-22', 'imported')), days('power', '', line('2026-11-22', 'open')), { ...days('gas', '', line('2026-11-22', 'imported')), closed_to: '2026-11-22' }] };
    expect(toRun(data, '2026-11-22').map((u) => u.utility)).toEqual(['water']);
    expect(toRun({ ...data, today: '2026-11-21' }, '2026-11-22')).toEqual([]);
  });
});

describe('files', () => {
  const file = (day: string, utility: 'water' | 'gas'): ImportJSON => ({ day, utility }) as ImportJSON;
  test('that were imported are told by day and utility, the latest first', () => {
    expect(importedDays([file('2026-11-21', 'gas'), file('2026-11-22', 'gas'), file('2026-11-22', 'water'), file('2026-11-22', 'gas')])).toEqual([
      { day: '2026-11-22', files: 3, utilities: [['water', 1], ['gas', 2]] },
      { day: '2026-11-21', files: 1, utilities: [['gas', 1]] },
    ]);
  });
  test('that came twice are in the books, and those with mistakes are not', () => {
    const check = { state: 'imported', held: file('2026-11-22', 'gas') } as never;
    expect(stored([{ stage: 'checked', done: null, check }, { stage: 'imported', done: file('2026-11-22', 'water'), check: null }, { stage: 'checked', done: null, check: { state: 'taken', held: file('2026-11-22', 'gas') } as never }])).toHaveLength(2);
  });
  test('are known from texts and links that are dragged', () => {
    expect(bringsFiles({ dataTransfer: { types: ['Files'] } as unknown as DataTransfer })).toBe(true);
    expect(bringsFiles({ dataTransfer: { types: ['text/plain'] } as unknown as DataTransfer })).toBe(false);
    expect(bringsFiles({ dataTransfer: null })).toBe(false);
  });
});
