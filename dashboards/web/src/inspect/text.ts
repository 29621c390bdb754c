// Small texts that several views say.

import { formatTime } from '../shared/format.ts';
import type { CatalogueClassJSON, CatalogueJSON } from '../shared/openapi.ts';
import { lang } from '../shared/words.ts';
import type { Entry } from './record.ts';
import { left } from './tasklist.ts';
import { t, words } from './words.ts';

/** The name of a class in the language of the page; otherwise what the record says. */
export function classNameOf(c: CatalogueJSON, ref: string, otherwise = ''): string {
  const k = c.classes.find((one) => one.ref === ref);
  return k ? nameOf(k) : otherwise || ref;
}

export function nameOf(k: CatalogueClassJSON): string {
  return lang.value === 'en' ? k.en || k.zh : k.zh;
}

export function majorOf(k: CatalogueClassJSON): string {
  return lang.value === 'en' ? k.major_en || k.major_zh : k.major_zh;
}

/** How far: 8 m, 1.2 km. */
export function metresText(m: number): string {
  return m < 1000 ? `${Math.round(m)} m` : `${(m / 1000).toFixed(1)} km`;
}

/** How long until something is due. */
export function dueText(due: string, now: number): string {
  const l = left(due, now);
  const span = l.days > 0 ? t('span.days', { d: l.days, h: l.hours }) : l.hours > 0 ? t('span.hours', { h: l.hours, m: l.minutes }) : t('span.minutes', { m: l.minutes });
  return t(l.late ? 'due.late' : 'due.left', { span });
}

/** What the hub has confirmed just now. */
export function sentText(sent: readonly Entry[]): string {
  const [e] = sent;
  return e?.done && sent.length === 1 ? t(`sent.${e.kind}`, { case: e.done.case }) : t('sent.many', { n: sent.length });
}

export function stateText(state: string): string {
  return words.code('case', state);
}

/** Day and minute, as the city's clock has it. */
export function timeText(iso: string | number): string {
  return formatTime(typeof iso === 'number' ? iso : Date.parse(iso)).slice(0, 16);
}
