// Rows of a ledger, page by page, and the line of the file that each came from.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Params } from '../shared/api.ts';
import { ask } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatCount, formatTime } from '../shared/format.ts';
import type { RowJSON, RowsJSON, SourceJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { Dialog, Empty, errorText, Problem, say, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { formatCredit } from './money.ts';
import { formatRoute } from './route.ts';
import type { Which } from './which.ts';
import { kindWord } from './which.ts';
import { t, words } from './words.ts';

const PAGE = 50;

export function Rows({ which, filter }: { which: Which; filter: Params }): JSX.Element {
  const [offset, setOffset] = useState(0);
  const key = JSON.stringify(filter);
  const { data, error } = usePolled<RowsJSON>('/api/v1/ledger/rows', () => ({ ledger: which, ...filter, limit: PAGE, offset }), 0, `${which} ${key} ${offset}`);
  if (error) return <Problem error={error} words={words} />;
  if (!data) return <Skeleton lines={4} />;
  if (data.total === 0) return <Empty title={t('ledger.empty')} />;
  return (
    <div class="rows">
      <div class="scroll" tabIndex={0} role="group" aria-label={t(`rows.${which}`)}>
        <table>
          <thead>
            <tr>
              {columns(which).map((c) => (
                <th key={c} scope="col" class={NUM.has(c) ? 'num' : ''}>
                  {t(`row.${c}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.rows.map((r) => (
              <tr key={r.row}>
                {columns(which).map((c) => (
                  <td key={c} class={NUM.has(c) ? 'num' : ''}>
                    <RowCell which={which} r={r} c={c} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pages total={data.total} offset={offset} size={PAGE} onChange={setOffset} />
    </div>
  );
}

type Column = 'at' | 'kind' | 'order' | 'meter' | 'purchase' | 'card' | 'amount' | 'residual' | 'bought' | 'used' | 'reference' | 'who' | 'source';
const NUM = new Set<Column>(['purchase', 'amount', 'residual', 'bought', 'used']);

function columns(which: Which): readonly Column[] {
  switch (which) {
    case 'sales':
      return ['at', 'kind', 'order', 'meter', 'purchase', 'card', 'amount', 'who', 'source'];
    case 'payments':
      return ['at', 'kind', 'order', 'reference', 'amount', 'source'];
    default:
      return ['at', 'kind', 'meter', 'purchase', 'card', 'amount', 'residual', 'bought', 'used', 'source'];
  }
}

function RowCell({ which, r, c }: { which: Which; r: RowJSON; c: Column }): JSX.Element {
  switch (c) {
    case 'at':
      return <time dateTime={r.at}>{formatTime(Date.parse(r.at))}</time>;
    case 'kind':
      return <>{kindWord(which, r.kind)}</>;
    case 'order':
      return (
        <code>
          {r.order}
          {r.undoes && <span class="quiet"> ↩ {r.undoes}</span>}
        </code>
      );
    case 'meter':
      return r.meter ? <a href={formatRoute({ view: 'search', text: '', meter: r.meter })}>{r.meter}</a> : <code>{r.meter_number}</code>;
    case 'purchase':
      return <>{r.purchase || ''}</>;
    case 'card':
      return <code>{r.card}</code>;
    case 'reference':
      return <code>{r.where}</code>;
    case 'who':
      return <>{[r.who, r.where].filter(Boolean).join(' · ')}</>;
    case 'source':
      return which === 'entries' ? <span class="quiet">{[r.collector, words.word('channel', r.source)].filter(Boolean).join(' · ')}</span> : <Source which={which} row={r.row} />;
    default:
      return <>{r[c] ? formatCredit(r[c]) : '–'}</>;
  }
}

/** A button that shows the line of the file. */
export function Source({ which, row, name }: { which: 'sales' | 'payments'; row: number; name?: string }): JSX.Element {
  const [found, setFound] = useState<SourceJSON | null>(null);
  const show = (): void => {
    ask<SourceJSON>('/api/v1/ledger/source', { ledger: which, row }).then(setFound, (err: unknown) => say(errorText(err, words), true));
  };
  return (
    <>
      <button type="button" class="link" onClick={show}>
        {name || t('source.show')}
      </button>
      {found && <SourceDialog s={found} onClose={() => setFound(null)} />}
    </>
  );
}

function SourceDialog({ s, onClose }: { s: SourceJSON; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('source')} onClose={onClose} wide>
      <dl class="facts">
        <dt>{t('file.name')}</dt>
        <dd>{s.import.name}</dd>
        <dt>{t('source.line')}</dt>
        <dd>{s.line > 0 ? t('source.line_of', { line: s.line, row: s.row, rows: s.import.rows }) : t('source.unread')}</dd>
        <dt>{t('file.mapping')}</dt>
        <dd>{s.import.mapping}</dd>
        <dt>{t('runs.by')}</dt>
        <dd>
          {s.import.by}, {formatTime(Date.parse(s.import.at))}
        </dd>
        <dt>SM3</dt>
        <dd>
          <code>{s.import.sm3}</code>
        </dd>
      </dl>
      {s.text && (
        <pre class="raw" tabIndex={0}>
          {s.names && <span class="quiet">{s.names + '\n'}</span>}
          {s.text}
        </pre>
      )}
    </Dialog>
  );
}

/** Which rows of how many, and the pages before and after. */
export function Pages(p: { total: number; offset: number; size: number; onChange: (offset: number) => void }): JSX.Element | null {
  const n = (v: number): string => formatCount(v, lang.value);
  return (
    <div class="row pages noprint">
      <p class="quiet">{t('pages', { from: n(p.total === 0 ? 0 : p.offset + 1), to: n(Math.min(p.offset + p.size, p.total)), total: n(p.total) })}</p>
      {p.total > p.size && (
        <>
          <button type="button" disabled={p.offset === 0} onClick={() => p.onChange(Math.max(p.offset - p.size, 0))}>
            {common.t('page.prev')}
          </button>
          <button type="button" disabled={p.offset + p.size >= p.total} onClick={() => p.onChange(p.offset + p.size)}>
            {common.t('page.next')}
          </button>
        </>
      )}
    </div>
  );
}
