// A limit as people read it: the light by shape, colour and word, and what is left.

import type { JSX } from 'preact';
import { formatTime } from '../shared/format.ts';
import type { Tone } from '../shared/marks.tsx';
import { State } from '../shared/marks.tsx';
import type { DueJSON } from '../shared/openapi.ts';
import { leftNow, lightNow, spanOf } from './countdown.ts';
import { now } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

const TONES: Readonly<Record<string, Tone>> = { green: 'ok', yellow: 'warn', red: 'bad' };

/** The tone of a light. */
export function toneOf(light: string): Tone {
  return TONES[light] ?? 'none';
}

/** A span in the language of the page. */
export function spanText(ms: number, working: boolean): string {
  const s = spanOf(ms, working);
  if (s.days) return t('span.days', { d: s.days, h: s.hours });
  if (s.hours && s.minutes) return t('span.hm', { h: s.hours, m: s.minutes });
  if (s.hours) return t('span.h', { h: s.hours });
  return s.minutes ? t('span.m', { m: s.minutes }) : t('span.none');
}

/** A limit with its countdown. asOf is when the page had the answer. */
export function Due({ due, asOf, named }: { due: DueJSON; asOf: number; named?: boolean }): JSX.Element {
  const left = leftNow(due, asOf, now.value);
  const light = lightNow(due.light, left);
  const span = spanText(left, due.working);
  const text = left > 0 ? t('due.left', { span }) : t('due.over', { span });
  const deadline = due.deadline ? t('due.by', { time: formatTime(Date.parse(due.deadline)).slice(0, 16) }) : t('due.stands');
  return (
    <span class="due" data-light={light} title={`${codes.word('stage', due.stage)} · ${deadline}${due.working ? ` · ${t('due.working')}` : ''}`}>
      <State tone={toneOf(light)}>
        <span class="sr">{codes.word('light', light)}</span>
        {named && `${codes.word('stage', due.stage)} `}
        {text}
      </State>
      {!due.ticking && <small>{t(due.deadline ? 'due.paused' : 'due.stands')}</small>}
    </span>
  );
}

/** The light of a case whose clock has ended, or that has no limit. */
export function Light({ light, clock }: { light: string; clock: string }): JSX.Element {
  const text = clock === 'met' ? t('clock.met') : clock === 'missed' ? t('clock.missed') : clock === 'stopped' ? t('due.stands') : codes.word('light', light);
  return <State tone={toneOf(light)}>{text}</State>;
}
