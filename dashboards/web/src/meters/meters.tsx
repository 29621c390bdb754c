// The list of meters: tabs by medium, search, state, order, pages.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { MeterRow } from './api.ts';
import { formatAge, formatCount, withoutMeter } from '../shared/format.ts';
import { words } from './words.ts';
import { Medium, QualityMark } from '../shared/marks.tsx';
import { MeterMark } from './marks.tsx';
import type { Sort } from './route.ts';
import { formatRoute, MEDIA, SORTS } from './route.ts';
import { clearFilters, go, hubNow, lang, live, quantityName, route, t } from './state.ts';
import { Value } from '../shared/value.tsx';

/** How many rows lie before the page on screen; a cursor does not say. */
let before: { cursor: string; rows: number } = { cursor: '', rows: 0 };

export function MeterList(): JSX.Element {
  const { order, rows, loaded, total } = live.value;
  return (
    <section class="meters" id="meters" tabIndex={-1} aria-labelledby="meters-title">
      <h2 id="meters-title" class="sr">
        {t('meters')}
      </h2>
      <Filters />
      {order.length > 0 ? (
        <Table rows={order.map((id) => rows.get(id)).filter((r) => r !== undefined)} dim={!loaded} />
      ) : (
        <Empty loaded={loaded} />
      )}
      {total > 0 && <Pages />}
    </section>
  );
}

function Filters(): JSX.Element {
  const by = live.value.flow?.meters.by_medium ?? {};
  const all = live.value.flow?.meters.total;
  const tabs = [{ id: '', count: all }, ...MEDIA.map((id) => ({ id: id as string, count: by[id] }))];
  return (
    <div class="filters">
      <div class="tabs" role="group" aria-label={t('col.medium')}>
        {tabs.map(({ id, count }) => (
          <button key={id} type="button" aria-pressed={route.value.medium === id} onClick={() => go({ medium: id, cursor: '' })}>
            {id ? <Medium id={id} named /> : t('tab.all')}
            {count !== undefined && <span class="count">{formatCount(count, lang.value)}</span>}
          </button>
        ))}
      </div>
      {route.value.area && (
        <button type="button" class="chip" id="area" onClick={() => go({ area: '', cursor: '' })}>
          {t('area', { code: route.value.area })} <span aria-hidden="true">×</span>
          <span class="sr">{t('area.clear')}</span>
        </button>
      )}
      <Search />
      <label class="select">
        <span class="sr">{t('filter.silent')}</span>
        <select value={route.value.state} onChange={(e) => go({ state: e.currentTarget.value, cursor: '' })}>
          <option value="">{t('filter.all')}</option>
          {(['answering', 'late', 'failing'] as const).map((s) => (
            <option key={s} value={s}>
              {t(`filter.${s}`)}
            </option>
          ))}
        </select>
      </label>
      <label class="select">
        <span class="sr">{t('sort')}</span>
        <select value={route.value.sort} onChange={(e) => go({ sort: e.currentTarget.value as Sort, cursor: '' })}>
          {SORTS.map((s) => (
            <option key={s} value={s}>
              {t(`sort.${s}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** The search box asks a quarter of a second after the last key. */
function Search(): JSX.Element {
  const [text, setText] = useState(route.value.q);
  const timer = useRef(0);
  useEffect(() => setText(route.value.q), [route.value.q]);
  const type = (value: string): void => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => go({ q: value.trim(), cursor: '' }, false), 250);
  };
  return (
    <label class="search">
      <span class="sr">{t('search')}</span>
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <circle cx="7" cy="7" r="4.5" />
        <path d="m10.5 10.5 4 4" />
      </svg>
      <input type="search" value={text} placeholder={t('search')} maxLength={64} onInput={(e) => type(e.currentTarget.value)} />
    </label>
  );
}

function Table({ rows, dim }: { rows: MeterRow[]; dim: boolean }): JSX.Element {
  return (
    <table class={`list${dim ? ' dim' : ''}`} aria-busy={dim}>
      <thead>
        <tr>
          <th scope="col">{t('col.meter')}</th>
          <th scope="col">{t('col.quantity')}</th>
          <th scope="col" class="num">
            {t('col.value')}
          </th>
          <th scope="col">{t('col.quality')}</th>
          <th scope="col">{t('detail.state')}</th>
          <th scope="col" class="num">
            {t('col.age')}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((r) => (
          <Row key={r.id} r={r} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ r }: { r: MeterRow }): JSX.Element {
  const href = formatRoute({ ...route.value, meter: r.id, quantity: '' });
  const open = (e: MouseEvent): void => {
    if (e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    go({ meter: r.id, quantity: '' });
  };
  return (
    <tr class={r.state} data-meter={r.id}>
      <th scope="row" class="id">
        <Medium id={r.medium} />
        <a href={href} onClick={open}>
          {r.id}
        </a>
      </th>
      <td class="what">
        {r.quantity ? quantityName(r.quantity) : <span class="cut" title={r.fault?.error}>{withoutMeter(r.fault?.error ?? '', r.id)}</span>}
      </td>
      <td class="num reading">
        <Value v={r} />
      </td>
      <td class="quality">
        <QualityMark quality={r.quality} />
        {r.reason && <span class="why">{words.word('why', r.reason)}</span>}
      </td>
      <td class="mstate" title={r.fault?.error ?? ''}>
        <MeterMark state={r.state} />
      </td>
      <td class="num age">{r.taken_at ? formatAge(hubNow.value - Date.parse(r.taken_at), lang.value) : ''}</td>
    </tr>
  );
}

function Empty({ loaded }: { loaded: boolean }): JSX.Element {
  if (!loaded) return <p class="empty quiet">{t('loading')}</p>;
  const { medium, area, q, state, cursor } = route.value;
  const filtered = medium || area || q || state || cursor;
  return (
    <div class="empty">
      <h3>{t(filtered ? 'empty.match' : 'empty.none')}</h3>
      <p>{t(filtered ? 'empty.match.do' : 'empty.none.do')}</p>
      {filtered && (
        <button type="button" onClick={clearFilters}>
          {t('empty.clear')}
        </button>
      )}
    </div>
  );
}

function Pages(): JSX.Element {
  const { order, total, next } = live.value;
  const n = (v: number): string => formatCount(v, lang.value);
  const cursor = route.value.cursor;
  if (!cursor) before = { cursor: '', rows: 0 };
  const known = before.cursor === cursor;
  const turn = (): void => {
    before = { cursor: next, rows: known ? before.rows + order.length : NaN };
    go({ cursor: next });
    document.getElementById('meters')?.scrollIntoView();
  };
  return (
    <nav class="pages" aria-label={t('meters')}>
      <span>
        {known && !Number.isNaN(before.rows)
          ? t('rows', { from: n(Math.min(before.rows + 1, total)), to: n(before.rows + order.length), total: n(total) })
          : t('rows', { from: '…', to: '…', total: n(total) })}
      </span>
      {cursor && (
        <button type="button" onClick={() => go({ cursor: '' })}>
          {t('page.first')}
        </button>
      )}
      {next && (
        <button type="button" onClick={turn}>
          {t('page.next')}
        </button>
      )}
    </nav>
  );
}
