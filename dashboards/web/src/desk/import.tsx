// Settlement files: dropped or chosen, checked before anything is stored, then stored whole or not at all.

import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount, formatTime } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import type { ImportJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { can } from '../shared/session.ts';
import { Button, Empty, Problem, say, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { dragging } from './drop.tsx';
import { FileCard } from './importfile.tsx';
import { Yuan } from './marks.tsx';
import type { ImportedDay } from './next.ts';
import { importedDays, stored } from './next.ts';
import { formatRoute } from './route.ts';
import { dropDone, files, importAll, ready, take } from './upload.ts';
import { t, words } from './words.ts';

export function Import(): JSX.Element {
  const { data, error, again } = usePolled<ImportJSON[]>('/api/v1/ledger/imports', () => ({ limit: 50 }), 30_000);
  return (
    <>
      {can('clerk') ? <Desk again={again} /> : <p class="quiet note">{t('import.role')}</p>}
      <Held list={data} error={error} />
    </>
  );
}

function Desk({ again }: { again: () => void }): JSX.Element {
  const chooser = useRef<HTMLInputElement>(null);
  const list = files.value;
  const sound = ready().length;
  const busy = list.some((f) => f.stage === 'checking' || f.stage === 'importing');
  const done = importedDays(stored(list));
  const store = async (): Promise<void> => {
    const n = await importAll();
    if (n > 0) say(t('import.done', { n }));
    again();
  };
  return (
    <section class="panel import">
      <div class={`drop ${dragging.value ? 'over' : ''}`}>
        <p>
          <b>{t('import.drop')}</b>
        </p>
        <p class="quiet">{t('import.what')}</p>
        <button type="button" class="main" onClick={() => chooser.current?.click()}>
          {t('import.choose')}
        </button>
        <input ref={chooser} id="files" type="file" multiple class="sr" tabIndex={-1} aria-label={t('import.choose')}
          onChange={(e) => {
            void take(e.currentTarget.files ?? []);
            e.currentTarget.value = '';
          }} />
      </div>
      {list.length > 0 && (
        <>
          <div class="row body" aria-live="polite">
            <p id="import-state">{summary()}</p>
            <span class="row push">
              {list.some((f) => f.stage === 'imported' || f.check?.state === 'imported') && (
                <button type="button" onClick={dropDone}>
                  {t('import.tidy')}
                </button>
              )}
              {(sound > 0 || busy) && (
                <Button id="import-all" kind="main" disabled={busy || sound === 0} onClick={store}>
                  {sound > 0 ? t('import.all', { n: sound }) : t('import.do')}
                </Button>
              )}
            </span>
          </div>
          {done.length > 0 && !busy && sound === 0 && <Next days={done} />}
          <ul class="uploads">
            {list.map((f) => (
              <FileCard key={f.id} f={f} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** How many files are how far; what is none of them is left out. */
function summary(): string {
  const n = (test: (f: (typeof files.value)[number]) => boolean): number => files.value.filter(test).length;
  const held = n((f) => f.check?.state === 'imported' || f.done?.repeated === true);
  const parts = [
    ['import.checking', n((f) => f.stage === 'waiting' || f.stage === 'checking')],
    ['import.good', ready().length],
    ['import.bad', n((f) => f.check?.state === 'wrong' || f.check?.state === 'taken' || f.stage === 'failed')],
    ['import.held', held],
    ['import.now', n((f) => f.stage === 'imported' && f.done?.repeated !== true)],
  ] as const;
  const told = parts.filter(([, count]) => count > 0).map(([key, count]) => t(key, { n: count }));
  return t('import.summary', { n: files.value.length, parts: told.join(t('and')) });
}

/** What is in the books now, and the way to the day that is to be reconciled. */
function Next({ days }: { days: readonly ImportedDay[] }): JSX.Element {
  const latest = days[0];
  return (
    <div class="body next">
      <ul>
        {days.map((d) => (
          <li key={d.day} class="row">
            <b>{t('import.of', { n: d.files, day: d.day })}</b>
            {d.utilities.map(([utility, n]) => (
              <a key={utility} href={formatRoute({ view: 'day', utility, day: d.day, open: '' })}>
                <Medium id={utility} named /> {n}
              </a>
            ))}
          </li>
        ))}
      </ul>
      {latest && (
        <p class="row">
          <a id="open-day" class="button main" href={formatRoute({ view: 'day', utility: latest.utilities[0]?.[0] ?? 'water', day: latest.day, open: '' })}>
            {t('import.next.open', { day: latest.day })} ›
          </a>
          <span class="quiet">{t('import.next.do')}</span>
        </p>
      )}
    </div>
  );
}

function Held({ list, error }: { list: readonly ImportJSON[] | null; error: unknown }): JSX.Element {
  return (
    <section class="panel">
      <header>
        <h3>{t('held')}</h3>
        <p class="quiet">{common.t('zone')}</p>
      </header>
      <Problem error={error} words={words} />
      {!list && !error && <Skeleton />}
      {list?.length === 0 && <Empty title={t('held.none')} />}
      {list && list.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={t('held')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t('file.name')}</th>
                <th scope="col">{t('col.day')}</th>
                <th scope="col">{t('utility')}</th>
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
                    {f.name}
                  </th>
                  <td>
                    <a href={formatRoute({ view: 'day', utility: f.utility, day: f.day, open: '' })}>{f.day}</a>
                  </td>
                  <td>
                    <Medium id={f.utility} named />
                  </td>
                  <td>{t(`file.${f.content}`)}</td>
                  <td>{words.word('channel', f.channel)}</td>
                  <td class="num">{formatCount(f.rows, lang.value)}</td>
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
      )}
    </section>
  );
}
