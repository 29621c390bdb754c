// One act for several cases at once.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ask, send } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { mayChange } from '../shared/session.ts';
import type { BatchItemJSON, BatchResultJSON, CaseDetail, InboxRowJSON } from '../shared/openapi.ts';
import { Button, Dialog, Field, Problem } from '../shared/ui.tsx';
import { newID } from './actbody.ts';
import { DepartmentList } from './actfields.tsx';
import { refusalText } from './actform.tsx';
import { outcome } from './batch.ts';
import { departments, inspectors, personName } from './names.ts';
import { link, role } from './state.ts';
import { t, words } from './words.ts';
import { codes } from './wordscodes.ts';
import { ApiError } from '../shared/api.ts';

/** The acts that are the same for all cases, or nearly. */
const BULK = ['accept', 'file', 'dispatch', 'take', 'send_check', 'close', 'note'] as const;
type BulkAct = (typeof BULK)[number];

/** A batch holds so many (the hub's bound). */
const MOST = 100;

interface Props {
  rows: readonly InboxRowJSON[];
  onClear: () => void;
  onDone: () => void;
}

/** What may be done to the chosen rows: each act with how many of them it fits. */
export function BulkBar({ rows, onClear, onDone }: Props): JSX.Element {
  const [act, setAct] = useState<BulkAct | ''>('');
  const fits = (a: string): InboxRowJSON[] => rows.filter((r) => r.acts.includes(a)).slice(0, MOST);
  const offered = BULK.filter((a) => fits(a).length > 0);
  return (
    <div class="bulkbar noprint" role="region" aria-label={t('bulk')}>
      <b aria-live="polite">{t('bulk.chosen', { n: rows.length })}</b>
      {offered.map((a) => (
        <button key={a} type="button" data-bulk={a} onClick={() => setAct(a)}>
          {codes.t(`act.${a}`)} <span class="count">{fits(a).length}</span>
        </button>
      ))}
      {offered.length === 0 && <span class="quiet">{mayChange.value ? t('bulk.nothing') : codes.t('why.tour')}</span>}
      <button type="button" class="push" onClick={onClear}>
        {t('bulk.clear')}
      </button>
      {act && (
        <Bulk act={act} rows={fits(act)} skipped={rows.length - fits(act).length} onDone={onDone} onClose={() => {
          setAct('');
          onDone();
        }} />
      )}
    </div>
  );
}

interface Typed {
  text: string;
  inspector: string;
  departments: readonly string[];
  /** The departments that the register proposes for each. */
  proposed: boolean;
}

/** The register's proposals for some cases, a few at a time. */
async function proposals(ids: readonly string[]): Promise<Map<string, readonly string[]>> {
  const out = new Map<string, readonly string[]>();
  for (let n = 0; n < ids.length; n += 6) {
    const part = await Promise.all(ids.slice(n, n + 6).map((id) => ask<CaseDetail>(`/api/v1/cases/${encodeURIComponent(id)}`)));
    for (const d of part) out.set(d.id, d.suggested);
  }
  return out;
}

function Bulk(p: { act: BulkAct; rows: readonly InboxRowJSON[]; skipped: number; onClose: () => void; onDone: () => void }): JSX.Element {
  const [v, setV] = useState<Typed>({ text: '', inspector: '', departments: [], proposed: true });
  const [error, setError] = useState<unknown>(null);
  const [wrong, setWrong] = useState('');
  const [results, setResults] = useState<readonly BatchResultJSON[] | null>(null);
  const [ids] = useState(() => new Map(p.rows.map((r) => [r.id, newID()])));
  const [rows] = useState(p.rows);
  const go = async (): Promise<void> => {
    setError(null);
    const lack = p.act === 'note' && !v.text.trim() ? 'text' : p.act === 'send_check' && !v.inspector ? 'inspector' : p.act === 'dispatch' && !v.proposed && v.departments.length === 0 ? 'departments' : '';
    setWrong(lack);
    if (lack) return;
    try {
      const to = p.act === 'dispatch' && v.proposed ? await proposals(rows.map((r) => r.id)) : null;
      const items: BatchItemJSON[] = rows.map((r) => ({
        case: r.id, client_id: ids.get(r.id) ?? newID(),
        act: {
          act: p.act, role: role.value as 'acceptor', ...(v.text.trim() ? { text: v.text.trim() } : {}), ...(p.act === 'send_check' ? { inspector: v.inspector } : {}),
          ...(p.act === 'dispatch' ? { departments: [...(to?.get(r.id) ?? v.departments)] } : {}),
        },
      }));
      const answer = await send<{ results: BatchResultJSON[] }>('POST', '/api/v1/acts/batch', { items });
      setResults(answer.results);
      p.onDone();
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Dialog title={t('bulk.title', { act: codes.t(`act.${p.act}`), n: rows.length })} onClose={p.onClose}>
      {results ? <Results results={results} rows={rows} /> : (
        <>
          {p.skipped > 0 && <p class="quiet">{t('bulk.skipped', { n: p.skipped })}</p>}
          <BulkFields act={p.act} v={v} wrong={wrong} set={(change) => setV({ ...v, ...change })} />
          {error !== null && <Problem error={error} words={words} />}
        </>
      )}
      <footer class="row">
        <button type="button" onClick={p.onClose}>
          {common.t(results ? 'close' : 'cancel')}
        </button>
        {!results && (
          <Button kind="main" id="bulk-go" onClick={go}>
            {codes.t(`act.${p.act}`)}
          </Button>
        )}
      </footer>
    </Dialog>
  );
}

function BulkFields({ act, v, wrong, set }: { act: BulkAct; v: Typed; wrong: string; set: (change: Partial<Typed>) => void }): JSX.Element {
  const error = (name: string): string => (wrong === name ? t('needed') : '');
  const toggle = (d: string): void => set({ departments: v.departments.includes(d) ? v.departments.filter((o) => o !== d) : [...v.departments, d] });
  return (
    <>
      {act === 'dispatch' && (
        <fieldset class={`field ${wrong === 'departments' ? 'wrong' : ''}`}>
          <legend>{codes.t('f.departments')} *</legend>
          <label class="check">
            <input type="radio" name="to" checked={v.proposed} onChange={() => set({ proposed: true })} /> {t('bulk.proposed')}
          </label>
          <label class="check">
            <input type="radio" name="to" checked={!v.proposed} onChange={() => set({ proposed: false })} /> {t('bulk.same')}
          </label>
          {!v.proposed && <DepartmentList list={[...departments.value.keys()]} proposed={[]} chosen={v.departments} onToggle={toggle} />}
          {wrong === 'departments' && <p class="note">{t('needed')}</p>}
        </fieldset>
      )}
      {act === 'send_check' && (
        <Field label={`${codes.t('f.inspector')} *`} error={error('inspector')} render={(id) => (
          <select id={id} value={v.inspector} onChange={(e) => set({ inspector: e.currentTarget.value })}>
            <option value="">{t('choose')}</option>
            {inspectors().map((i) => <option key={i.id} value={i.id}>{personName(i.id)}</option>)}
          </select>
        )} />
      )}
      <Field label={act === 'note' ? `${codes.t('f.text')} *` : codes.t('f.text')} error={error('text')} render={(id) => <textarea id={id} maxLength={2000} value={v.text} onInput={(e) => set({ text: e.currentTarget.value })} />} />
    </>
  );
}

/** What became of each case. */
function Results({ results, rows }: { results: readonly BatchResultJSON[]; rows: readonly InboxRowJSON[] }): JSX.Element {
  const { done, refused } = outcome(results);
  return (
    <div role="status">
      <p>
        <b>{t('bulk.done', { n: done })}</b> {refused > 0 && t('bulk.refused', { n: refused })}
      </p>
      <ul class="results">
        {results.map((r, n) => (
          <li key={r.client_id} class={r.problem ? 'bad' : ''}>
            <a class="code" href={link({ page: 'case', id: rows[n]?.id ?? '' })}>{rows[n]?.id}</a>{' '}
            {r.done ? codes.word('st', r.done.state) : refusalText(new ApiError(r.problem?.code ?? '', r.problem?.detail ?? '', r.problem?.status, r.problem?.errors, 0, r.problem?.why))}
          </li>
        ))}
      </ul>
    </div>
  );
}
