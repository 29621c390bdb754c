// The states of days and differences: a shape, a colour and a word.

import type { JSX } from 'preact';
import type { Tone } from '../shared/marks.tsx';
import { Mark, State } from '../shared/marks.tsx';
import type { DayJSON } from '../shared/openapi.ts';
import { formatYuan, fen } from './money.ts';
import { t } from './words.ts';

export type DayState = DayJSON['state'];

const DAY: Record<DayState, Tone> = { not_imported: 'none', imported: 'warn', open: 'bad', reconciled: 'ok', closed: 'ok' };

export function DayMark({ state }: { state: DayState }): JSX.Element {
  return (
    <span class={`daystate ${state}`}>
      {state === 'closed' ? <Lock /> : <Mark tone={DAY[state]} />}
      {t(`day.${state}`)}
    </span>
  );
}

/** A closed lock: no run does the day again. */
export function Lock(): JSX.Element {
  return (
    <svg class="lock" viewBox="0 0 10 12" width="10" height="12" aria-hidden="true">
      <path d="M1 5.5h8V11H1Z" />
      <path d="M2.5 5.5V3.6a2.5 2.5 0 0 1 5 0v1.9" fill="none" stroke="currentColor" stroke-width="1.4" />
    </svg>
  );
}

export function dayTone(state: DayState): Tone {
  return DAY[state];
}

const DIFFERENCE: Record<string, Tone> = { open: 'bad', explained: 'warn', assigned: 'warn', adjusted: 'warn', closed: 'ok' };

export function DifferenceMark({ state, cleared }: { state: string; cleared: boolean }): JSX.Element {
  if (cleared) return <State tone="ok">{t('state.cleared')}</State>;
  return <State tone={DIFFERENCE[state] ?? 'none'}>{t(`state.${state as 'open'}`)}</State>;
}

/** An amount in yuan; below zero it is marked by its sign and its colour. */
export function Yuan({ of, plus }: { of: string | bigint; plus?: boolean }): JSX.Element {
  const value = typeof of === 'bigint' ? of : fen(of);
  return <span class={`yuan ${value < 0n ? 'minus' : value === 0n ? 'nil' : ''}`}>{formatYuan(value, plus)}</span>;
}
