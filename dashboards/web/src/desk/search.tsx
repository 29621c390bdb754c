// Accounts: found by meter, meter number, customer or card; then all of their rows.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { Medium } from '../shared/marks.tsx';
import type { PlaceMatchJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { Empty, Problem, Skeleton, Tabs } from '../shared/ui.tsx';
import { Place } from './dossier.tsx';
import { ALL } from './filter.ts';
import { formatRoute, go } from './route.ts';
import type { Which } from './which.ts';
import { Rows } from './rows.tsx';
import { t, words } from './words.ts';

export function Search({ text, meter }: { text: string; meter: string }): JSX.Element {
  const [typing, setTyping] = useState(text || meter);
  const wanted = text || meter;
  return (
    <>
      <form class="row searchbox noprint" role="search" onSubmit={(e) => { e.preventDefault(); go({ view: 'search', text: typing.trim(), meter: '' }); }}>
        <label class="select text">
          <span class="sr">{t('search.label')}</span>
          <input id="account-text" type="search" maxLength={64} placeholder={t('search.label')} value={typing} onInput={(e) => setTyping(e.currentTarget.value)} />
        </label>
        <button type="submit" class="main" disabled={typing.trim().length < 2}>
          {common.t('search')}
        </button>
      </form>
      {wanted.length < 2 ? <Empty title={t('search.empty')}>{t('search.empty.why')}</Empty> : <Found key={wanted} text={wanted} meter={meter} />}
    </>
  );
}

function Found({ text, meter }: { text: string; meter: string }): JSX.Element {
  const { data, error } = usePolled<PlaceMatchJSON[]>('/api/v1/ledger/search', () => ({ text }), 0, text);
  if (error) return <Problem error={error} words={words} />;
  if (!data) return <Skeleton />;
  const one = data.find((p) => p.meter === meter) ?? (data.length === 1 ? data[0] : undefined);
  if (one) return <Account place={one} />;
  if (data.length === 0) return <Empty title={t('search.none', { text })}>{t('search.empty.why')}</Empty>;
  return (
    <section class="panel">
      <div class="scroll" tabIndex={0} role="group" aria-label={t('search.found')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('row.meter')}</th>
              <th scope="col">{t('utility')}</th>
              <th scope="col">{t('place.number')}</th>
              <th scope="col">{t('place.customer')}</th>
              <th scope="col">{t('search.by')}</th>
            </tr>
          </thead>
          <tbody>
            {data.map((p) => {
              const now = p.installations.at(-1);
              return (
                <tr key={p.meter}>
                  <th scope="row">
                    <a href={formatRoute({ view: 'search', text: '', meter: p.meter })}>{p.meter}</a>
                  </th>
                  <td>
                    <Medium id={p.utility} named />
                  </td>
                  <td>
                    <code>{now?.meter_number}</code>
                  </td>
                  <td>{now?.customer}</td>
                  <td>{t(`search.by.${p.by}`)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Account({ place }: { place: PlaceMatchJSON }): JSX.Element {
  const [which, setWhich] = useState<Which>('sales');
  return (
    <>
      <Place place={place} here />
      <section class="panel">
        <header>
          <Tabs label={t('ledgers')} value={which} onChange={setWhich} options={(['sales', 'payments', 'entries'] as const).map((w) => [w, t(`rows.${w}`)] as const)} />
          <a class="button push noprint" href={formatRoute({ view: 'work', filter: { ...ALL, meter: place.meter } })}>
            {t('search.work')}
          </a>
        </header>
        <Rows key={which} which={which} filter={{ meter: place.meter }} />
      </section>
    </>
  );
}
