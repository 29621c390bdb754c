// A chart over time. It follows its width, the language and the colours of the
// page, and draws a gap for every value that is null.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatLevel, formatTick, ZONE } from './format.ts';
import { colour, dark } from './theme.ts';
import { lang } from './words.ts';

/** A row of values, one for each x. */
export interface PlotSeries {
  label: string;
  /** The name of a colour of style.css, such as "--accent". */
  colour: string;
  /** edge is drawn by the band only, marks are single points. */
  kind: 'line' | 'step' | 'bars' | 'marks' | 'edge';
  dashed?: boolean;
  values: readonly (number | null)[];
}

export interface PlotProps {
  /** Unix seconds, ascending; for bars the beginning of each. */
  x: readonly number[];
  series: readonly PlotSeries[];
  /** The ends of the time axis, unix seconds. */
  from: number;
  to: number;
  /** What the picture shows, for who cannot see it; a table beside it shows the values. */
  alt: string;
  /** The indexes of the upper and the lower edge of a band. */
  band?: readonly [number, number];
  /** Bounds of the value axis from those of the data; a margin around them when absent. */
  range?: (min: number | null, max: number | null) => [number, number];
  /** Names of the levels 0, 1, 2 ... of a state. */
  levels?: readonly string[];
  /** Called with the index under the pointer, or null. */
  onCursor?: (i: number | null) => void;
}

/** The range of the value axis: the data with a margin, and never nothing. */
export function valueRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min === max) {
    const pad = Math.abs(min) * 0.001 || 1;
    return [min - pad, max + pad];
  }
  const pad = (max - min) * 0.08;
  return [min - pad, max + pad];
}

/** The range of an axis that begins at zero: of amounts. */
export function fromZero(_min: number | null, max: number | null): [number, number] {
  return [0, max === null || max <= 0 ? 1 : max * 1.08];
}

export function Plot(p: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const props = useRef(p);
  props.current = p;
  const shape = p.series.map((s) => `${s.kind}${s.colour}${s.dashed ? '-' : ''}`).join() + (p.levels?.join() ?? '') + (p.band?.join() ?? '');
  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const u = new uPlot(options(el, props), data(props.current), el);
    plot.current = u;
    const watch = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: el.clientHeight }));
    watch.observe(el);
    return () => {
      watch.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape, dark.value, lang.value]);
  useEffect(() => {
    plot.current?.setData(data(props.current));
  }, [p.x, p.series, p.from, p.to]);
  return <div class="plot" ref={box} role="img" aria-label={p.alt} data-points={p.x.length} />;
}

function data(p: PlotProps): uPlot.AlignedData {
  return [p.x as number[], ...p.series.map((s) => s.values as (number | null)[])];
}

/** The indexes of values that have none beside them. */
export function lone(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  }
  return found;
}

function drawn(s: PlotSeries): uPlot.Series {
  if (s.kind === 'edge') return { label: s.label, stroke: 'transparent', width: 0, spanGaps: false, points: { show: false } };
  const ink = colour(s.colour);
  const line: uPlot.Series = { label: s.label, stroke: ink, width: 1.75, spanGaps: false, points: { size: 5, fill: ink } };
  // Where points are dense only the line is drawn, but a value between two gaps has none.
  line.points!.filter = (u, i, show) => (show ? null : lone(u.data[i] ?? []));
  if (s.kind === 'marks') {
    line.paths = () => null;
    line.points = { show: true, size: 7, fill: ink };
  }
  if (s.dashed) line.dash = [5, 4];
  if (s.kind === 'step') line.paths = uPlot.paths.stepped!({ align: 1, alignGaps: 1 });
  if (s.kind === 'bars') {
    line.paths = uPlot.paths.bars!({ size: [0.76, 60, 1], align: 1 });
    line.points = { show: false };
    line.width = 0;
    line.fill = ink;
  }
  return line;
}

function options(el: HTMLElement, props: { current: PlotProps }): uPlot.Options {
  const p = props.current;
  const font = `12px ${getComputedStyle(el).fontFamily}`;
  const axis: uPlot.Axis = { stroke: colour('--quiet'), font, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  const { levels } = p;
  const l = lang.value;
  return {
    width: el.clientWidth, height: el.clientHeight,
    legend: { show: false },
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), ZONE),
    scales: {
      x: { range: () => [props.current.from, props.current.to] as [number, number] },
      y: { range: (_u, min, max) => (levels ? [-0.3, levels.length - 0.7] : (props.current.range ?? valueRange)(min, max)) },
    },
    series: [{}, ...p.series.map(drawn)],
    ...(p.band ? { bands: [{ series: [p.band[0] + 1, p.band[1] + 1] as [number, number], fill: colour('--band') }] } : {}),
    axes: [
      { ...axis, size: 34, space: 60, values: (_u, ticks, _i, _s, step) => ticks.map((v) => formatTick(v * 1000, step)) },
      levels
        ? { ...axis, size: 74, splits: () => levels.map((_, i) => i), values: () => [...levels] }
        : { ...axis, size: 74, values: (_u, ticks, _i, _s, step) => ticks.map((v) => formatLevel(v, step, l)) },
    ],
    cursor: { drag: { x: false, y: false }, y: false },
    hooks: { setCursor: [(u) => props.current.onCursor?.(u.cursor.idx ?? null)] },
  };
}
