// What went through a meter's place: bars, their table and CSV.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { download } from '../shared/file.ts';
import { formatDecimal, formatTime, formatUnit } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import { Tabs } from '../shared/ui.tsx';
import type { ConsumptionStepsJSON } from './api.ts';
import { barColumns, barsCSV, barSpan, beforeColumn } from './bars.ts';
import type { Bars } from './route.ts';
import { BARS } from './route.ts';
import { LazyBars } from './barchart.tsx';
import { go, hubNow, quantityName, route, t } from './state.ts';
import { words } from './words.ts';

function question(quantity: string, step: Bars, from: number, to: number): Record<string, string> {
  return { quantity, step, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

export function Consumption({ meter, quantity }: { meter: string; quantity: string }): JSX.Element {
  const { bars, compare } = route.value;
  const path = `/api/v1/meters/${meter}/consumption/steps`;
  const params = (): Record<string, string> => {
    const now = hubNow.peek();
    return question(quantity, bars, barSpan(bars, now).from, now);
  };
  const { data, error } = usePolled<ConsumptionStepsJSON>(path, params, 60_000, bars);
  const before = useBefore(path, quantity, bars, compare === '1');
  const [table, setTable] = useState(false);
  return (
    <section class="panel" id="consumption" aria-labelledby="consumption-title">
      <header>
        <h2 id="consumption-title">{t('consumption')}</h2>
        <p class="quiet">{quantityName(quantity)}</p>
        <div class="row push">
          <Tabs label={t('bars.label')} options={BARS.map((b) => [b, t(`bars.${b}`)] as const)} value={bars} onChange={(b) => go({ bars: b }, false)} />
          <Tabs label={t('view.label')} options={[['', t('chart')], ['1', t('table')]] as const} value={table ? '1' : ''} onChange={(v) => setTable(v === '1')} />
          {data && (
            <button type="button" id="bars-csv" onClick={() => download(`${meter}_${quantity}_${bars}.csv`, barsCSV(data))}>
              {t('csv')}
            </button>
          )}
        </div>
      </header>
      <div class="body">
        {error && <p class="problem" role="alert">{words.code('err', error.code)}</p>}
        {data ? table ? <Twin r={data} /> : <Picture r={data} before={before} bars={bars} /> : !error && <div class="plot wait">{t('loading')}</div>}
        <p class="quiet">
          {t('consumption.about')} {data && !data.recorded && t('consumption.norecord')}
        </p>
      </div>
    </section>
  );
}

function Picture({ r, before, bars }: { r: ConsumptionStepsJSON; before: ConsumptionStepsJSON | null; bars: Bars }): JSX.Element {
  const c = barColumns(r);
  const { from, to } = barSpan(bars, hubNow.peek());
  const alt = t('consumption.alt', { name: quantityName(r.quantity), n: r.steps.length, from: formatTime(from), to: formatTime(to) });
  return <LazyBars c={c} before={before && beforeColumn(before, c.x.length)} from={from / 1000} to={to / 1000} alt={alt} unit={formatUnit(r.unit)} steps={r.steps} />;
}

/** The same bars a period earlier; null until they are there, or when nobody asks. */
function useBefore(path: string, quantity: string, bars: Bars, wanted: boolean): ConsumptionStepsJSON | null {
  const [before, setBefore] = useState<ConsumptionStepsJSON | null>(null);
  useEffect(() => {
    setBefore(null);
    if (!wanted) return undefined;
    const gone = new AbortController();
    const s = barSpan(bars, hubNow.peek());
    ask<ConsumptionStepsJSON>(path, question(quantity, bars, s.before, s.from), gone.signal).then(setBefore, () => undefined);
    return () => gone.abort();
  }, [path, quantity, bars, wanted]);
  return before;
}

function Twin({ r }: { r: ConsumptionStepsJSON }): JSX.Element {
  return (
    <div class="twin" tabIndex={0} role="region" aria-label={t('consumption')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('th.from')}</th>
            <th scope="col">{t('th.to')}</th>
            <th scope="col" class="num">
              {t('consumption')} {formatUnit(r.unit)}
            </th>
            <th scope="col">{t('th.quality')}</th>
          </tr>
        </thead>
        <tbody>
          {[...r.steps].reverse().map((s) => (
            <tr key={s.from}>
              <td>{formatTime(Date.parse(s.from))}</td>
              <td>{formatTime(Date.parse(s.to))}</td>
              <td class="num">{s.value === null ? '' : formatDecimal(s.value)}</td>
              <td>
                {s.value === null ? t('gap') : <State tone={s.gap === '' ? 'ok' : 'warn'}>{s.gap === '' ? t('consumption.whole') : words.word('gap', s.gap)}</State>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
