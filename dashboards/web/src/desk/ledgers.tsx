// The ledgers of a day side by side. Each sum opens down to its rows, and each row to the line of its file.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount, formatTime } from '../shared/format.ts';
import type { DayDetailJSON, ImportJSON, LedgerSumJSON } from '../shared/openapi.ts';
import { Empty } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { Yuan } from './marks.tsx';
import { fen, formatVolume } from './money.ts';
import { go } from './route.ts';
import { Rows } from './rows.tsx';
import type { Which } from './which.ts';
import { kindWord } from './which.ts';
import { t, words } from './words.ts';

/** Which events of cards are on the card's side (L3); the others are on the meter's (L4). */
const CARD = ['sale', 'clear', 'issue'];

interface Shown {
  which: Which;
  channel: string;
  kind: string;
}

const idOf = (s: Shown): string => `${s.which}/${s.kind}/${s.channel}`;

/** What the address says is open; nothing where it says something else. */
export function shownOf(open: string): Shown | null {
  const m = /^(sales|payments|entries)\/([a-z]*)\/(.*)$/.exec(open);
  return m ? { which: m[1] as Which, kind: m[2] ?? '', channel: m[3] ?? '' } : null;
}

export function Ledgers({ d, open }: { d: DayDetailJSON; open: string }): JSX.Element {
  const [shown, setShown] = useState<Shown | null>(shownOf(open));
  const show = (s: Shown): void => {
    const same = shown !== null && idOf(shown) === idOf(s);
    setShown(same ? null : s);
    go({ view: 'day', utility: d.utility, day: d.line.day, open: same ? '' : idOf(s) }, true);
  };
  const columns: [string, Which, readonly LedgerSumJSON[]][] = [
    ['l1', 'sales', d.sales],
    ['l2', 'payments', d.payments],
    ['l3', 'entries', d.entries.filter((e) => CARD.includes(e.kind))],
    ['l4', 'entries', d.entries.filter((e) => !CARD.includes(e.kind))],
  ];
  return (
    <section class="panel ledgers">
      <header>
        <h3>{t('ledgers')}</h3>
        <p class="quiet">{t('ledgers.note')}</p>
      </header>
      <div class="columns">
        {columns.map(([name, which, list]) => (
          <Column key={name} name={name as 'l1'} which={which} list={list} utility={d.utility} shown={shown} show={show} />
        ))}
      </div>
      {shown && <Rows key={idOf(shown)} which={shown.which} filter={{ utility: d.utility, from: d.line.day, to: d.line.day, channel: shown.channel, kind: shown.kind }} />}
      <Files list={d.files} />
    </section>
  );
}

function Column(p: { name: 'l1' | 'l2' | 'l3' | 'l4'; which: Which; list: readonly LedgerSumJSON[]; utility: string; shown: Shown | null; show: (s: Shown) => void }): JSX.Element {
  const count = p.list.reduce((n, s) => n + s.count, 0);
  const net = p.list.reduce((v, s) => v + (back(s.kind) ? -fen(s.amount) : fen(s.amount)), 0n);
  const money = p.name === 'l1' || p.name === 'l2';
  return (
    <div class="ledger">
      <h4>
        {t(`ledger.${p.name}`)} <span class="quiet">{t(`ledger.${p.name}.what`)}</span>
      </h4>
      <p class="sum">
        {money ? <Yuan of={net} /> : <b>{formatCount(count, lang.value)}</b>}
        <span class="count">{money ? t('pieces', { n: formatCount(count, lang.value) }) : t('entries')}</span>
      </p>
      {p.list.length === 0 && <p class="quiet">{t('ledger.empty')}</p>}
      <ul>
        {p.list.map((s) => {
          const one: Shown = { which: p.which, channel: s.channel, kind: s.kind };
          const isShown = p.shown !== null && idOf(p.shown) === idOf(one);
          return (
            <li key={idOf(one)}>
              <button type="button" aria-expanded={isShown} onClick={() => p.show(one)}>
                <span>
                  {kindWord(p.which, s.kind)} <span class="quiet">{words.word('channel', s.channel)}</span>
                </span>
                <span class="num">
                  {fen(s.amount) !== 0n && <Yuan of={back(s.kind) && p.which !== 'entries' ? -fen(s.amount) : s.amount} />}
                  {s.volume !== 0 && p.which === 'entries' && <span class="quiet"> {formatVolume(s.volume, p.utility)}</span>}
                  <span class="count">{formatCount(s.count, lang.value)}</span>
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

const back = (kind: string): boolean => kind === 'refund' || kind === 'reversal';

function Files({ list }: { list: readonly ImportJSON[] }): JSX.Element {
  if (list.length === 0) return <Empty title={t('files.none')} />;
  return (
    <details class="files">
      <summary>{t('files', { n: formatCount(list.length, lang.value) })}</summary>
      <div class="scroll" tabIndex={0} role="group" aria-label={t('files', { n: list.length })}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('file.name')}</th>
              <th scope="col">{t('side')}</th>
              <th scope="col">{t('channel')}</th>
              <th scope="col" class="num">{t('file.rows')}</th>
              <th scope="col" class="num">{t('file.debit')}</th>
              <th scope="col" class="num">{t('file.credit')}</th>
              <th scope="col">{t('runs.by')}</th>
              <th scope="col">{t('runs.at')}</th>
            </tr>
          </thead>
          <tbody>
            {list.map((f) => (
              <tr key={f.id}>
                <th scope="row" title={`SM3 ${f.sm3}`}>
                  {f.name} <span class="quiet">#{f.number}</span>
                </th>
                <td>{t(`file.${f.content}`)}</td>
                <td>{words.word('channel', f.channel)}</td>
                <td class="num">
                  {formatCount(f.rows, lang.value)}
                  {f.unresolved > 0 && <span class="count">{t('file.unresolved', { n: f.unresolved })}</span>}
                </td>
                <td class="num">
                  <Yuan of={f.debit} />
                </td>
                <td class="num">
                  <Yuan of={f.credit} />
                </td>
                <td>{f.by}</td>
                <td>{formatTime(Date.parse(f.at))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet note">{common.t('zone')}</p>
    </details>
  );
}
