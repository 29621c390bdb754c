// What waits, above the days: the first thing to do is one click away.

import type { JSX } from 'preact';
import { Medium } from '../shared/marks.tsx';
import { can } from '../shared/session.ts';
import { formatCount } from '../shared/format.ts';
import { lang } from '../shared/words.ts';
import type { Waiting } from './next.ts';
import { formatRoute } from './route.ts';
import { t } from './words.ts';

export function WhatWaits({ list }: { list: readonly Waiting[] }): JSX.Element | null {
  const missing = list.filter((w) => w.line.state === 'not_imported');
  const there = list.filter((w) => w.line.state !== 'not_imported');
  if (list.length === 0) return null;
  return (
    <section class="panel waits" aria-label={t('waits')}>
      {there.length > 0 && (
        <p class="row">
          <b>{t('waits')}</b>
          {there.map((w) => (
            <Link key={w.utility} w={w} />
          ))}
        </p>
      )}
      {missing.length > 0 && <Missing list={missing} />}
    </section>
  );
}

function Link({ w: { utility, line } }: { w: Waiting }): JSX.Element {
  const run = line.state === 'imported';
  return (
    <a class={`button ${run ? 'main' : ''}`} href={formatRoute({ view: 'day', utility, day: line.day, open: run ? '' : 'found' })}>
      <Medium id={utility} named /> {line.day} · {run ? t('waits.run') : t('day.left', { n: formatCount(line.open.count, lang.value) })} ›
    </a>
  );
}

function Missing({ list }: { list: readonly Waiting[] }): JSX.Element {
  const days = [...new Set(list.map((w) => w.line.day))].sort().reverse();
  return (
    <>
      {days.map((day) => (
        <p key={day} class="row">
          <b>{t('waits.files', { day })}</b>
          {list.filter((w) => w.line.day === day).map((w) => (
            <Medium key={w.utility} id={w.utility} named />
          ))}
        </p>
      ))}
      {can('clerk') && (
        <p class="row">
          <a class="button main" href="#import">
            {t('tab.import')}
          </a>
          <span class="quiet">{t('waits.drop')}</span>
        </p>
      )}
    </>
  );
}
