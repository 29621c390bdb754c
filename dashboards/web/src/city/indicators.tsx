import type { JSX } from 'preact';
import { common } from '../shared/common.ts';
import { formatCount } from '../shared/format.ts';
import { usePolled } from '../shared/poll.ts';
import { session } from '../shared/session.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { IndicatorRowJSON } from './api.ts';
import { dateOf } from './span.ts';
import { minute } from './state.ts';
import { levelOf } from './tree.ts';
import { t, words } from './words.ts';

const SHOWN = ['on_time_handle', 'closing', 'on_time_closing', 'accurate_file', 'on_time_dispatch', 'on_time_check', 'reworked'] as const;
const DAYS = 30;

function asked(area: string): Record<string, string> {
  const now = minute.peek() || Date.now();
  const by = levelOf(area);
  return { from: dateOf(now - (DAYS - 1) * 86_400_000), to: dateOf(now), by, ...(area ? { key: area } : {}) };
}

/** How well the work on cases goes, of a place. A hub without accounts answers it to tokens only. */
export function Indicators({ area }: { area: string }): JSX.Element | null {
  if (session.value?.state === 'open') return null;
  return (
    <section class="panel indicators" aria-labelledby="indicators-title">
      {levelOf(area) === 'county' ? <Head /> : <Counted area={area} />}
      {levelOf(area) === 'county' && <p class="body quiet">{t('indicators.county')}</p>}
    </section>
  );
}

function Head({ row }: { row?: IndicatorRowJSON | undefined }): JSX.Element {
  return (
    <header>
      <h2 id="indicators-title">{t('indicators')}</h2>
      <span class="quiet">{t('indicators.span')}{row?.score ? ` · ${t('indicators.score', { score: row.score, grade: row.grade ?? '' })}` : ''}</span>
    </header>
  );
}

function Counted({ area }: { area: string }): JSX.Element {
  const { data, error } = usePolled<IndicatorRowJSON[]>('/api/v1/indicators', () => asked(area), 300_000, area);
  const row = data?.find((r) => r.dimension === levelOf(area) && r.key === area);
  return (
    <>
      <Head row={row} />
      {error && <div class="body"><Problem error={error} words={words} /></div>}
      {!data && !error && <Skeleton lines={4} />}
      {data && !row && <p class="body quiet">{t('indicators.none')}</p>}
      {row && (
        <table class="tight">
          <thead>
            <tr>
              <th scope="col">{t('th.indicator')}</th>
              <th scope="col" class="num">{t('th.percent')}</th>
              <th scope="col" class="num">{t('th.numbers')}</th>
            </tr>
          </thead>
          <tbody>
            {SHOWN.map((name) => {
              const v = row.indicators[name];
              return (
                <tr key={name}>
                  <th scope="row">{t(`ind.${name}`)}</th>
                  <td class="num">{v?.percent ? <b>{v.percent}%</b> : <span class="novalue">{common.t('quality.none')}</span>}</td>
                  <td class="num quiet">{v ? `${formatCount(v.num, lang.value)}/${formatCount(v.den, lang.value)}` : ''}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {row && (
        <p class="body more">
          <a href={`/api/v1/exports/indicators?${new URLSearchParams({ ...asked(area), format: 'csv' })}`}>{t('indicators.csv')}</a>
        </p>
      )}
    </>
  );
}
