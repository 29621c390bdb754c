// A cell: what is in it, how it stands, and the way on to meters and components.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { className } from '../shared/classname.ts';
import { formatAge, formatCount } from '../shared/format.ts';
import type { Tone } from '../shared/marks.tsx';
import { Medium, QualityMark, State } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import { quantityName } from '../shared/quantities.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import { Value } from '../shared/value.tsx';
import { lang } from '../shared/words.ts';
import type { AssetPageComponentJSON, Cell, CellClass, CellMeter } from './api.ts';
import { CaseRows } from './flow.tsx';
import { go, heard, now, QUICK } from './state.ts';
import { t, words } from './words.ts';

export function CellCard({ code, zoom }: { code: string; zoom: () => void }): JSX.Element {
  const { data, error } = usePolled<Cell>(`/api/v1/city/cells/${code}`, () => ({}), QUICK, code);
  const cell = data?.cell.code === code ? data : null;
  return (
    <section class="panel cell" aria-labelledby="cell-title" data-cell={code}>
      <header>
        <h2 id="cell-title">{cell?.cell.name || code}</h2>
        <button type="button" class="push" onClick={zoom}>{t('cell.zoom')}</button>
      </header>
      {error && <Problem error={error} words={words} />}
      {!cell && !error && <Skeleton lines={6} />}
      {cell && <Inside cell={cell} />}
    </section>
  );
}

function Inside({ cell }: { cell: Cell }): JSX.Element {
  const { code, duty, area } = cell.cell;
  return (
    <div class="body">
      <dl class="facts">
        <dt>{t('cell.code')}</dt>
        <dd class="code">{code}</dd>
        <dt>{t('cell.duty')}</dt>
        <dd>{duty || '\u2013'}</dd>
        <dt>{t('cell.area')}</dt>
        <dd>{formatCount(area, lang.value)} m²</dd>
      </dl>
      {cell.detailed ? (
        <>
          <h3>{t('cell.cases')}</h3>
          {cell.cases.length === 0 ? <p class="quiet">{t('cell.cases.none')}</p> : <CaseRows rows={cell.cases} />}
          <h3>{t('cell.meters')} <span class="quiet">{formatCount(cell.meters.length, lang.value)}</span></h3>
          {cell.meters.length === 0 ? <p class="quiet">{t('cell.meters.none')}</p> : <Meters rows={cell.meters} />}
          <h3>{t('cell.components')} <span class="quiet">{formatCount(cell.components.reduce((n, c) => n + c.n, 0), lang.value)}</span></h3>
          {cell.components.length === 0 && <p class="quiet">{t('cell.components.none')}</p>}
          {cell.components.map((c) => <ClassRow key={c.class} cell={code} of={c} />)}
        </>
      ) : (
        <p class="quiet">{t('cell.private')}</p>
      )}
    </div>
  );
}

const TONES: Record<string, Tone> = { answering: 'ok', late: 'warn', failing: 'bad', silent: 'none' };

function Meters({ rows }: { rows: readonly CellMeter[] }): JSX.Element {
  const at = now.value - heard.value.skew;
  return (
    <div class="scroll">
      <table class="tight">
        <thead>
          <tr>
            <th scope="col">{t('th.meter')}</th>
            <th scope="col" class="num">{t('th.reading')}</th>
            <th scope="col">{t('th.state')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((m) => {
            const state = m.silent ? 'silent' : m.state;
            return (
              <tr key={m.id}>
                <th scope="row">
                  <Medium id={m.medium} /> <a data-meter={m.id} href={`/meters#meter=${encodeURIComponent(m.id)}`}>{m.id}</a>
                </th>
                <td class="num">
                  <Value v={m} />
                  {m.quantity && <span class="below quiet">{quantityName(m.quantity)}</span>}
                </td>
                <td>
                  {m.quality === 'suspect' || m.quality === 'missing' ? <QualityMark quality={m.quality} /> : <State tone={TONES[state] ?? 'none'}>{words.word('ms', state)}</State>}
                  {m.taken_at && <span class="below quiet">{formatAge(at - Date.parse(m.taken_at), lang.value)}</span>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A class of components; its members are asked for when it is opened. */
function ClassRow({ cell, of }: { cell: string; of: CellClass }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details class="class" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        <span>{className(of)}</span>
        <b>{formatCount(of.n, lang.value)}</b>
        {of.damaged > 0 && <State tone="warn">{t('cell.damaged', { n: formatCount(of.damaged, lang.value) })}</State>}
      </summary>
      {open && <Members cell={cell} of={of} />}
    </details>
  );
}

function Members({ cell, of }: { cell: string; of: CellClass }): JSX.Element {
  const { data, error } = usePolled<AssetPageComponentJSON>('/api/v1/components', () => ({ cell, class: of.class, limit: 100 }), 0, cell + of.class);
  if (error) return <Problem error={error} words={words} />;
  if (!data) return <Skeleton lines={2} />;
  return (
    <ul class="members">
      {data.rows.map((c) => (
        <li key={c.id}>
          <button type="button" class="link" data-component={c.id} onClick={() => go({ component: c.id })}>{c.id}</button>
          <span class="quiet">{c.location || c.name}</span>
          {c.state && c.state !== 'intact' && <State tone="warn">{words.code('cs', c.state)}</State>}
        </li>
      ))}
    </ul>
  );
}
