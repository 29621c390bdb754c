// One accounting day of a utility: does it add up, what do the ledgers say, what is left to do.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount, formatTime } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import type { DayDetailJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { can } from '../shared/session.ts';
import { Button, Problem, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { shiftDay } from './dates.ts';
import { CloseDay } from './dayclose.tsx';
import { Utilities } from './dayothers.tsx';
import { Again } from './dayrun.tsx';
import type { Utility } from './filter.ts';
import { ALL } from './filter.ts';
import { Balance } from './balance.tsx';
import { ended, make, plan, works } from './jobs.ts';
import { Ledgers } from './ledgers.tsx';
import { DayMark } from './marks.tsx';
import { formatRoute, go } from './route.ts';
import { statementAddress } from './statement.ts';
import { t, words } from './words.ts';

export function Day({ utility, day, open }: { utility: Utility; day: string; open: string }): JSX.Element {
  const { data, error, again } = usePolled<DayDetailJSON>('/api/v1/ledger/day', () => ({ utility, day }), 20_000, `${utility} ${day}`);
  const times = ended.value;
  useEffect(again, [times]);
  return (
    <>
      <Title utility={utility} day={day} data={data} />
      <Utilities utility={utility} day={day} />
      {error && <Problem error={error} words={words} />}
      {!data && !error && <Skeleton lines={6} />}
      {data && <Detail d={data} open={open} again={again} />}
    </>
  );
}

function Title({ utility, day, data }: { utility: Utility; day: string; data: DayDetailJSON | null }): JSX.Element {
  const to = (n: number): string => formatRoute({ view: 'day', utility, day: shiftDay(day, n), open: '' });
  const last = data !== null && day >= data.today;
  return (
    <div class="row daytitle">
      <a class="button noprint" href={formatRoute({ view: 'days', utility, to: '' })}>
        ‹ {t('tab.days')}
      </a>
      <h2>
        <Medium id={utility} named /> {day}
      </h2>
      {data && <DayMark state={data.line.state} />}
      <span class="row push noprint">
        <a class="button" href={to(-1)}>
          <span class="sr">{t('day.before')} </span>‹ {shiftDay(day, -1).slice(5)}
        </a>
        {!last && (
          <a class="button" href={to(1)}>
            <span class="sr">{t('day.after')} </span>{shiftDay(day, 1).slice(5)} ›
          </a>
        )}
      </span>
    </div>
  );
}

function Detail({ d, open, again }: { d: DayDetailJSON; open: string; again: () => void }): JSX.Element {
  const run = d.line.run;
  return (
    <>
      <Actions d={d} again={again} />
      {d.line.closing && (
        <p class="closedby">
          {t('day.closed_by', { who: d.line.closing.by, when: formatTime(Date.parse(d.line.closing.at)), day: d.line.closing.day })}
          {d.line.closing.why && ` ${t('day.closed_why', { why: d.line.closing.why })}`}
        </p>
      )}
      {run ? <Balance run={run.id} utility={d.utility} day={d.line.day} /> : <Missing d={d} />}
      <Ledgers d={d} open={open} />
      {d.runs.length > 0 && <Runs d={d} />}
    </>
  );
}

function Missing({ d }: { d: DayDetailJSON }): JSX.Element {
  return (
    <section class="panel empty">
      <h3>{t(d.line.state === 'imported' ? 'day.not_run' : 'day.no_files')}</h3>
      <p>{t(d.line.state === 'imported' ? 'day.not_run.do' : 'day.no_files.do')}</p>
      {d.line.state !== 'imported' && can('clerk') && (
        <p>
          <a class="button main" href="#import">
            {t('tab.import')}
          </a>
        </p>
      )}
    </section>
  );
}

function Actions({ d, again }: { d: DayDetailJSON; again: () => void }): JSX.Element {
  const [asked, setAsked] = useState<'' | 'again' | 'close'>('');
  const run = d.line.run;
  const busy = works.value[d.utility]?.done === false;
  const closed = d.closed_to !== '' && d.line.day <= d.closed_to;
  const name = { utility: common.word('medium', d.utility).toLowerCase() };
  const inside = run !== undefined && run.from !== run.to;
  const spans = plan(d.line.day, d.last_run);
  const start = async (): Promise<void> => {
    setAsked('');
    void make(d.utility, spans);
  };
  return (
    <div class="row actions noprint">
      {can('clerk') && !closed && !inside && d.line.day <= d.today && (
        <Button id="run" kind={run ? 'plain' : 'main'} disabled={busy} onClick={() => (run ? setAsked('again') : start())}>
          {run ? t('run.again') : spans.length > 1 ? t('run.many', { n: spans.length, ...name }) : t('run.one', name)}
        </Button>
      )}
      {can('approver') && run && !closed && (
        <Button id="close-day" kind={d.close.may ? 'main' : 'plain'} disabled={busy} onClick={() => setAsked('close')}>
          {t('close.do')}
        </Button>
      )}
      {run && <Forms run={run.id} />}
      {d.line.found.count > 0 && run && (
        <a class="button" href={formatRoute({ view: 'work', filter: { ...ALL, utility: d.utility, run: run.id } })}>
          {t('day.found', { n: formatCount(d.line.found.count, lang.value) })}
        </a>
      )}
      {asked === 'again' && <Again d={d} spans={spans} onClose={() => setAsked('')} onDo={start} />}
      {asked === 'close' && <CloseDay d={d} onClose={() => setAsked('')} onDone={again} />}
    </div>
  );
}

/** The statement in its forms. The page opens beside this one, for printing and signing. */
function Forms({ run }: { run: number }): JSX.Element {
  const l = lang.value;
  return (
    <>
      <a id="statement" class="button" href={statementAddress(run, 'html', l)} target="_blank" rel="noopener">
        {t('statement.page')}
      </a>
      {(['pdf', 'xlsx', 'csv'] as const).map((format) => (
        <a key={format} class="button" href={statementAddress(run, format, l)} download>
          {format.toUpperCase()}
        </a>
      ))}
    </>
  );
}

function Runs({ d }: { d: DayDetailJSON }): JSX.Element {
  return (
    <section class="panel">
      <header>
        <h3>{t('runs')}</h3>
        <p class="quiet">{t('runs.note')}</p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label={t('runs')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('runs.number')}</th>
              <th scope="col">{t('runs.version')}</th>
              <th scope="col">{t('runs.days')}</th>
              <th scope="col">{t('runs.rules')}</th>
              <th scope="col">{t('runs.by')}</th>
              <th scope="col">{t('runs.at')}</th>
              <th scope="col" class="num">{t('runs.took')}</th>
              <th scope="col">{t('col.state')}</th>
            </tr>
          </thead>
          <tbody>
            {d.runs.map((r) => (
              <tr key={r.id}>
                <th scope="row">{r.id}</th>
                <td>{r.version}</td>
                <td>{r.from === r.to ? r.to : `${r.from} – ${r.to}`}</td>
                <td>
                  <code>{r.rules}</code>
                </td>
                <td>{r.by}</td>
                <td>{formatTime(Date.parse(r.at))}</td>
                <td class="num">{formatCount(r.took_ms, lang.value)} ms</td>
                <td>{t(`runs.${r.state}`)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet note">
        <Button onClick={() => go({ view: 'days', utility: d.utility, to: d.line.day })}>{t('days.around')}</Button> {common.t('zone')}
      </p>
    </section>
  );
}
