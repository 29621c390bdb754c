// The past of one quantity: chart, table and CSV of the same points.

import type { ComponentChildren, JSX } from 'preact';
import { Component } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Readings } from './api.ts';
import type { Chart as ChartType } from './chart.tsx';
import { ask } from '../shared/api.ts';
import { toCSV } from './csv.ts';
import { download } from '../shared/file.ts';
import { formatFloat, formatSpan, formatTime, formatUnit } from '../shared/format.ts';
import { words } from './words.ts';
import { QualityMark } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import type { Range } from './route.ts';
import { RANGES } from './route.ts';
import { go, hubNow, lang, quantities, quantityName, route, t } from './state.ts';
import { pointText } from '../shared/value.tsx';

const CHART_POINTS = '600';
const CSV_POINTS = '10000';
const TABLE_ROWS = 200;

/** The question for a range that ends now, or so many ranges ago. */
function span(meter: string, quantity: string, range: Range, max: string, ago = 0): { path: string; params: () => Record<string, string> } {
  return {
    path: `/api/v1/meters/${meter}/readings`,
    params: () => {
      const width = RANGES[range] * 1000;
      const to = hubNow.peek() - ago * width;
      return { quantity, max, from: new Date(to - width).toISOString(), to: new Date(to).toISOString() };
    },
  };
}

/** How long an answer is good: the longer the range, the less a new reading changes it. */
function period(range: Range): number {
  return Math.min(Math.max(5000, RANGES[range] * 2), 10 * 60_000);
}

export function Past({ meter, quantity }: { meter: string; quantity: string }): JSX.Element {
  const { range, compare } = route.value;
  return (
    <div class="past" id="past">
      <div class="pasthead">
        <h3>{quantityName(quantity)}</h3>
        <div class="tabs" role="group" aria-label={t('range.label')}>
          {(Object.keys(RANGES) as Range[]).map((r) => (
            <button key={r} type="button" aria-pressed={r === range} onClick={() => go({ range: r }, false)}>
              {t(`range.${r}`)}
            </button>
          ))}
        </div>
        <label class="check">
          <input type="checkbox" id="compare" checked={compare === '1'} onChange={(e) => go({ compare: e.currentTarget.checked ? '1' : '' }, false)} />
          {t('compare.do')}
        </label>
      </div>
      <Loaded key={range} meter={meter} quantity={quantity} range={range} compare={compare === '1'} />
    </div>
  );
}

function Loaded({ meter, quantity, range, compare }: { meter: string; quantity: string; range: Range; compare: boolean }): JSX.Element {
  const q = span(meter, quantity, range, CHART_POINTS);
  const { data, error } = usePolled<Readings>(q.path, q.params, period(range));
  const before = useBefore(meter, quantity, range, compare);
  const [table, setTable] = useState(false);
  if (error && !data) return <p class="problem" role="alert">{words.code('err', error.code)}</p>;
  if (!data) return <div class="plot wait">{t('loading')}</div>;
  if (data.points.length === 0) {
    return (
      <div class="empty">
        <h3>{t('chart.empty')}</h3>
        <p>{t('chart.empty.do')}</p>
      </div>
    );
  }
  return (
    <>
      {error && <p class="problem" role="alert">{words.code('err', error.code)}</p>}
      {table ? <Twin r={data} /> : <Guard fallback={<Twin r={data} />}><LazyChart r={data} before={before} /></Guard>}
      <div class="pastfoot" data-range={range}>
        <p>
          {data.step_s > 0 ? t('chart.bucket', { span: formatSpan(data.step_s * 1000, lang.value) }) : t('chart.raw')}
          {data.points.some((p) => p.quality === 'suspect') && ` ${t('chart.suspect')}`}
          {before && ` ${t(quantities.value.get(quantity)?.kind === 'counter' ? 'compare.total' : 'compare.value')}`}
        </p>
        <div class="tabs" role="group" aria-label={t('view.label')}>
          <button type="button" aria-pressed={!table} onClick={() => setTable(false)}>
            {t('chart')}
          </button>
          <button type="button" id="twin" aria-pressed={table} onClick={() => setTable(true)}>
            {t('table')}
          </button>
        </div>
        <Save meter={meter} quantity={quantity} range={range} />
      </div>
    </>
  );
}

/** The period before, once it is asked for; null until it is there. */
function useBefore(meter: string, quantity: string, range: Range, wanted: boolean): Readings | null {
  const [before, setBefore] = useState<Readings | null>(null);
  useEffect(() => {
    setBefore(null);
    if (!wanted) return undefined;
    const gone = new AbortController();
    const q = span(meter, quantity, range, CHART_POINTS, 1);
    ask<Readings>(q.path, q.params(), gone.signal).then((r) => setBefore(r.points.length > 0 ? r : null), () => undefined);
    return () => gone.abort();
  }, [meter, quantity, range, wanted]);
  return before;
}

function Save({ meter, quantity, range }: { meter: string; quantity: string; range: Range }): JSX.Element {
  const [failed, setFailed] = useState('');
  const save = async (): Promise<void> => {
    const q = span(meter, quantity, range, CSV_POINTS);
    try {
      const r = await ask<Readings>(q.path, q.params(), AbortSignal.timeout(30_000));
      download(`${meter}_${quantity}_${formatTime(Date.parse(r.to)).replaceAll(/[: ]/g, '-')}.csv`, toCSV(r));
      setFailed('');
    } catch (err) {
      setFailed((err as { code?: string }).code ?? 'offline');
    }
  };
  return (
    <>
      <button type="button" id="csv" onClick={() => void save()}>
        {t('csv')}
      </button>
      {failed && <p class="problem" role="alert">{words.code('err', failed)}</p>}
    </>
  );
}

/** The table twin of the chart: the latest first. */
function Twin({ r }: { r: Readings }): JSX.Element {
  const latest = r.points.slice(-TABLE_ROWS).reverse();
  const bucket = r.step_s > 0;
  const unit = formatUnit(r.unit);
  const edge = (n: number | null): string => (n === null ? '' : formatFloat(n, lang.value));
  return (
    <div class="twin" tabIndex={0} role="region" aria-label={t('table')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('th.time')}</th>
            <th scope="col" class="num">{t(bucket ? 'th.mean' : 'th.value')} {unit}</th>
            {bucket && <th scope="col" class="num">{t('th.min')}</th>}
            {bucket && <th scope="col" class="num">{t('th.max')}</th>}
            <th scope="col">{t('th.quality')}</th>
          </tr>
        </thead>
        <tbody>
          {latest.map((p) => (
            <tr key={p.at}>
              <td>{formatTime(Date.parse(p.at))}</td>
              <td class="num">{pointText(r.quantity, r.unit, p)}</td>
              {bucket && <td class="num">{edge(p.min)}</td>}
              {bucket && <td class="num">{edge(p.max)}</td>}
              <td>{p.quality === 'none' ? t('gap') : <QualityMark quality={p.quality} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {r.points.length > TABLE_ROWS && <p class="quiet">{t('table.more', { n: TABLE_ROWS })}</p>}
    </div>
  );
}

/** The chart's code comes only when a chart is wanted. */
function LazyChart(props: { r: Readings; before: Readings | null }): JSX.Element {
  const [loaded, setLoaded] = useState<{ Chart: typeof ChartType } | null>(null);
  const [broken, setBroken] = useState(false);
  if (broken) throw new Error('the chart did not load');
  if (!loaded) {
    import('./chart.tsx').then(setLoaded, () => setBroken(true));
    return <div class="plot wait">{t('loading')}</div>;
  }
  return <loaded.Chart {...props} />;
}

/** Shows its fallback when what it holds cannot be drawn. */
class Guard extends Component<{ fallback: ComponentChildren; children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };

  override componentDidCatch(): void {
    this.setState({ broken: true });
  }

  override render(): ComponentChildren {
    if (!this.state.broken) return this.props.children;
    return [<p class="problem" role="alert">{t('chart.failed')}</p>, this.props.fallback];
  }
}
