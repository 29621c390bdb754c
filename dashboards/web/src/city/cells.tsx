import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { csv, download } from '../shared/file.ts';
import { formatClock, formatCount, formatOffsetTime } from '../shared/format.ts';
import { lang } from '../shared/words.ts';
import type { CellRow, Order } from './cells.ts';
import { rowsOf } from './cells.ts';
import { metricName, number, plain, unitBeside } from './figures.ts';
import type { Painted } from './state.ts';
import { go, painted, route } from './state.ts';
import type { Tree } from './tree.ts';
import { t } from './words.ts';

const PAGE = 50;

/** The cells of a place as a table: what the map shows, for everybody. */
export function CellList({ tree }: { tree: Tree }): JSX.Element {
  const { area } = route.value;
  const p = painted.value;
  const [order, setOrder] = useState<Order>('-value');
  const [find, setFind] = useState('');
  const [page, setPage] = useState(0);
  const here = tree.range(area)[1] - tree.range(area)[0] === 1 ? tree.parent(area) : area; // a cell stays in its list
  const rows = useMemo(() => rowsOf(tree, here, find, order, p?.data.values ?? [], p?.data.hidden ?? []), [tree, here, find, order, p]);
  useEffect(() => setPage(0), [here, find, order, p?.metric, p?.medium]);
  const first = Math.min(page * PAGE, Math.max(0, Math.floor((rows.length - 1) / PAGE) * PAGE));
  const shown = rows.slice(first, first + PAGE);
  const l = lang.value;
  const column = p ? `${metricName(p.metric, p.medium)} ${unitBeside(p.metric, p.data.unit)}`.trim() : t('metric');
  return (
    <section class="panel cells" aria-labelledby="cells-title">
      <header>
        <h2 id="cells-title">{t('list.title')}</h2>
        {p && <span class="quiet">{t('asof', { time: formatClock(Date.parse(p.data.as_of)) })}</span>}
        <div class="row push">
          <input type="search" aria-label={t('list.find')} placeholder={t('list.find')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
          <button type="button" disabled={!p} onClick={() => p && save(rows, p, here)}>{common.t('csv')}</button>
        </div>
      </header>
      <table id="cells">
        <thead>
          <tr>
            <Head name={t('th.cell')} is="name" order={order} set={setOrder} />
            <th scope="col">{t('th.community')}</th>
            <Head name={column} is="value" order={order} set={setOrder} num />
          </tr>
        </thead>
        <tbody>
          {shown.map((r) => (
            <tr key={r.code} data-cell={r.code} aria-current={r.code === area ? 'true' : undefined}>
              <th scope="row">
                <a href={`#area=${r.code}`} onClick={(e) => { e.preventDefault(); go({ area: r.code, component: '' }); }}>{r.name || r.code}</a>
                <span class="code quiet">{r.code}</span>
              </th>
              <td>{r.community}</td>
              <td class="num">
                {p && <span class={`swatch ${swatch(p, r)}`} aria-hidden="true" />}
                {p && r.value !== null ? number(p.metric, r.value, l) : <span class="novalue">{t(r.hidden ? 'kpi.hidden' : 'legend.none')}</span>}
              </td>
            </tr>
          ))}
          {shown.length === 0 && <tr><td colSpan={3} class="quiet">{t('list.empty')}</td></tr>}
        </tbody>
      </table>
      <div class="row pages">
        <span class="quiet" role="status">{t('list.count', { a: formatCount(rows.length ? first + 1 : 0, l), b: formatCount(first + shown.length, l), n: formatCount(rows.length, l) })}</span>
        <div class="row push">
          <button type="button" disabled={first === 0} onClick={() => setPage(first / PAGE - 1)}>{common.t('page.prev')}</button>
          <button type="button" disabled={first + PAGE >= rows.length} onClick={() => setPage(first / PAGE + 1)}>{common.t('page.next')}</button>
        </div>
      </div>
    </section>
  );
}

function swatch(p: Painted, r: CellRow): string {
  if (r.hidden) return 'hidden';
  return r.value === null ? 'none' : `${p.scale.ramp}${p.classes[r.i]}`;
}

function Head(p: { name: string; is: 'name' | 'value'; order: Order; set: (o: Order) => void; num?: boolean }): JSX.Element {
  const up = p.order === p.is;
  const down = p.order === `-${p.is}`;
  return (
    <th scope="col" class={p.num ? 'num' : ''} aria-sort={up ? 'ascending' : down ? 'descending' : 'none'}>
      <button type="button" class="sort" aria-label={t('list.sort', { name: p.name })} onClick={() => p.set(down ? p.is : `-${p.is}`)}>
        {p.name}
        <span aria-hidden="true">{up ? ' \u2191' : down ? ' \u2193' : ''}</span>
      </button>
    </th>
  );
}

function save(rows: readonly CellRow[], p: Painted, area: string): void {
  const head = ['cell', 'name', 'community', `${p.metric}${p.medium ? ` ${p.medium}` : ''} ${p.data.unit}`, 'as_of'];
  const at = formatOffsetTime(Date.parse(p.data.as_of));
  const body = rows.map((r) => [r.code, r.name, r.community, r.value === null ? (r.hidden ? 'hidden' : '') : plain(r.value), at]);
  download(`cells-${area || 'city'}-${p.metric}.csv`, csv([head, ...body]));
}
