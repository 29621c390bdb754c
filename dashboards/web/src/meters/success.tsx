// How well a meter is read, who reads it and where it is.

import type { JSX } from 'preact';
import { common } from '../shared/common.ts';
import { formatDrift, formatPercent } from '../shared/format.ts';
import type { DiagnosisJSON, SuccessJSON } from './api.ts';
import { formatRoute, HOME } from './route.ts';
import { lang, t } from './state.ts';
import { follow } from './links.tsx';

export function Success({ d }: { d: DiagnosisJSON }): JSX.Element {
  return (
    <section class="panel" id="success" aria-labelledby="success-title">
      <header>
        <h2 id="success-title">{t('success')}</h2>
      </header>
      <div class="body">
        <div class="rates">
          <Rate title={t('success.today')} s={d.today} />
          <Rate title={t('success.day')} s={d.day} />
        </div>
        <dl class="facts">
          <dt>{t('drift')}</dt>
          <dd>{d.drift_ms === null ? t('drift.none') : formatDrift(d.drift_ms, lang.value)}</dd>
          <dt>{t('health.collector')}</dt>
          <dd>{d.collector ? <a {...follow({ ...HOME, view: 'collectors', collector: d.collector })}>{d.collector}</a> : t('unknown')}</dd>
          <dt>{t('line')}</dt>
          <dd>{d.line || t('unknown')}</dd>
          <dt>{t('place')}</dt>
          <dd>{d.place ? <Place p={d.place} /> : t('place.none')}</dd>
        </dl>
      </div>
    </section>
  );
}

function Place({ p }: { p: NonNullable<DiagnosisJSON['place']> }): JSX.Element {
  return (
    <>
      {p.name} <span class="code">{p.component}</span>
      {p.location && <> · {p.location}</>}
      {p.cell && (
        <>
          {' · '}
          <a href={`/#area=${p.cell}`}>{t('place.cell', { code: p.cell })}</a>
          {' · '}
          <a href={`/meters${formatRoute({ ...HOME, area: p.cell })}`}>{t('place.meters')}</a>
        </>
      )}
    </>
  );
}

function Rate({ title, s }: { title: string; s: SuccessJSON }): JSX.Element {
  const known = s.rate !== null && s.planned !== null;
  return (
    <div class="rate">
      <h3>{title}</h3>
      <p class="big">{known ? formatPercent(s.rate ?? 0, lang.value) : '–'}</p>
      {known && <meter min={0} max={1} low={0.9} high={0.99} optimum={1} value={s.rate ?? 0} aria-label={title} />}
      <p class="quiet">
        {known ? t('success.slots', { read: s.read, planned: s.planned ?? 0 }) : t('success.unknown')}
        {s.source === 'none' ? '' : lang.value === 'en' ? `, ${t(`success.${s.source}`)}` : `，${t(`success.${s.source}`)}`}
      </p>
      <p class="sr">{common.t('zone')}</p>
    </div>
  );
}
