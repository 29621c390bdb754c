import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { csv, download } from '../shared/file.ts';
import { formatClock, formatDecimal, formatFloat, formatOffsetTime, formatPercent, formatTime, formatUnit } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import { Plot } from '../shared/plot.tsx';
import { usePolled } from '../shared/poll.ts';
import { Empty, Problem, Skeleton, Tabs } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { CityPoint, Series, Summary } from './api.ts';
import { lacks, plain } from './figures.ts';
import type { FigureId } from './route.ts';
import { FIGURES, MEDIA } from './route.ts';
import { columns, top } from './series.ts';
import { spanOf } from './span.ts';
import { go, minute, route, SLOW } from './state.ts';
import { t, words } from './words.ts';

/** Consumption, flow and completeness of a place over time. */
export function Charts({ area, name, s }: { area: string; name: string; s: Summary | null }): JSX.Element {
  const { chart, range, from, to } = route.value;
  const present = s && s.consumption.length > 0 ? MEDIA.filter((m) => s.consumption.some((c) => c.medium === m)) : MEDIA;
  const medium = present.includes(route.value.medium) ? route.value.medium : present[0]!; // of what is here
  const [table, setTable] = useState(false);
  const span = spanOf(range, minute.value || Date.now(), from, to);
  const key = `${area} ${medium} ${range} ${from} ${to}`;
  const asked = usePolled<Series>('/api/v1/city/series', () => {
    const now = spanOf(range, minute.peek() || Date.now(), from, to);
    return { area, medium, step: now.step, from: new Date(now.from).toISOString(), to: now.open ? undefined : new Date(now.to).toISOString() };
  }, span.open ? SLOW / 2 : 0, key);
  const r = asked.data?.medium === medium && asked.data.area.code === area ? asked.data : null;
  return (
    <section class="panel charts" aria-labelledby="chart-title">
      <header>
        <h2 id="chart-title">{t('chart.title', { what: t(`chart.${chart}`), where: name })}</h2>
      </header>
      <div class="body">
        <div class="row pick">
          <Tabs label={t('chart.medium')} options={present.map((m) => [m, <Medium key={m} id={m} named />] as const)} value={medium} onChange={(m) => go({ medium: m }, false)} />
          <Tabs label={t('chart.figure')} options={FIGURES.map((f) => [f, t(`chart.${f}`)] as const)} value={chart} onChange={(f) => go({ chart: f }, false)} />
        </div>
        {asked.error && <Problem error={asked.error} words={words} />}
        {!r && !asked.error && <div class="plot"><Skeleton lines={6} /></div>}
        {r && (table ? <Table r={r} /> : <Picture r={r} figure={chart} />)}
        <div class="row foot">
          <Night s={s} medium={medium} />
          <div class="row push">
            <button type="button" id="twin" aria-pressed={table} onClick={() => setTable(!table)}>{t(table ? 'chart.picture' : 'chart.table')}</button>
            <button type="button" disabled={!r} onClick={() => r && save(r, area)}>{common.t('csv')}</button>
          </div>
        </div>
      </div>
    </section>
  );
}

function Night({ s, medium }: { s: Summary | null; medium: string }): JSX.Element | null {
  const row = s?.night.find((n) => n.medium === medium);
  if (!row || row.hidden) return null;
  const clock = (time: string): string => formatClock(Date.parse(time)).slice(0, 5);
  const v = row.flow === null ? '' : `${formatFloat(row.flow, lang.value)} ${formatUnit(row.unit)}`;
  return <p class="quiet night">{v ? t('night', { from: clock(row.from), to: clock(row.to), v }) : t('night.none')}</p>;
}

function Picture({ r, figure }: { r: Series; figure: FigureId }): JSX.Element {
  const [under, setUnder] = useState<number | null>(null);
  if (r.hidden && figure !== 'completeness') return <Empty title={t('chart.hidden')} />;
  const c = columns(r.points, figure);
  if (c.known === 0) return <Empty title={t('chart.empty')}>{t('chart.empty.body')}</Empty>;
  const high = top(c);
  const fill = (at: readonly boolean[]): (number | null)[] => at.map((v) => (v ? high : null));
  const shown = c.values.map((v, i) => (c.running[i] ? null : v));
  const running = c.values.map((v, i) => (c.running[i] ? v : null));
  return (
    <figure data-gaps={c.gaps.filter(Boolean).length}>
      <figcaption class="cursor">{caption(r, figure, under)}</figcaption>
      <Plot
        x={c.x} from={Date.parse(r.from) / 1000} to={Date.parse(r.to) / 1000} range={() => [0, high]} onCursor={setUnder}
        alt={t('chart.alt', { what: t(`chart.${figure}`), from: formatTime(Date.parse(r.from)), to: formatTime(Date.parse(r.to)), n: c.x.length, gaps: c.gaps.filter(Boolean).length })}
        series={[
          { label: t('chart.gap'), colour: '--gap', kind: 'bars', values: fill(c.gaps) },
          { label: t(`chart.${figure}`), colour: `--${r.medium}`, kind: 'bars', values: shown },
          { label: t('chart.running'), colour: '--running', kind: 'bars', values: running },
        ]}
      />
      <ul class="keys">
        {c.gaps.some(Boolean) && <li><span class="swatch gap" aria-hidden="true" />{t('chart.gap')}</li>}
        {c.running.some(Boolean) && <li><span class="swatch running" aria-hidden="true" />{t('chart.running')}</li>}
      </ul>
    </figure>
  );
}

/** A figure of a step with its unit. */
function text(r: Series, p: CityPoint, figure: FigureId): string {
  if (figure === 'completeness') return p.completeness === null ? t('chart.gap') : formatPercent(p.completeness, lang.value);
  if (figure === 'flow') return p.flow === null ? t('chart.gap') : `${formatFloat(p.flow, lang.value)} ${formatUnit(r.flow_unit)}`;
  return p.value === null ? t('chart.gap') : `${formatDecimal(p.value)} ${formatUnit(r.unit)}`;
}

/** The step under the pointer, or the last one. */
function caption(r: Series, figure: FigureId, under: number | null): string {
  const p = r.points[under ?? r.points.length - 1];
  if (!p) return '';
  const at = formatTime(Date.parse(p.at)).slice(0, r.step === 'day' ? 10 : 16);
  return [`${at}   ${text(r, p, figure)}`, ...lacks(p, lang.value), ...(p.final ? [] : [t('chart.running')])].join(' · ');
}

function Table({ r }: { r: Series }): JSX.Element {
  return (
    <div class="scroll twin" tabIndex={0} role="region" aria-label={t('chart.table')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('th.time')}</th>
            <th scope="col" class="num">{t('th.value')} {formatUnit(r.unit)}</th>
            <th scope="col" class="num">{t('th.missing')}</th>
            <th scope="col" class="num">{t('th.flow')} {formatUnit(r.flow_unit)}</th>
            <th scope="col" class="num">{t('th.completeness')}</th>
          </tr>
        </thead>
        <tbody>
          {r.points.toReversed().map((p) => (
            <tr key={p.at}>
              <td>{formatTime(Date.parse(p.at)).slice(0, r.step === 'day' ? 10 : 16)}</td>
              <td class="num">{p.value === null ? t('chart.gap') : formatDecimal(p.value)}</td>
              <td class="num">{p.missing}/{p.meters}</td>
              <td class="num">{p.flow === null ? t('chart.gap') : formatFloat(p.flow, lang.value)}</td>
              <td class="num">{text(r, p, 'completeness')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function save(r: Series, area: string): void {
  const head = ['at', `value ${r.unit}`, 'meters', 'missing', 'waiting', 'partial', 'carried', `least_flow ${r.flow_unit}`, 'completeness', 'final'];
  const rows = r.points.map((p) => [
    formatOffsetTime(Date.parse(p.at)), p.value ?? '', p.meters, p.missing, p.waiting, p.partial, p.carried,
    p.flow === null ? '' : plain(p.flow), p.completeness === null ? '' : plain(p.completeness), String(p.final),
  ]);
  download(`${[area || 'city', r.medium, r.step, formatOffsetTime(Date.parse(r.from)).slice(0, 10)].join('-')}.csv`, csv([head, ...rows]));
}
