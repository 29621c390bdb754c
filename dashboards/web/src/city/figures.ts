// How the figures of this page are written, and what belongs beside them.

import { common } from '../shared/common.ts';
import { formatClock, formatCount, formatDecimal, formatFloat, formatPercent, formatUnit } from '../shared/format.ts';
import type { Lang } from '../shared/words.ts';
import type { Values } from './api.ts';
import type { Line, Metric, Scale } from './classes.ts';
import type { Painted } from './state.ts';
import { t, words } from './words.ts';

/** The unit beside values of a metric. */
export function unitOf(metric: Metric, ucum: string): string {
  if (metric === 'open' || metric === 'overdue') return t('unit.cases');
  if (metric === 'offline') return t('unit.meters');
  return metric === 'completeness' ? '' : formatUnit(ucum);
}

/** The unit where the name of the metric stands beside it: that of counts is in the name. */
export function unitBeside(metric: Metric, ucum: string): string {
  return metric === 'consumption' ? formatUnit(ucum) : '';
}

/** The name of what the map shows. */
export function metricName(metric: Metric, medium: string): string {
  return metric === 'consumption' ? words.word('metric', medium) : t(`metric.${metric}`);
}

/** A bare value of a metric. */
export function number(metric: Metric, v: number, l: Lang): string {
  if (metric === 'completeness') return formatPercent(v, l);
  return metric === 'consumption' ? formatDecimal(plain(v)) : formatCount(v, l);
}

/** The digits of a number without an exponent. */
export function plain(v: number): string {
  const s = String(v);
  return /e/.test(s) ? v.toFixed(9).replace(/0+$/, '') : s;
}

/** The value of a cell with its unit, or why there is none. */
export function valueOf(p: Painted, cell: number, l: Lang): string {
  const v = p.data.values[cell];
  if (p.data.hidden.includes(cell)) return t('kpi.hidden');
  if (v === null || v === undefined) return t('legend.none');
  return `${number(p.metric, v, l)} ${unitOf(p.metric, p.data.unit)}`.trim();
}

/** What is shown, and as of when. */
export function noteOf(p: Painted): string {
  return `${metricName(p.metric, p.medium)} · ${t('asof', { time: formatClock(Date.parse(p.data.as_of)) })}`;
}

/** What sums lack, in words; the first is always there where meters are counted. */
export function lacks(of: Pick<Values['of'], 'meters' | 'missing' | 'waiting' | 'carried'> & { outside?: number; partial?: number }, l: Lang): string[] {
  const n = (v: number): string => formatCount(v, l);
  const out: string[] = [];
  if (of.meters > 0) out.push(of.missing > 0 ? t('of.missing', { n: n(of.missing), m: n(of.meters) }) : t('of.complete', { m: n(of.meters) }));
  if (of.waiting > 0) out.push(t('of.waiting', { n: n(of.waiting) }));
  if (of.partial) out.push(t('of.partial', { n: n(of.partial) }));
  if (of.carried > 0) out.push(t('of.carried', { n: n(of.carried) }));
  if (of.outside) out.push(t('of.outside', { n: n(of.outside) }));
  return out;
}

/** A line of the legend in words. */
export function lineText(metric: Metric, scale: Scale, line: Line, l: Lang): string {
  const n = (v: number): string => (metric === 'consumption' ? formatFloat(v, l) : number(metric, v, l));
  const { from, to } = line;
  if (from === null && to === null) return common.t('all'); // they do not differ
  if (from === null) return t('class.below', { b: n(to!) });
  if (from === to || (metric === 'completeness' && to === null)) return n(from);
  if (to === null) return t('class.from', { a: n(from) });
  return scale.whole || !scale.down || to <= 1 ? t('class.between', { a: n(from), b: n(to) }) : n(from);
}

/** How much more or less a is than b, as +3.2%; empty where there is nothing to compare. */
export function change(a: string | null, b: string | null, l: Lang): string {
  const [x, y] = [Number(a), Number(b)];
  if (a === null || b === null || !(y > 0) || !Number.isFinite(x)) return '';
  const part = (x - y) / y;
  const text = new Intl.NumberFormat(l, { style: 'percent', maximumFractionDigits: Math.abs(part) < 0.0995 ? 1 : 0, signDisplay: 'exceptZero' }).format(part);
  return text.replace('-', '\u2212');
}

/** A decimal with about five digits, cut: three places below 100, none from 100,000. The title has all of them. */
export function short(decimal: string): string {
  const [whole = '', part] = decimal.split('.');
  if (part === undefined) return decimal;
  const places = Math.max(0, Math.min(3, 5 - whole.replace('-', '').length));
  return places === 0 ? whole : `${whole}.${part.slice(0, places)}`;
}
