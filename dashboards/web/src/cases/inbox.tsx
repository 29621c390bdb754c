import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import type { InboxRowJSON } from '../shared/openapi.ts';
import { formatTime } from '../shared/format.ts';
import { Empty, Problem, Skeleton } from '../shared/ui.tsx';
import { BulkBar } from './bulk.tsx';
import { FilterBar } from './filters.tsx';
import { isFiltered } from './hash.ts';
import { Help } from './help.tsx';
import { useKeys } from './keys.ts';
import { useInbox } from './live.ts';
import { Cards, Table } from './rows.tsx';
import { go, phone, role, view } from './state.ts';
import { RoleTabs, TaskTabs } from './tabs.tsx';
import { t, words } from './words.ts';

/** The rows that were listed last, for going to the next case from within one. */
export const listed: { ids: readonly string[] } = { ids: [] };

/** What waits for a role. */
export function Inbox(): JSX.Element {
  const v = view.value;
  const [trail, setTrail] = useState<readonly string[]>([]);
  const key = JSON.stringify([role.value, v.tab, v.filters]);
  useEffect(() => setTrail([]), [key]);
  const cursor = trail.at(-1) ?? '';
  const live = useInbox({ role: role.value, tab: v.tab, ...v.filters, cursor, limit: 50 });
  const { rows } = live.shown;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => setChosen(new Set()), [key, cursor]);
  const [at, setAt] = useState(-1);
  useEffect(() => setAt(-1), [key, cursor]);
  listed.ids = rows.map((r) => r.id);
  const [help, setHelp] = useState(false);
  const body = useRef<HTMLDivElement>(null);
  const select = (id: string): void => setChosen((s) => (s.has(id) ? new Set([...s].filter((o) => o !== id)) : new Set([...s, id])));
  const move = (step: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, at + step));
    setAt(next);
    body.current?.querySelectorAll<HTMLElement>('[data-case]')[next]?.querySelector<HTMLElement>('a.number')?.focus();
  };
  const row: InboxRowJSON | undefined = rows[at];
  useKeys({
    j: () => move(1), k: () => move(-1), x: () => row && select(row.id), Enter: () => row && go({ page: 'case', id: row.id }),
    '/': () => document.getElementById('q')?.focus(), '?': () => setHelp(true), r: live.again, Escape: () => setChosen(new Set()),
  });
  // Rows stay where they are while some are chosen, or the pointer is at them.
  const pointer = useRef(false);
  useEffect(() => live.hold(pointer.current || chosen.size > 0), [chosen.size]);
  const point = (on: boolean) => (): void => {
    pointer.current = on;
    live.hold(on || chosen.size > 0);
  };
  const list = { rows, gone: live.shown.gone, at: live.at, chosen, current: at, onSelect: select, onCurrent: setAt };
  return (
    <>
      <div class="row head noprint">
        <h1>{t('title')}</h1>
        <RoleTabs />
      </div>
      <section class="panel inbox" aria-label={t('inbox')}>
        <TaskTabs tabs={live.page?.tabs} />
        <FilterBar onHelp={() => setHelp(true)} />
        {live.error && <Problem error={live.error} words={words} />}
        <div ref={body} onPointerEnter={point(true)} onPointerLeave={point(false)}>
          {!live.page && !live.error && <Skeleton lines={8} />}
          {live.page && rows.length === 0 && !live.page.searched_to && <Nothing />}
          {rows.length > 0 && (phone.value ? <Cards {...list} /> : <Table {...list} onAll={(on) => setChosen(on ? new Set(rows.map((r) => r.id)) : new Set())} />)}
        </div>
        {live.page?.searched_to && (
          <p class="quiet body" role="status" id="searched-to">{t(rows.length > 0 ? 'searched' : 'searched.none', { time: formatTime(Date.parse(live.page.searched_to)) })}</p>
        )}
        <footer class="pages noprint">
          {live.shown.waiting > 0 && (
            <button type="button" id="fresh" onClick={live.again}>
              {t('fresh', { n: live.shown.waiting })}
            </button>
          )}
          <span class="push" />
          {trail.length > 0 && (
            <button type="button" onClick={() => setTrail(trail.slice(0, -1))}>
              {common.t('page.prev')}
            </button>
          )}
          {live.page?.next && (
            <button type="button" id="next" onClick={() => setTrail([...trail, live.page?.next ?? ''])}>
              {live.page.searched_to ? t('searched.on') : common.t('page.next')}
            </button>
          )}
        </footer>
      </section>
      {chosen.size > 0 && <BulkBar rows={rows.filter((r) => chosen.has(r.id))} onClear={() => setChosen(new Set())} onDone={live.again} />}
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  );
}

/** Why the list is empty, and what to do. */
function Nothing(): JSX.Element {
  const v = view.value;
  if (isFiltered(v.filters)) {
    return (
      <Empty title={t('empty.filtered')}>
        <button type="button" onClick={() => go({ filters: {} })}>
          {t('filter.clear')}
        </button>
      </Empty>
    );
  }
  return <Empty title={t('empty')}>{t(v.tab === 'waiting' ? 'empty.waiting' : 'empty.tab')}</Empty>;
}
