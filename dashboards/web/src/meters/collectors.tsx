// The collectors: one row each, the ones in trouble first.

import type { JSX } from 'preact';
import { formatAge, formatBytes, formatCount } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import { Empty, Skeleton } from '../shared/ui.tsx';
import type { Collector } from './api.ts';
import { byTrouble, certificateTone, generation, refused, spoolPart, spoolTone } from './collectorfacts.ts';
import { follow } from './links.tsx';
import { HOME } from './route.ts';
import { lang, t } from './state.ts';
import { words } from './words.ts';

export function Collectors(): JSX.Element {
  const { data, error } = usePolled<Collector[]>('/api/v1/collectors', () => ({}), 5000);
  return (
    <section class="meters" id="collectors" aria-labelledby="collectors-title">
      <h2 id="collectors-title" class="sr">
        {t('collectors')}
      </h2>
      {error && <p class="problem" role="alert">{words.code('err', error.code)}</p>}
      {!data && !error && <Skeleton />}
      {data?.length === 0 && <Empty title={t('collectors.none')}>{t('collectors.none.do')}</Empty>}
      {data && data.length > 0 && <Table list={byTrouble(data)} />}
    </section>
  );
}

function Table({ list }: { list: Collector[] }): JSX.Element {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{t('health.collector')}</th>
          <th scope="col">{t('filter.silent')}</th>
          <th scope="col">{t('collector.status')}</th>
          <th scope="col">{t('collector.version')}</th>
          <th scope="col">{t('collector.spool')}</th>
          <th scope="col" class="num">{t('collector.lines')}</th>
          <th scope="col" class="num">{t('collector.failing')}</th>
          <th scope="col">{t('collector.key')}</th>
          <th scope="col">{t('collector.certificate')}</th>
          <th scope="col" class="num">{t('collector.refused')}</th>
        </tr>
      </thead>
      <tbody>
        {list.map((c) => (
          <Row key={c.id} c={c} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ c }: { c: Collector }): JSX.Element {
  const n = (v: number): string => formatCount(v, lang.value);
  return (
    <tr data-collector={c.id}>
      <th scope="row">
        <a {...follow({ ...HOME, view: 'collectors', collector: c.id })}>{c.id}</a>
      </th>
      <td data-label={t('filter.silent')}>
        <State tone={c.online ? 'ok' : 'bad'}>{t(c.online ? 'online' : 'offline')}</State>
      </td>
      <td data-label={t('collector.status')}>{c.status_age_s === null ? t('unknown') : formatAge(c.status_age_s * 1000, lang.value)}</td>
      <td data-label={t('collector.version')}>{c.version || t('unknown')}</td>
      <td data-label={t('collector.spool')}>
        <State tone={spoolTone(c)}>{spoolText(c)}</State>
      </td>
      <td data-label={t('collector.lines')} class="num">{n(c.lines.length)}</td>
      <td data-label={t('collector.failing')} class="num">{n(c.failing_total)}</td>
      <td data-label={t('collector.key')}>
        <span class="code">{generation(c)}</span>
      </td>
      <td data-label={t('collector.certificate')}>
        <State tone={certificateTone(c.certificate_days)}>{certificateText(c)}</State>
      </td>
      <td data-label={t('collector.refused')} class="num">{n(refused(c))}</td>
    </tr>
  );
}

export function spoolText(c: Collector): string {
  if (c.spool_full) return t('spool.full');
  const depth = t('spool.depth', { n: formatCount(c.spool_records, lang.value), part: `${Math.round(spoolPart(c) * 100)}%`, quota: formatBytes(c.spool_quota, lang.value) });
  return c.spool_dropped > 0 ? `${depth} · ${t('spool.dropped', { n: formatCount(c.spool_dropped, lang.value) })}` : depth;
}

export function certificateText(c: Collector): string {
  if (c.certificate_days === null) return t('certificate.none');
  return c.certificate_days < 0 ? t('certificate.over') : t('certificate.days', { n: formatCount(c.certificate_days, lang.value) });
}
