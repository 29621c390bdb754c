// The list of differences: what is to be looked at, by whom, and what it comes to.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { address } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import type { WorkItemJSON, WorkListJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { can } from '../shared/session.ts';
import { Empty, Problem, Skeleton } from '../shared/ui.tsx';
import { Decide } from './decide.tsx';
import type { Filter } from './filter.ts';
import { filterParams, formatFilter } from './filter.ts';
import { Help } from './help.tsx';
import { commandOf, move } from './keys.ts';
import { go } from './route.ts';
import { Pages } from './rows.tsx';
import { t, words } from './words.ts';
import { Filters, Sums } from './workfilter.tsx';
import { keepWork, shownKeys } from './workstate.ts';
import { WorkTable } from './worktable.tsx';

const PAGE = 100;

export function Work({ filter }: { filter: Filter }): JSX.Element {
  const key = formatFilter(filter).toString();
  const [offset, setOffset] = useState(0);
  const { data, error, again } = usePolled<WorkListJSON>('/api/v1/ledger/work', () => ({ ...filterParams(filter), limit: PAGE, offset }), 30_000, `${key} ${offset}`);
  const change = (part: Partial<Filter>): void => {
    setOffset(0);
    go({ view: 'work', filter: { ...filter, ...part } }, true);
  };
  useEffect(() => keepWork(filter), [key]);
  useEffect(() => {
    if (data) shownKeys.value = data.rows.map((r) => r.key);
  }, [data]);
  return (
    <>
      <Filters filter={filter} change={change} assignees={data?.assignees ?? []} />
      {error && <Problem error={error} words={words} />}
      {!data && !error && <Skeleton lines={8} />}
      {data && <Sums data={data} filter={filter} change={change} />}
      {data && data.total === 0 && <Empty title={t('work.none')}>{t('work.none.why')}</Empty>}
      {data && data.total > 0 && (
        <>
          <List key={`${key} ${offset}`} data={data} filter={filter} change={change} again={again} />
          <div class="row">
            <Pages total={data.total} offset={offset} size={PAGE} onChange={setOffset} />
            <span class="row push noprint">
              <a id="export-csv" class="button" download href={exportAddress(filter, 'csv')}>
                {common.t('csv')}
              </a>
              <a id="export-xlsx" class="button" download href={exportAddress(filter, 'xlsx')}>
                {common.t('xlsx')}
              </a>
            </span>
          </div>
        </>
      )}
    </>
  );
}

/** The table of exactly this filter, all pages of it. */
export function exportAddress(filter: Filter, format: 'csv' | 'xlsx'): string {
  return address('/api/v1/exports/differences', { ...filterParams(filter), format });
}

type Asked = '' | 'explain' | 'assign' | 'help';

function List(p: { data: WorkListJSON; filter: Filter; change: (part: Partial<Filter>) => void; again: () => void }): JSX.Element {
  const { rows } = p.data;
  const [at, setAt] = useState(-1);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<Asked>('');
  const mark = (key: string): void => setMarked((m) => new Set(m.has(key) ? [...m].filter((one) => one !== key) : [...m, key]));
  const all = (): void => setMarked((m) => (m.size === rows.length ? new Set() : new Set(rows.map((r) => r.key))));
  const here = rows[at];
  const chosen = rows.filter((r) => (marked.size > 0 ? marked.has(r.key) : r === here));
  const open = (r: WorkItemJSON | undefined): void => {
    if (r) go({ view: 'case', key: r.key, back: formatFilter(p.filter).toString() });
  };
  const decide = (what: Asked): void => {
    if (can('clerk') && chosen.length > 0) setAsked(what);
  };
  useKeys((command) => {
    switch (command) {
      case 'open':
        return open(here);
      case 'mark':
        return here && mark(here.key);
      case 'all':
        return all();
      case 'decide':
        return marked.size > 0 ? decide('explain') : open(here);
      case 'assign':
        return decide('assign');
      case 'help':
        return setAsked('help');
      case 'back':
        return setMarked(new Set());
      case 'search':
        return document.getElementById('work-text')?.focus();
      default:
        setAt((now) => move(now, command, rows.length));
    }
  });
  return (
    <>
      {marked.size > 0 && can('clerk') && (
        <div class="row bulk noprint" role="status">
          <b>{t('bulk.marked', { n: marked.size })}</b>
          <button type="button" class="main" onClick={() => setAsked('assign')}>
            {t('act.assign')}
          </button>
          <button type="button" onClick={() => setAsked('explain')}>
            {t('act.explain')}
          </button>
          <button type="button" onClick={() => setMarked(new Set())}>
            {t('bulk.clear')}
          </button>
        </div>
      )}
      <WorkTable data={p.data} at={at} marked={marked} mark={mark} all={all} open={open} filter={p.filter} change={p.change} />
      <p class="quiet note noprint">
        <button type="button" class="link" onClick={() => setAsked('help')}>
          {t('keys.hint')}
        </button>
      </p>
      {asked === 'help' && <Help onClose={() => setAsked('')} />}
      {(asked === 'explain' || asked === 'assign') && (
        <Decide action={asked} items={chosen} assignees={p.data.assignees} onClose={() => setAsked('')}
          onDone={() => {
            setAsked('');
            setMarked(new Set());
            p.again();
          }} />
      )}
    </>
  );
}

/** Hands commands of the keyboard to do, which may be another function each time. */
export function useKeys(doIt: (command: NonNullable<ReturnType<typeof commandOf>>) => unknown): void {
  const last = useRef(doIt);
  last.current = doIt;
  useEffect(() => {
    const press = (e: KeyboardEvent): void => {
      if (document.querySelector('dialog[open]')) return;
      const command = commandOf(e);
      if (!command) return;
      e.preventDefault();
      last.current(command);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}
