// The picture of bars. Its code, which draws charts, comes only when it is wanted.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatDecimal, formatTime } from '../shared/format.ts';
import type { PlotProps, PlotSeries } from '../shared/plot.tsx';
import type { ConsumptionStep } from './api.ts';
import type { BarColumns } from './bars.ts';
import { t } from './state.ts';

type Drawn = typeof import('../shared/plot.tsx');

export interface BarsProps {
  c: BarColumns;
  before: (number | null)[] | null;
  from: number;
  to: number;
  alt: string;
  unit: string;
  steps: readonly ConsumptionStep[];
}

export function LazyBars(p: BarsProps): JSX.Element {
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const [under, setUnder] = useState<number | null>(null);
  useEffect(() => void import('../shared/plot.tsx').then(setDrawn, () => undefined), []);
  if (!drawn) return <div class="plot wait">{t('loading')}</div>;
  const series: PlotSeries[] = [
    { label: t('consumption'), colour: '--accent', kind: 'bars', values: p.c.whole },
    { label: t('consumption.part'), colour: '--warn', kind: 'bars', values: p.c.part },
  ];
  if (p.before) series.push({ label: t('compare'), colour: '--quiet', kind: 'step', dashed: true, values: p.before });
  const props: PlotProps = { x: p.c.x, series, from: p.from, to: p.to, alt: p.alt, range: drawn.fromZero, onCursor: setUnder };
  return (
    <figure>
      <figcaption class="cursor">{caption(p, under)}</figcaption>
      <drawn.Plot {...props} />
    </figure>
  );
}

function caption(p: BarsProps, under: number | null): string {
  const i = under ?? p.steps.length - 1;
  const s = p.steps[i];
  if (!s) return '';
  const at = `${formatTime(Date.parse(s.from))} – ${formatTime(Date.parse(s.to))}`;
  if (s.value === null) return `${at}   ${t('gap')}`;
  return `${at}   ${formatDecimal(s.value)} ${p.unit}${s.gap === '' ? '' : `   ${t('consumption.part')}`}`;
}
