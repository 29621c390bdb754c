// The meters that the collectors say need a look: how well they were read
// today, how far their clocks are off, and what failed last.

import type { JSX } from 'preact';
import type { Collector, Health } from './api.ts';
import { formatDrift, formatPercent, withoutMeter } from '../shared/format.ts';
import { usePolled } from '../shared/poll.ts';
import { formatRoute } from './route.ts';
import { go, lang, route, t } from './state.ts';

/** The most rows on screen; the API has all that the collectors name. */
const SHOWN = 10;

interface Row extends Health {
  collector: string;
}

/** Those with the lowest rate first; a meter that was not due yet comes last. */
export function worstFirst(collectors: Collector[]): Row[] {
  const rows = collectors.flatMap((c) => c.health.map((h) => ({ ...h, collector: c.id })));
  return rows.sort((a, b) => (a.success_rate ?? 2) - (b.success_rate ?? 2) || a.meter.localeCompare(b.meter, 'en'));
}

export function HealthList(): JSX.Element | null {
  const { data } = usePolled<Collector[]>('/api/v1/collectors', () => ({}), 10_000);
  const rows = worstFirst(data ?? []);
  if (rows.length === 0) return null;
  return (
    <section class="meters health" aria-labelledby="health-title">
      <header>
        <h2 id="health-title">{t('health')}</h2>
        <p class="quiet">{t('health.about')}</p>
      </header>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('col.meter')}</th>
            <th scope="col">{t('health.collector')}</th>
            <th scope="col" class="num">{t('health.rate')}</th>
            <th scope="col" class="num">{t('health.drift')}</th>
            <th scope="col">{t('health.error')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, SHOWN).map((h) => (
            <HealthRow key={`${h.collector}/${h.meter}`} h={h} />
          ))}
        </tbody>
      </table>
      {rows.length > SHOWN && <p class="quiet more">{t('health.more', { n: SHOWN, total: rows.length })}</p>}
    </section>
  );
}

function HealthRow({ h }: { h: Row }): JSX.Element {
  const open = (e: Event): void => {
    e.preventDefault();
    go({ meter: h.meter, quantity: '' });
  };
  return (
    <tr data-health={h.meter}>
      <th scope="row">
        <a href={formatRoute({ ...route.value, meter: h.meter, quantity: '' })} onClick={open}>
          {h.meter}
        </a>
      </th>
      <td class="by">{h.collector}</td>
      <td class="num rate">
        <b>{h.success_rate === null ? '–' : formatPercent(h.success_rate, lang.value)}</b>{' '}
        <span class="quiet">{t('health.slots', { read: h.read, planned: h.planned })}</span>
      </td>
      <td class={h.drift_ms === null ? 'num drift none' : 'num drift'}>
        <span class="label">{t('health.drift')} </span>
        {h.drift_ms === null ? '–' : formatDrift(h.drift_ms, lang.value)}
      </td>
      <td class="error">{withoutMeter(h.error, h.meter)}</td>
    </tr>
  );
}
