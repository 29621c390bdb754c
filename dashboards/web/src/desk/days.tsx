// The overview: what is done and what is left to do, by utility and day.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { csv, download } from '../shared/file.ts';
import { formatCount } from '../shared/format.ts';
import { Mark, Medium } from '../shared/marks.tsx';
import type { DayJSON, DaysJSON, SumJSON, UtilityDaysJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { shiftDay } from './dates.ts';
import { WhatWaits } from './daysnext.tsx';
import type { Utility } from './filter.ts';
import { DayMark, dayTone, Lock, Yuan } from './marks.tsx';
import { fen, yuan } from './money.ts';
import type { Waiting } from './next.ts';
import { waiting } from './next.ts';
import { formatRoute, go } from './route.ts';
import { t, words } from './words.ts';

const SPAN = 31;

export function Days({ utility, to }: { utility: Utility; to: string }): JSX.Element {
  const { data, error } = usePolled<DaysJSON>('/api/v1/ledger/days', () => ({ to, ...(to ? { from: shiftDay(to, 1 - SPAN) } : {}) }), 20_000, to);
  if (!data) return error ? <Problem error={error} words={words} /> : <Skeleton lines={8} />;
  const chosen = data.utilities.find((u) => u.utility === utility) ?? data.utilities[0];
  const last = to || data.today;
  const wait = to ? [] : waiting(data);
  return (
    <>
      {error && <Problem error={error} words={words} />}
      <WhatWaits list={wait} />
      <div class="row span">
        <button type="button" onClick={() => go({ view: 'days', utility, to: shiftDay(last, -SPAN) })}>
          ‹ {t('days.earlier')}
        </button>
        <p class="quiet">
          {shiftDay(last, 1 - SPAN)} – {last}
        </p>
        <button type="button" disabled={last >= data.today} onClick={() => go({ view: 'days', utility, to: shiftDay(last, SPAN) >= data.today ? '' : shiftDay(last, SPAN) })}>
          {t('days.later')} ›
        </button>
        <p class="quiet push">{t('days.today', { day: data.today })}</p>
      </div>
      <Strip all={data.utilities} chosen={utility} to={to} wait={wait} />
      {chosen && <Table of={chosen} today={data.today} wait={wait} />}
      <p class="quiet note">{t('days.note')}</p>
    </>
  );
}

/** All utilities at once: a mark for each day. */
function Strip({ all, chosen, to, wait }: { all: readonly UtilityDaysJSON[]; chosen: Utility; to: string; wait: readonly Waiting[] }): JSX.Element {
  const days = [...(all[0]?.days ?? [])].reverse();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (box.current) box.current.scrollLeft = box.current.scrollWidth; // the latest days are the work
  }, [to]);
  return (
    <section class="panel strip" aria-label={t('days.strip')}>
      <div ref={box} class="scroll" tabIndex={0} role="group" aria-label={t('days.strip')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('utility')}</th>
              {days.map((d) => (
                <th key={d.day} scope="col" class={d.day.endsWith('-01') ? 'first' : ''}>
                  <span class="sr">{d.day}</span>
                  <span aria-hidden="true">{d.day.endsWith('-01') ? d.day.slice(5) : d.day.slice(8)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {all.map((u) => (
              <tr key={u.utility} class={u.utility === chosen ? 'chosen' : ''}>
                <th scope="row">
                  <a href={formatRoute({ view: 'days', utility: u.utility, to })} aria-current={u.utility === chosen ? 'true' : undefined}>
                    <Medium id={u.utility} named />
                  </a>
                </th>
                {[...u.days].reverse().map((d) => (
                  <td key={d.day}>
                    <a href={formatRoute({ view: 'day', utility: u.utility, day: d.day, open: '' })} class={`cell ${d.state} ${waits(wait, u.utility, d) ? 'next' : ''}`}
                      title={`${d.day} ${t(`day.${d.state}`)}`} aria-label={`${common.word('medium', u.utility)} ${d.day} ${t(`day.${d.state}`)}`}>
                      {d.state === 'closed' ? <Lock /> : <Mark tone={dayTone(d.state)} />}
                    </a>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="legend">
        {(['not_imported', 'imported', 'open', 'reconciled', 'closed'] as const).map((s) => (
          <DayMark key={s} state={s} />
        ))}
      </p>
    </section>
  );
}

/** Whether the next work of utility is on day d. */
const waits = (wait: readonly Waiting[], utility: Utility, d: DayJSON): boolean => wait.some((w) => w.utility === utility && w.line.day === d.day);

const MONEY = ['sold', 'refunded', 'paid', 'loaded'] as const;

function Table({ of, today, wait }: { of: UtilityDaysJSON; today: string; wait: readonly Waiting[] }): JSX.Element {
  const name = common.word('medium', of.utility);
  return (
    <section class="panel">
      <header>
        <h2>
          <Medium id={of.utility} named />
        </h2>
        <p class="quiet">
          {of.last_run ? t('days.run_to', { day: of.last_run }) : t('days.no_run')}
          {of.closed_to && ` · ${t('days.closed_to', { day: of.closed_to })}`}
        </p>
        <button type="button" class="push" onClick={() => save(of)}>
          {common.t('csv')}
        </button>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label={name}>
        <table class="days">
          <thead>
            <tr>
              <th scope="col">{t('col.day')}</th>
              <th scope="col">{t('col.state')}</th>
              <th scope="col" class="num">{t('col.files')}</th>
              {MONEY.map((m) => (
                <th key={m} scope="col" class="num">
                  {t(`col.${m}`)}
                </th>
              ))}
              <th scope="col" class="num">{t('col.difference')}</th>
              <th scope="col" class="num">{t('col.entries')}</th>
              <th scope="col" class="num">{t('col.found')}</th>
              <th scope="col" class="num">{t('col.open')}</th>
            </tr>
          </thead>
          <tbody>
            {of.days.map((d) => (
              <Row key={d.day} utility={of.utility} d={d} today={today} next={waits(wait, of.utility, d)} />
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">{t('col.sum')}</th>
              <td />
              <td class="num">{formatCount(total(of.days, (d) => d.sales_files + d.payment_files), lang.value)}</td>
              {MONEY.map((m) => (
                <td key={m} class="num">
                  <Yuan of={of.days.reduce((s, d) => s + net(d, m), 0n)} />
                </td>
              ))}
              <td class="num">
                <Yuan of={of.days.reduce((s, d) => s + fen(d.difference), 0n)} plus />
              </td>
              <td class="num">{formatCount(total(of.days, (d) => d.entries), lang.value)}</td>
              <td class="num">{formatCount(total(of.days, (d) => d.found.count), lang.value)}</td>
              <td class="num">{formatCount(total(of.days, (d) => d.open.count), lang.value)}</td>
            </tr>
          </tfoot>
        </table>
      </div>
    </section>
  );
}

const total = (days: readonly DayJSON[], of: (d: DayJSON) => number): number => days.reduce((s, d) => s + of(d), 0);

/** The money of a column; payments are shown less what was given back. */
function net(d: DayJSON, m: (typeof MONEY)[number]): bigint {
  if (m === 'sold') return fen(d.sold.amount) + fen(d.billed.amount);
  return m === 'paid' ? fen(d.paid.amount) - fen(d.paid_back.amount) : fen(d[m].amount);
}

function Row({ utility, d, today, next }: { utility: Utility; d: DayJSON; today: string; next: boolean }): JSX.Element {
  const open = { view: 'day', utility, day: d.day, open: '' } as const;
  const empty = d.state === 'not_imported';
  const click = (e: MouseEvent): void => {
    if (!(e.target as Element).closest('a') && !getSelection()?.toString()) go(open);
  };
  return (
    <tr class={`${d.state} ${next ? 'next' : ''}`} onClick={click}>
      <th scope="row">
        <a href={formatRoute(open)}>{d.day}</a> {d.day === today && <span class="tag">{t('days.now')}</span>}
      </th>
      <td>
        <DayMark state={d.state} /> {d.state === 'imported' && <a href={formatRoute(open)}>{t('waits.run')} ›</a>}
      </td>
      <td class="num">{empty ? '–' : `${d.sales_files} / ${d.payment_files}`}</td>
      {MONEY.map((m) => (
        <td key={m} class="num">
          {empty && m !== 'loaded' ? '–' : <Amount sums={m === 'sold' ? [d.sold, d.billed] : [m === 'paid' ? d.paid : d[m]]} of={net(d, m)} />}
        </td>
      ))}
      <td class="num">{empty ? '–' : <Yuan of={d.difference} plus />}</td>
      <td class="num">{formatCount(d.entries, lang.value)}</td>
      <td class="num">{d.run ? formatCount(d.found.count, lang.value) : '–'}</td>
      <td class="num">
        {d.open.count > 0 ? <a href={formatRoute({ view: 'day', utility, day: d.day, open: 'found' })}>{formatCount(d.open.count, lang.value)}</a> : d.run ? '0' : '–'}
      </td>
    </tr>
  );
}

function Amount({ sums, of }: { sums: readonly SumJSON[]; of: bigint }): JSX.Element {
  const count = sums.reduce((n, s) => n + s.count, 0);
  return (
    <>
      <Yuan of={of} />
      <span class="count">{formatCount(count, lang.value)}</span>
    </>
  );
}

function save(u: UtilityDaysJSON): void {
  const head = [t('col.day'), t('col.state'), t('file.sales'), t('file.payments'), ...MONEY.map((m) => t(`col.${m}`)), t('col.difference'), t('col.entries'), t('col.found'), t('col.open')];
  const rows = u.days.map((d) => [d.day, t(`day.${d.state}`), d.sales_files, d.payment_files, ...MONEY.map((m) => yuan(net(d, m))), d.difference, d.entries, d.found.count, d.open.count]);
  download(`${u.utility}-${u.days.at(-1)?.day ?? ''}-${u.days[0]?.day ?? ''}.csv`, csv([head, ...rows]));
}
