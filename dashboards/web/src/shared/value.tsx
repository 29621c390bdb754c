// A value as people read it: exact digits, unit, or why there is none.

import type { JSX } from 'preact';
import type { Point } from './openapi.ts';
import { formatDecimal, formatFloat, formatUnit } from './format.ts';
import { common } from './common.ts';
import { quantities } from './quantities.ts';
import { lang } from './words.ts';

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
  return name === undefined ? formatDecimal(v.value) : common.word('vs', name);
}

export function Value({ v }: { v: Shown }): JSX.Element {
  if (v.value === null) return <span class="novalue">{v.quantity ? common.t('novalue') : common.t('never')}</span>;
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
