// The table of differences; on a phone each row is a card.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Medium } from '../shared/marks.tsx';
import type { WorkItemJSON, WorkListJSON } from '../shared/openapi.ts';
import { can } from '../shared/session.ts';
import { daysBetween } from './dates.ts';
import type { Filter, Sort } from './filter.ts';
import { formatFilter } from './filter.ts';
import { DifferenceMark, Yuan } from './marks.tsx';
import { formatVolume } from './money.ts';
import { formatRoute } from './route.ts';
import { className, t, words } from './words.ts';

interface Props {
  data: WorkListJSON;
  at: number;
  marked: ReadonlySet<string>;
  mark: (key: string) => void;
  all: () => void;
  open: (r: WorkItemJSON) => void;
  filter: Filter;
  change: (part: Partial<Filter>) => void;
}

export function WorkTable(p: Props): JSX.Element {
  const marks = can('clerk');
  return (
    <div class="panel scroll work" tabIndex={0} role="group" aria-label={t('tab.work')}>
      <table>
        <thead>
          <tr>
            {marks && (
              <th scope="col" class="box noprint">
                <input type="checkbox" aria-label={t('bulk.all')} checked={p.marked.size > 0 && p.marked.size === p.data.rows.length} onChange={p.all} />
              </th>
            )}
            <Head sort="day" {...p}>
              {t('work.age')}
            </Head>
            <Head sort="class" {...p}>
              {t('class')}
            </Head>
            <Head sort="meter" {...p}>
              {t('work.about')}
            </Head>
            <Head sort="amount" num {...p}>
              {t('work.amount')}
            </Head>
            <th scope="col">{t('work.sides')}</th>
            <Head sort="state" {...p}>
              {t('col.state')}
            </Head>
            <th scope="col">{t('work.assignee')}</th>
          </tr>
        </thead>
        <tbody>
          {p.data.rows.map((r, n) => (
            <Row key={`${r.key} ${r.found_run}`} r={r} here={n === p.at} asOf={p.data.as_of} marks={marks} {...p} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head(p: Props & { sort: Sort; num?: boolean; children: string }): JSX.Element {
  const on = p.filter.sort === p.sort;
  return (
    <th scope="col" class={p.num ? 'num' : ''} aria-sort={on ? (p.filter.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={() => p.change({ sort: p.sort, down: on ? !p.filter.down : p.sort === 'amount' })}>
        {p.children} <span aria-hidden="true">{on ? (p.filter.down ? '↓' : '↑') : ''}</span>
      </button>
    </th>
  );
}

function Row(p: Props & { r: WorkItemJSON; here: boolean; asOf: string; marks: boolean }): JSX.Element {
  const { r } = p;
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (p.here) row.current?.scrollIntoView({ block: 'nearest' });
  }, [p.here]);
  const click = (e: MouseEvent): void => {
    if (!(e.target as Element).closest('a, input, label') && !getSelection()?.toString()) p.open(r);
  };
  return (
    <tr ref={row} class={`${p.here ? 'here' : ''} ${p.marked.has(r.key) ? 'marked' : ''}`} aria-current={p.here ? 'true' : undefined} data-key={r.key} onClick={click}>
      {p.marks && (
        <td class="box noprint">
          <input type="checkbox" aria-label={t('bulk.one', { key: r.key })} checked={p.marked.has(r.key)} onChange={() => p.mark(r.key)} />
        </td>
      )}
      <td class="age">
        <b>{t('work.days', { n: daysBetween(r.day, p.asOf) })}</b>
        <span class="count">{r.day}</span>
      </td>
      <th scope="row">
        <a href={formatRoute({ view: 'case', key: r.key, back: formatFilter(p.filter).toString() })}>{className(r.class)}</a>
      </th>
      <td class="about">
        <Medium id={r.utility} /> <About r={r} />
      </td>
      <td class="num amount">
        <Yuan of={r.amount} />
        {r.volume !== 0 && <span class="count">{formatVolume(r.volume, r.utility)}</span>}
      </td>
      <td class="sides">
        <Sides r={r} />
      </td>
      <td class="stand">
        <DifferenceMark state={r.state} cleared={r.cleared_run !== 0} />
      </td>
      <td class="assignee">{r.assignee || '–'}</td>
    </tr>
  );
}

/** What a difference is about: an order of a channel, or a purchase at a meter. */
export function About({ r }: { r: WorkItemJSON }): JSX.Element {
  return (
    <>
      {r.meter && <code>{r.meter}</code>}
      {r.purchase > 0 && <span class="quiet"> {t('work.purchase', { n: r.purchase })}</span>}
      {r.order && (
        <span class={r.meter ? 'count' : ''}>
          {words.word('channel', r.channel)} <code>{r.order}</code>
        </span>
      )}
    </>
  );
}

function Sides({ r }: { r: WorkItemJSON }): JSX.Element {
  return (
    <>
      {words.tell(r.shown)}
      {r.expected && <span class="count">{words.tell(r.expected)}</span>}
    </>
  );
}
