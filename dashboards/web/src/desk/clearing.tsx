// Read-only lists: what was exchanged with other cities, and the bills of those who pay later.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount, formatTime } from '../shared/format.ts';
import { Medium, State } from '../shared/marks.tsx';
import type { BillJSON, ClearingPageJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { Empty, Problem, Select, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { desk } from './deskstate.ts';
import { UTILITIES } from './filter.ts';
import { Yuan } from './marks.tsx';
import { formatRoute, go } from './route.ts';
import { Pages } from './rows.tsx';
import { t, words } from './words.ts';

const PAGE = 50;

export function Clearing(): JSX.Element {
  if (!desk.value) return <Skeleton />;
  return desk.value.clears ? <Exchanged /> : <Empty title={t('clearing.off')}>{t('clearing.off.why')}</Empty>;
}

function Exchanged(): JSX.Element {
  const [offset, setOffset] = useState(0);
  const { data, error } = usePolled<ClearingPageJSON>('/api/v1/ledger/clearing/files', () => ({ limit: PAGE, offset }), 60_000, String(offset));
  if (error) return <Problem error={error} words={words} />;
  if (!data) return <Skeleton />;
  if (data.total === 0) return <Empty title={t('clearing.none')}>{t('clearing.none.why')}</Empty>;
  return (
    <section class="panel">
      <div class="scroll" tabIndex={0} role="group" aria-label={t('tab.clearing')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('col.day')}</th>
              <th scope="col">{t('file.name')}</th>
              <th scope="col">{t('clearing.direction')}</th>
              <th scope="col">{t('clearing.partner')}</th>
              <th scope="col">{t('utility')}</th>
              <th scope="col" class="num">{t('file.rows')}</th>
              <th scope="col" class="num">{t('file.debit')}</th>
              <th scope="col" class="num">{t('file.credit')}</th>
              <th scope="col">{t('clearing.answer')}</th>
            </tr>
          </thead>
          <tbody>
            {data.rows.map((f) => (
              <tr key={`${f.direction} ${f.name}`}>
                <th scope="row">{f.day}</th>
                <td>
                  <code>{f.name}</code>
                </td>
                <td>{t(`clearing.${f.direction}`)}</td>
                <td>
                  <code>{f.direction === 'sent' ? f.to : f.from}</code>
                </td>
                <td>
                  <Medium id={f.utility} named />
                </td>
                <td class="num">{formatCount(f.details.count, lang.value)}</td>
                <td class="num">
                  <Yuan of={f.details.taken} />
                </td>
                <td class="num">
                  <Yuan of={f.details.returned} />
                </td>
                <td>{f.answer ? <State tone="ok">{formatTime(Date.parse(f.answer.at))}</State> : <State tone="warn">{t('clearing.waits')}</State>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pages total={data.total} offset={offset} size={PAGE} onChange={setOffset} />
    </section>
  );
}

export function Bills({ utility }: { utility: string }): JSX.Element {
  const [offset, setOffset] = useState(0);
  const { data, error } = usePolled<BillJSON[]>('/api/v1/ledger/bills', () => ({ utility, limit: PAGE, offset }), 60_000, `${utility} ${offset}`);
  return (
    <>
      <div class="row filters noprint">
        <Select label={t('utility')} value={utility} options={[['', common.t('all')], ...UTILITIES.map((u) => [u, common.word('medium', u)] as const)]}
          onChange={(v) => { setOffset(0); go({ view: 'bills', utility: v }, true); }} />
      </div>
      {error && <Problem error={error} words={words} />}
      {!data && !error && <Skeleton />}
      {data?.length === 0 && <Empty title={t('bills.none')}>{t('bills.none.why')}</Empty>}
      {data && data.length > 0 && (
        <section class="panel">
          <div class="scroll" tabIndex={0} role="group" aria-label={t('tab.bills')}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t('bills.month')}</th>
                  <th scope="col">{t('row.meter')}</th>
                  <th scope="col">{t('place.customer')}</th>
                  <th scope="col">{t('row.order')}</th>
                  <th scope="col" class="num">{t('bills.total')}</th>
                  <th scope="col" class="num">{t('bills.paid')}</th>
                  <th scope="col" class="num">{t('bills.open')}</th>
                  <th scope="col">{t('bills.due')}</th>
                </tr>
              </thead>
              <tbody>
                {data.map((b) => (
                  <tr key={b.id}>
                    <th scope="row">{b.month}</th>
                    <td>
                      <Medium id={b.utility} /> <a href={formatRoute({ view: 'search', text: '', meter: b.meter })}>{b.meter}</a>
                    </td>
                    <td>{b.customer}</td>
                    <td>
                      <code>{b.order}</code>
                    </td>
                    <td class="num">
                      <Yuan of={b.total} />
                    </td>
                    <td class="num">
                      <Yuan of={b.standing.paid} />
                    </td>
                    <td class="num">
                      <Yuan of={b.standing.open} />
                    </td>
                    <td>{b.standing.due}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <div class="row pages">
            <button type="button" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))}>
              {common.t('page.prev')}
            </button>
            <button type="button" disabled={data.length < PAGE} onClick={() => setOffset(offset + PAGE)}>
              {common.t('page.next')}
            </button>
          </div>
        </section>
      )}
    </>
  );
}
