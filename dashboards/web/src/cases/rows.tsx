// Cases in a list: a table on the desk, cards on the phone.

import type { JSX } from 'preact';
import { className } from '../shared/classname.ts';
import { formatAge, formatTime } from '../shared/format.ts';
import type { InboxRowJSON } from '../shared/openapi.ts';
import { lang } from '../shared/words.ts';
import { Due, Light } from './due.tsx';
import { departmentName, personName } from './names.ts';
import { go, link, now } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';
import { eventText } from './wordsevent.ts';

export interface ListProps {
  rows: readonly InboxRowJSON[];
  gone: ReadonlySet<string>;
  at: number;
  chosen: ReadonlySet<string>;
  current: number;
  onSelect: (id: string) => void;
  onCurrent: (n: number) => void;
}

/** The limits that a row waits under: of the step, and of handling. */
export function Limits({ row, at }: { row: InboxRowJSON; at: number }): JSX.Element {
  if (!row.step && !row.handling) return <Light light={row.light} clock={row.clock} />;
  return (
    <span class="limits">
      {row.step && <Due due={row.step} asOf={at} />}
      {row.handling && <Due due={row.handling} asOf={at} named={Boolean(row.step)} />}
    </span>
  );
}

function Tags({ row }: { row: InboxRowJSON }): JSX.Element {
  return (
    <>
      <span class="tag">{codes.word('st', row.state)}</span>
      {row.request && <span class="tag asks">{t('asks', { what: codes.word('req', row.request) })}</span>}
      {row.urgency !== 'normal' && <span class="tag urgent">{codes.word('urg', row.urgency)}</span>}
      {row.reworks > 0 && <span class="tag">{t('reworks', { n: row.reworks })}</span>}
    </>
  );
}

/** Whom a case is with. */
function withWhom(row: InboxRowJSON): string {
  if (row.inspector && row.inspector !== 'citygrid') return personName(row.inspector);
  return row.handler ? departmentName(row.handler) : row.sent_to.map(departmentName).join(lang.value === 'en' ? ', ' : '、');
}

function Check({ row, p }: { row: InboxRowJSON; p: ListProps }): JSX.Element {
  return (
    <label class="pick">
      <input type="checkbox" checked={p.chosen.has(row.id)} onChange={() => p.onSelect(row.id)} />
      <span class="sr">{t('select', { id: row.id })}</span>
    </label>
  );
}

function Age({ time }: { time: string }): JSX.Element {
  const ms = Date.parse(time);
  return (
    <time dateTime={time} title={formatTime(ms)}>
      {formatAge(now.value - ms, lang.value)}
    </time>
  );
}

/** What a row says of a case whose place is not known in words. */
function where(row: InboxRowJSON): string {
  return row.location || row.component || row.cell || t('nowhere');
}

/** A click on a row opens it, but not one on what is in it. */
function opens(e: MouseEvent, id: string): void {
  if (e.target instanceof Element && e.target.closest('a, button, label, input')) return;
  if (getSelection()?.toString()) return; // somebody copies a text
  go({ page: 'case', id });
}

export function Table(p: ListProps & { onAll: (on: boolean) => void }): JSX.Element {
  const all = p.rows.every((r) => p.chosen.has(r.id));
  return (
    <div class="scroll">
      <table class="cases-table">
        <caption class="sr">{t('inbox')}</caption>
        <thead>
          <tr>
            <th class="pickcol">
              <label class="pick">
                <input type="checkbox" checked={all} onChange={() => p.onAll(!all)} />
                <span class="sr">{t('select.all')}</span>
              </label>
            </th>
            <th>{t('col.limit')}</th>
            <th>{t('col.case')}</th>
            <th>{t('col.where')}</th>
            <th>{t('col.state')}</th>
            <th>{t('col.with')}</th>
            <th>{t('col.source')}</th>
            <th>{t('col.reported')}</th>
          </tr>
        </thead>
        <tbody>
          {p.rows.map((row, n) => (
            <tr key={row.id} data-case={row.id} class={`${p.gone.has(row.id) ? 'gone' : ''} ${n === p.current ? 'current' : ''}`} onClick={(e) => opens(e, row.id)} onFocusCapture={() => p.onCurrent(n)}>
              <td class="pickcol">
                <Check row={row} p={p} />
              </td>
              <td class="limitcol">{p.gone.has(row.id) ? <span class="quiet">{t('gone')}</span> : <Limits row={row} at={p.at} />}</td>
              <td class="casecol">
                <a class="number" href={link({ page: 'case', id: row.id })}>
                  {row.id}
                </a>
                <b>{className(row)}</b>
                <span class="quiet clip">{eventText(row.description, lang.value)}</span>
              </td>
              <td class="wherecol">
                <span class="clip">{where(row)}</span>
                {row.cell && <span class="quiet code">{row.cell}</span>}
              </td>
              <td>
                <span class="tags">
                  <Tags row={row} />
                </span>
              </td>
              <td>{withWhom(row)}</td>
              <td>{codes.word('src', row.source)}</td>
              <td class="agecol">
                <Age time={row.reported} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Cards(p: ListProps): JSX.Element {
  return (
    <ul class="cards">
      {p.rows.map((row) => (
        <li key={row.id} data-case={row.id} class={p.gone.has(row.id) ? 'gone' : ''} onClick={(e) => opens(e, row.id)}>
          <Check row={row} p={p} />
          <div>
            <p class="top-line">
              {p.gone.has(row.id) ? <span class="quiet">{t('gone')}</span> : <Limits row={row} at={p.at} />}
              <Age time={row.reported} />
            </p>
            <a class="number" href={link({ page: 'case', id: row.id })}>
              <b>{className(row)}</b> <span class="code">{row.id}</span>
            </a>
            <p class="clip2">{eventText(row.description, lang.value) || where(row)}</p>
            <p class="quiet">{where(row)}</p>
            <span class="tags">
              <Tags row={row} />
              {withWhom(row) && <span class="quiet">{withWhom(row)}</span>}
            </span>
          </div>
        </li>
      ))}
    </ul>
  );
}
