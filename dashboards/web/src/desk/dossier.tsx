// One difference with everything that bears on it: what the rule says, both sides, the
// way of the money, who decided what, and what may come next.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import type { DossierHistoryJSON, DossierJSON, DossierStepJSON, PlaceJSON, WorkItemJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { Button, Problem, Skeleton } from '../shared/ui.tsx';
import { daysBetween } from './dates.ts';
import type { Action } from './decide.tsx';
import { Decide } from './decide.tsx';
import { parseFilter } from './filter.ts';
import { DifferenceMark, Yuan } from './marks.tsx';
import { formatVolume } from './money.ts';
import { formatRoute, go, route } from './route.ts';
import { Timeline } from './timelineview.tsx';
import { className, classText, t, words } from './words.ts';
import { useKeys } from './work.tsx';
import { About } from './worktable.tsx';
import { shownKeys } from './workstate.ts';

export function Dossier({ id }: { id: string }): JSX.Element {
  const { data, error, again } = usePolled<DossierJSON>('/api/v1/ledger/dossier', () => ({ key: id }), 30_000, id);
  if (error && !data) {
    return (
      <>
        <Back />
        <Problem error={error} words={words} />
      </>
    );
  }
  if (!data) return <Skeleton lines={8} />;
  return <Shown c={data} again={again} />;
}

function backFilter(): string {
  const r = route.value;
  return formatRoute({ view: 'work', filter: parseFilter(new URLSearchParams(r.view === 'case' ? r.back : '')) });
}

function Back(): JSX.Element {
  return (
    <a class="button" href={backFilter()}>
      ‹ {t('tab.work')}
    </a>
  );
}

function Shown({ c, again }: { c: DossierJSON; again: () => void }): JSX.Element {
  const d = c.difference;
  const [action, setAction] = useState<Action | null>(null);
  const keys = shownKeys.value;
  const at = keys.indexOf(d.key);
  const step = (n: number): void => {
    const key = keys[at + n];
    const r = route.value;
    if (at >= 0 && key !== undefined) go({ view: 'case', key, back: r.view === 'case' ? r.back : '' }, true);
  };
  const mayNext = c.steps.find((s) => s.may);
  useKeys((command) => {
    switch (command) {
      case 'down':
        return step(1);
      case 'up':
        return step(-1);
      case 'decide':
        return mayNext && setAction(mayNext.action);
      case 'assign':
        return c.steps.some((s) => s.action === 'assign' && s.may) && setAction('assign');
      case 'back':
        return location.assign(backFilter());
      default:
        return undefined;
    }
  });
  return (
    <article class="dossier">
      <div class="row daytitle noprint">
        <Back />
        {at >= 0 && (
          <span class="row push">
            <span class="quiet">
              {at + 1} / {keys.length}
            </span>
            <button type="button" disabled={at === 0} onClick={() => step(-1)}>
              <span class="sr">{t('dossier.before')} </span>‹ <kbd>k</kbd>
            </button>
            <button type="button" disabled={at === keys.length - 1} onClick={() => step(1)}>
              <span class="sr">{t('dossier.after')} </span><kbd>j</kbd> ›
            </button>
          </span>
        )}
      </div>
      <Header d={d} asOf={c.as_of} />
      <Steps steps={c.steps} onAct={setAction} d={d} />
      <Sides d={d} />
      <Timeline c={c} />
      <History list={c.history} />
      {c.place && <Place place={c.place} />}
      {action && (
        <Decide action={action} items={[d]} assignees={d.assignee ? [d.assignee] : []} onClose={() => setAction(null)}
          onDone={() => {
            setAction(null);
            again();
          }} />
      )}
    </article>
  );
}

function Header({ d, asOf }: { d: WorkItemJSON; asOf: string }): JSX.Element {
  return (
    <header class="dossierhead">
      <div>
        <p class="quiet">
          <Medium id={d.utility} named /> · <About r={d} />
        </p>
        <h2>{className(d.class)}</h2>
        <p>
          <DifferenceMark state={d.state} cleared={d.cleared_run !== 0} />
          {d.assignee && <span class="tag">{t('dossier.with', { who: d.assignee })}</span>}
        </p>
      </div>
      <dl class="big">
        <div>
          <dt>{t('work.amount')}</dt>
          <dd id="case-amount">
            <Yuan of={d.amount} />
          </dd>
        </div>
        {d.volume !== 0 && (
          <div>
            <dt>{t('decide.volume')}</dt>
            <dd>{formatVolume(d.volume, d.utility)}</dd>
          </div>
        )}
        <div>
          <dt>{t('work.age')}</dt>
          <dd>
            {t('work.days', { n: daysBetween(d.day, asOf) })} <span class="count">{d.day}</span>
          </dd>
        </div>
      </dl>
    </header>
  );
}

/** What may come next; a refusal says why before anybody tries. */
function Steps({ steps, onAct, d }: { steps: readonly DossierStepJSON[]; onAct: (a: Action) => void; d: WorkItemJSON }): JSX.Element {
  const may = steps.filter((s) => s.may);
  const not = steps.filter((s) => !s.may);
  return (
    <div class="steps noprint">
      <div class="row">
        {may.map((s, n) => (
          <Button key={s.action} id={`act-${s.action}`} kind={n === 0 ? 'main' : 'plain'} onClick={() => onAct(s.action)}>
            {t(`act.${s.action}`)}
          </Button>
        ))}
        <button type="button" class={may.length > 0 ? 'push' : ''} onClick={() => print()}>
          {common.t('print')}
        </button>
      </div>
      {steps.length === 0 && d.state === 'closed' && <p class="quiet">{t('dossier.closed')}</p>}
      {d.cleared_run !== 0 && <p class="quiet">{t('dossier.cleared', { run: d.cleared_run })}</p>}
      {not.filter((s) => s.why !== 'cleared').map((s) => (
        <p key={s.action} class="quiet" data-refused={s.action}>
          {t(`act.${s.action}`)}: {words.code('step.not', s.why).replace('{who}', s.other)}
        </p>
      ))}
    </div>
  );
}

/** Both sides, and what the rule says about them. */
function Sides({ d }: { d: WorkItemJSON }): JSX.Element {
  const text = classText(d.class);
  const todo = words.act(d.note, d.class);
  return (
    <section class="panel">
      <div class="sidesgrid">
        <div>
          <h3>{t('dossier.shown')}</h3>
          <p class="said">{d.shown ? words.tell(d.shown) : t('dossier.nothing')}</p>
        </div>
        <div>
          <h3>{t('dossier.expected')}</h3>
          <p class="said">{d.expected ? words.tell(d.expected) : t('dossier.nothing')}</p>
        </div>
        <div>
          <h3>{t('dossier.look')}</h3>
          <p class="todo">{todo.act}</p>
          {todo.found && <p class="quiet">{t('dossier.found', { what: words.tell(d.note) })}</p>}
        </div>
      </div>
      <details class="rule" open>
        <summary>{t('dossier.rule')}</summary>
        <dl class="facts">
          <dt>{t('rule.when')}</dt>
          <dd>{text.when}</dd>
          <dt>{t('rule.amount')}</dt>
          <dd>{text.amount}</dd>
          <dt>{t('rule.clears')}</dt>
          <dd>{text.clears}</dd>
          <dt>{t('rule.code')}</dt>
          <dd>
            <code>{d.class}</code> <span class="quiet">{d.key}</span>
          </dd>
        </dl>
      </details>
    </section>
  );
}

function History({ list }: { list: readonly DossierHistoryJSON[] }): JSX.Element | null {
  if (list.length === 0) return null;
  return (
    <section class="panel">
      <header>
        <h3>{t('history')}</h3>
      </header>
      <ul class="body history">
        {list.map((h, n) => (
          <li key={n} class={h.state === 'set_aside' ? 'aside' : ''}>
            <time dateTime={h.at}>{formatTime(Date.parse(h.at))}</time> {t(`history.${h.what}`, { run: h.run, day: h.day })} <Yuan of={h.amount} />
            {h.state === 'set_aside' && <span class="tag">{t('runs.set_aside')}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The place: which meters hung there, and where to look at their registers. */
export function Place({ place, here }: { place: PlaceJSON; here?: boolean }): JSX.Element {
  return (
    <section class="panel">
      <header>
        <h3>{t('place', { meter: place.meter })}</h3>
        <p class="quiet">
          {t('place.what', { plan: place.plan, purse: t(`purse.${place.purse}`), readout: t(`readout.${place.readout}`) })}
        </p>
        <span class="row push noprint">
          {!here && (
            <a class="button" href={formatRoute({ view: 'search', text: '', meter: place.meter })}>
              {t('place.account')}
            </a>
          )}
          <a class="button" href={`/meters#meter=${encodeURIComponent(place.meter)}`}>
            {t('place.meter')}
          </a>
        </span>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label={t('place', { meter: place.meter })}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('place.number')}</th>
              <th scope="col">{t('place.customer')}</th>
              <th scope="col">{t('place.from')}</th>
              <th scope="col">{t('place.to')}</th>
            </tr>
          </thead>
          <tbody>
            {place.installations.map((i) => (
              <tr key={i.from}>
                <th scope="row">
                  <code>{i.meter_number}</code>
                </th>
                <td>{i.customer || '–'}</td>
                <td>{formatTime(Date.parse(i.from))}</td>
                <td>{i.to ? formatTime(Date.parse(i.to)) : t('place.stands')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
