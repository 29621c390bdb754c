// The states of steps and meters.

import type { JSX } from 'preact';
import { State } from '../shared/marks.tsx';
import type { Tone } from '../shared/marks.tsx';
import type { MeterState, StepState } from './api.ts';
import { t } from './words.ts';

const STEP: Record<StepState, Tone> = { ok: 'ok', waiting: 'warn', down: 'bad' };

/** Partly is said where some of many are missing: nothing is waited for. */
export function StepMark({ state, partly }: { state: StepState; partly: boolean }): JSX.Element {
  return <State tone={STEP[state]}>{t(partly ? 'state.partly' : `state.${state}`)}</State>;
}

const METER: Record<MeterState, Tone> = { answering: 'ok', late: 'warn', failing: 'bad' };

export function MeterMark({ state }: { state: MeterState }): JSX.Element {
  return <State tone={METER[state]}>{t(`mstate.${state}`)}</State>;
}
