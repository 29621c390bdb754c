import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { address, ask } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatCount } from '../shared/format.ts';
import type { IndicatorRowJSON, RatioJSON } from '../shared/openapi.ts';
import { Empty, Problem, Select, Skeleton, Tabs } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { departmentName, personName } from './names.ts';
import { addDays, dayOf, monthBefore, monthOf } from './period.ts';
import { go, now, view } from './state.ts';
import { t, words } from './words.ts';
import { codes } from './wordscodes.ts';
import { COUNTS, indicatorWords, RATIOS } from './wordsindicators.ts';

const DIMENSIONS = ['city', 'department', 'street', 'community', 'cell', 'class', 'acceptor', 'shift_leader', 'dispatcher', 'inspector'] as const;

/** The name of a row: a person, department, place or class. */
function keyName(row: IndicatorRowJSON): string {
  if (row.dimension === 'city') return codes.t('dim.city');
  if (row.dimension === 'department') return departmentName(row.key);
  return ['inspector', 'acceptor', 'shift_leader', 'dispatcher'].includes(row.dimension) ? personName(row.key) : row.key;
}

/** The indicators of docs/indicators.md for a period. */
export function Indicators(): JSX.Element {
  const today = dayOf(now.value);
  const v = view.value;
  const from = v.from || monthOf(today);
  const to = v.to || today;
  const by = v.by || 'city';
  const [rows, setRows] = useState<readonly IndicatorRowJSON[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [what, setWhat] = useState<'ratio' | 'n'>('ratio');
  const params = { from, to, by };
  const key = JSON.stringify(params);
  useEffect(() => {
    const gone = new AbortController();
    setRows(null);
    setError(null);
    ask<IndicatorRowJSON[]>('/api/v1/indicators', params, gone.signal).then(setRows, (err: unknown) => !gone.signal.aborted && setError(err));
    return () => gone.abort();
  }, [key]);
  const last = monthBefore(today);
  return (
    <>
      <div class="row head noprint">
        <a class="button" href="#">← {t('back')}</a>
        <h1>{t('indicators')}</h1>
        <span class="push" />
        <a class="button" id="csv" href={address('/api/v1/exports/indicators', { ...params, format: 'csv' })} download>{common.t('csv')}</a>
        <a class="button" id="xlsx" href={address('/api/v1/exports/indicators', { ...params, format: 'xlsx' })} download>{common.t('xlsx')}</a>
        <button type="button" onClick={() => window.print()}>{common.t('print')}</button>
      </div>
      <section class="panel indicators">
        <header>
          <h2 class="printonly">{t('indicators')}</h2>
          <label class="select"><span class="label">{t('from')}</span><input id="from" type="date" value={from} max={to} onChange={(e) => e.currentTarget.value && go({ from: e.currentTarget.value })} /></label>
          <label class="select"><span class="label">{t('to')}</span><input id="to" type="date" value={to} min={from} onChange={(e) => e.currentTarget.value && go({ to: e.currentTarget.value })} /></label>
          <div class="tabs noprint" role="group" aria-label={t('period')}>
            <button type="button" aria-pressed={from === monthOf(today) && to === today} onClick={() => go({ from: '', to: '' })}>{t('month.this')}</button>
            <button type="button" aria-pressed={from === last.from && to === last.to} onClick={() => go(last)}>{t('month.last')}</button>
            <button type="button" aria-pressed={from === addDays(today, -29) && to === today} onClick={() => go({ from: addDays(today, -29), to: today })}>{t('days.30')}</button>
          </div>
          <Select id="by" label={t('by')} value={by} options={DIMENSIONS.map((d) => [d, codes.t(`dim.${d}`)] as const)} onChange={(d) => go({ by: d })} />
          <span class="noprint"><Tabs label={t('columns')} value={what} options={[['ratio', t('ratios')], ['n', t('counts')]]} onChange={setWhat} /></span>
        </header>
        {error !== null && <Problem error={error} words={words} />}
        {!rows && error === null && <Skeleton lines={6} />}
        {rows?.length === 0 && <Empty title={t('indicators.none')}>{t('indicators.why')}</Empty>}
        {rows && rows.length > 0 && (by === 'city' ? <City row={rows[0]!} /> : <Grid rows={rows} what={what} />)}
        <p class="quiet body">{t('indicators.note')}</p>
      </section>
    </>
  );
}

/** A ratio: percent, and of how many; without data a dash, never 0 %. */
function Ratio({ r }: { r: RatioJSON | undefined }): JSX.Element {
  if (!r || r.percent === undefined) return <span class="quiet" title={t('nodata')}>–<span class="sr">{t('nodata')}</span></span>;
  return (
    <>
      {r.percent} % <small>{`${formatCount(r.num, lang.value)}/${formatCount(r.den, lang.value)}`}</small>
    </>
  );
}

/** One row is read better as a list. */
function City({ row }: { row: IndicatorRowJSON }): JSX.Element {
  return (
    <div class="city-figures body">
      {row.score && <p class="score"><b>{row.score}</b> <span class="tag">{row.grade}</span> <span class="quiet">{t('score')}</span></p>}
      <dl class="facts two">
        {RATIOS.map((name) => (
          <div key={name}><dt>{indicatorWords.word('ratio', name)}</dt><dd><Ratio r={row.indicators[name]} /></dd></div>
        ))}
      </dl>
      <dl class="facts two">
        {COUNTS.map((name) => (
          <div key={name}><dt>{indicatorWords.word('n', name)}</dt><dd>{formatCount(row.counts[name] ?? 0, lang.value)}</dd></div>
        ))}
      </dl>
    </div>
  );
}

function Grid({ rows, what }: { rows: readonly IndicatorRowJSON[]; what: 'ratio' | 'n' }): JSX.Element {
  const names = what === 'ratio' ? RATIOS : COUNTS;
  const some = names.filter((name) => rows.some((r) => (what === 'ratio' ? (r.indicators[name]?.den ?? 0) > 0 : (r.counts[name] ?? 0) > 0)));
  const scored = rows.some((r) => r.score);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t('indicators')}>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">{codes.word('dim', rows[0]?.dimension ?? '')}</th>
            {scored && <th class="num" scope="col">{t('score')}</th>}
            {some.map((name) => <th key={name} class="num" scope="col">{indicatorWords.word(what, name)}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={r.period + r.key}>
              <th scope="row">{keyName(r)}</th>
              {scored && <td class="num">{r.score ? <>{r.score} <b>{r.grade}</b></> : '–'}</td>}
              {some.map((name) => <td key={name} class="num">{what === 'ratio' ? <Ratio r={r.indicators[name]} /> : formatCount(r.counts[name] ?? 0, lang.value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
