import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Readings } from './api.ts';
import { formatLevel, formatTick, formatTime, formatUnit } from './format.ts';
import type { Lang } from './i18n.ts';
import { translateWord } from './i18n.ts';
import type { Range } from './route.ts';
import { RANGES } from './route.ts';
import { columns, valueRange } from './series.ts';
import { lang, quantities, quantityName, t } from './state.ts';
import { pointText } from './value.tsx';

interface Props {
  r: Readings;
  range: Range;
  theme: string;
}

/** The uPlot chart of one answer; it follows its width and the colours of the page. */
export function Chart({ r, range, theme }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(r);
  shown.current = r;
  const [under, setUnder] = useState<number | null>(null);
  const l = lang.value;
  const states = quantities.value.get(r.quantity)?.states ?? null;
  const dark = useDark();
  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const u = new uPlot(options(el, shown, range, states, l, setUnder), data(r), el);
    plot.current = u;
    const watch = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: el.clientHeight }));
    watch.observe(el);
    return () => {
      watch.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [r.meter, r.quantity, r.step_s > 0, range, states, theme, dark, l]);
  useEffect(() => {
    plot.current?.setData(data(r));
  }, [r]);
  const alt = t('chart.alt', {
    name: quantityName(r.quantity), n: r.points.length,
    from: formatTime(Date.parse(r.from)), to: formatTime(Date.parse(r.to)),
  });
  return (
    <figure>
      <figcaption class="cursor">{caption(r, under)}</figcaption>
      <div class="plot" ref={box} role="img" aria-label={alt} data-points={r.points.length} />
    </figure>
  );
}

/** True while the system asks for dark colours. */
function useDark(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = (): void => setDark(query.matches);
    query.addEventListener('change', change);
    return () => query.removeEventListener('change', change);
  }, []);
  return dark;
}

function data(r: Readings): uPlot.AlignedData {
  const c = columns(r);
  return r.step_s > 0 ? [c.x, c.mean, c.min, c.max] : [c.x, c.mean];
}

/** The value under the cursor, or of the last point that has one. */
function caption(r: Readings, under: number | null): string {
  let i = under ?? r.points.length - 1;
  while (under === null && i > 0 && r.points[i]?.mean === null) i--;
  const p = r.points[i];
  if (!p) return '';
  const at = formatTime(Date.parse(p.at));
  if (p.mean === null) return `${at}   ${t(p.quality === 'none' ? 'gap' : 'novalue')}`;
  const label = p.value === null ? `${t('th.mean')} ` : '';
  return `${at}   ${label}${pointText(r.quantity, r.unit, p)} ${formatUnit(r.unit)}`;
}

function options(
  el: HTMLElement, shown: { current: Readings }, range: Range, states: string[] | null, l: Lang, onCursor: (i: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(el);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = `12px ${style.fontFamily}`;
  const axis: uPlot.Axis = {
    stroke: colour('--quiet'), font, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false },
  };
  const line: uPlot.Series = {
    stroke: colour('--accent'), width: 1.75, spanGaps: false, points: { size: 5, fill: colour('--accent') },
  };
  if (states) line.paths = uPlot.paths.stepped!({ align: 1, alignGaps: 1 });
  const edge: uPlot.Series = { stroke: 'transparent', width: 0, spanGaps: false, points: { show: false } };
  const bucket = shown.current.step_s > 0;
  return {
    width: el.clientWidth, height: el.clientHeight,
    legend: { show: false },
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), 'Asia/Shanghai'),
    scales: {
      x: { range: () => [Date.parse(shown.current.from) / 1000, Date.parse(shown.current.to) / 1000] as [number, number] },
      y: { range: (_u, min, max) => (states ? [-0.3, states.length - 0.7] : valueRange(min, max)) },
    },
    series: bucket ? [{}, line, edge, edge] : [{}, line],
    ...(bucket ? { bands: [{ series: [3, 2] as [number, number], fill: colour('--band') }] } : {}),
    axes: [
      { ...axis, size: 34, space: RANGES[range] > 3600 ? 56 : 64, values: (_u, ticks, _i, _s, step) => ticks.map((v) => formatTick(v * 1000, step)) },
      states
        ? { ...axis, size: 74, splits: () => states.map((_, i) => i), values: () => states.map((name) => translateWord(l, 'vs', name)) }
        : { ...axis, size: 74, values: (_u, ticks, _i, _s, step) => ticks.map((v) => formatLevel(v, step, l)) },
    ],
    cursor: { drag: { x: false, y: false }, y: false },
    hooks: { setCursor: [(u) => onCursor(u.cursor.idx ?? null)] },
  };
}
