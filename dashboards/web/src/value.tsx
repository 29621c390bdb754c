// A value as people read it: exact digits, unit, or why there is none.

import type { JSX } from 'preact';
import type { Point } from './api.ts';
import { formatDecimal, formatFloat, formatUnit } from './format.ts';
import { translateWord } from './i18n.ts';
import { lang, quantities, t } from './state.ts';

export interface Shown {
  quantity: string;
  value: string | null;
  unit: string;
  reason: string;
}

/** The text of a value: the name of a state, or grouped digits. */
export function valueText(v: Shown): string {
  if (v.value === null) return '';
  const info = quantities.value.get(v.quantity);
  const name = info?.kind === 'state' ? info.states?.[Number(v.value)] : undefined;
  return name === undefined ? formatDecimal(v.value) : translateWord(lang.value, 'vs', name);
}

export function Value({ v }: { v: Shown }): JSX.Element {
  if (v.value === null) return <span class="novalue">{v.quantity ? t('novalue') : t('never')}</span>;
  const unit = formatUnit(v.unit);
  return (
    <span class="value">
      <b>{valueText(v)}</b>
      {unit && <span class="unit"> {unit}</span>}
    </span>
  );
}

/** The text of a point of the past: exact, or the mean of a step. */
export function pointText(quantity: string, unit: string, p: Point): string {
  if (p.value !== null) return valueText({ quantity, unit, value: p.value, reason: '' });
  return p.mean === null ? '' : formatFloat(p.mean, lang.value);
}
