import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatFloat, formatTime, formatUnit } from '../shared/format.ts';
import type { PlotSeries } from '../shared/plot.tsx';
import { Plot } from '../shared/plot.tsx';
import { pointText } from '../shared/value.tsx';
import type { Readings } from './api.ts';
import { columns, firstOf, less, shifted, tame } from './series.ts';
import { lang, quantities, quantityName } from './state.ts';
import { t } from './words.ts';

/** The chart of one answer, and of the period before it if there is one. */
export function Chart({ r, before }: { r: Readings; before: Readings | null }): JSX.Element {
  const [under, setUnder] = useState<number | null>(null);
  const info = quantities.value.get(r.quantity);
  const states = info?.states;
  const c = tame(columns(r));
  // Two totals are compared by how far they went, each from the beginning of its period.
  const counted = before !== null && info?.kind === 'counter';
  const zero = counted ? firstOf(c.mean) : 0;
  const name = quantityName(r.quantity);
  const series: PlotSeries[] = [{ label: name, colour: '--accent', kind: states ? 'step' : 'line', values: less(c.mean, zero) }];
  const bucket = r.step_s > 0;
  if (bucket) for (const values of [c.min, c.max]) series.push({ label: '', colour: '--accent', kind: 'edge', values: less(values, zero) });
  if (c.suspect.some((v) => v !== null)) series.push({ label: common.t('quality.suspect'), colour: '--warn', kind: 'marks', values: less(c.suspect, zero) });
  let past: (number | null)[] = [];
  if (before) {
    const b = tame(columns(before));
    past = less(shifted(c.x, b, (Date.parse(r.from) - Date.parse(before.from)) / 1000), counted ? firstOf(b.mean) : 0);
    series.push({ label: t('compare'), colour: '--quiet', kind: 'line', dashed: true, values: past });
  }
  const alt = t('chart.alt', { name, n: r.points.length, from: formatTime(Date.parse(r.from)), to: formatTime(Date.parse(r.to)) });
  return (
    <figure>
      <figcaption class="cursor">{caption(r, under, past)}</figcaption>
      <Plot
        x={c.x} from={Date.parse(r.from) / 1000} to={Date.parse(r.to) / 1000} alt={alt} onCursor={setUnder} series={series}
        {...(bucket ? { band: [2, 1] as const } : {})}
        {...(states ? { levels: states.map((one) => common.word('vs', one)) } : {})}
      />
    </figure>
  );
}

/** The value under the cursor, or of the last point that has one. */
function caption(r: Readings, under: number | null, past: readonly (number | null)[]): string {
  let i = under ?? r.points.length - 1;
  while (under === null && i > 0 && r.points[i]?.mean === null) i--;
  const p = r.points[i];
  if (!p) return '';
  const at = formatTime(Date.parse(p.at));
  const then = past[i];
  const unit = formatUnit(r.unit);
  const beside = then === null || then === undefined ? '' : `   ${t('compare')} ${formatFloat(then, lang.value)} ${unit}`;
  if (p.mean === null) return `${at}   ${p.quality === 'none' ? t('gap') : common.t('novalue')}${beside}`;
  const label = p.value === null ? `${t('th.mean')} ` : '';
  const mark = p.quality === 'suspect' ? `   ${common.t('quality.suspect')}` : '';
  return `${at}   ${label}${pointText(r.quantity, r.unit, p)} ${unit}${mark}${beside}`;
}
