// Today: what to do first, and what waits.

import type { JSX } from 'preact';
import { signal } from '@preact/signals';
import { Mark } from '../shared/marks.tsx';
import type { TaskJSON } from '../shared/openapi.ts';
import { Button, Empty, Skeleton, errorText } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { formatAge } from '../shared/format.ts';
import { classNameOf, dueText, metresText, stateText } from './text.ts';
import { cellAt, metres } from './geo.ts';
import { DOUBTFUL, here, noPlace, usePosition } from './place.ts';
import { taking } from './pictures.ts';
import { RoundMap } from './roundmap.tsx';
import { go } from './route.ts';
import { clock, entries, online, own, round, tasks, waiting } from './state.ts';
import { refresh, trouble } from './sync.ts';
import { byDue, toneOf } from './tasklist.ts';
import { words, t } from './words.ts';

const shownKind = signal<'' | 'verify' | 'check'>('');

export function Today(): JSX.Element {
  usePosition();
  const list = waiting.value.filter((one) => shownKind.value === '' || one.kind === shownKind.value).toSorted(byDue);
  const drafts = entries.value.filter((e) => e.state === 'draft');
  return (
    <div class="today">
      <section class="deeds" aria-label={t('deeds')}>
        <a class="deed main" id="do-report" href="#report">
          {t('do.report')}
          <small>{t('do.report.hint')}</small>
        </a>
        <Kind kind="verify" />
        <Kind kind="check" />
      </section>
      {drafts.length > 0 && (
        <ul class="list" aria-label={t('drafts')}>
          {drafts.map((e) => (
            <li key={e.id}>
              <a class="line" href={e.kind === 'report' ? `#report/${e.id}` : `#task/${e.kind}/${e.answer!.case}`}>
                <span class="tag">{t('state.draft')}</span>
                <span class="what">{e.title || t(`kind.${e.kind}`)}</span>
                <span class="go" aria-hidden="true">›</span>
              </a>
            </li>
          ))}
        </ul>
      )}
      <div class="columns">
        <section>
          <div class="row heading">
            <h2>{t('tasks')}</h2>
            <Button id="refresh" onClick={() => refresh()}>{t('tasks.refresh')}</Button>
          </div>
          <Freshness />
          <p class="sr" aria-live="polite">{tasks.value !== null && t('do.count', { n: waiting.value.length })}</p>
          {tasks.value === null && trouble.value === null && <Skeleton />}
          {tasks.value !== null && list.length === 0 && <Empty title={t('tasks.none')}>{t('tasks.none.hint')}</Empty>}
          <ul class="list" id="tasks">
            {list.map((one) => <Task key={one.kind + one.case.id} task={one} />)}
          </ul>
          {own.value.length > 0 && <Own />}
        </section>
        <section class="aside">
          <h2>{t('round')}</h2>
          <Round />
          <RoundMap label={t('map.label', { cells: round.value.cells.length, tasks: waiting.value.length })} onTask={(key) => go(`task/${key}`)} />
        </section>
      </div>
    </div>
  );
}

function Kind({ kind }: { kind: 'verify' | 'check' }): JSX.Element {
  const n = waiting.value.filter((one) => one.kind === kind).length;
  const on = shownKind.value === kind;
  return (
    <button type="button" class="deed" id={`do-${kind}`} aria-pressed={on} onClick={() => (shownKind.value = on ? '' : kind)}>
      {t(`do.${kind}`)}
      <small>{t('do.count', { n })}</small>
    </button>
  );
}

function Task({ task }: { task: TaskJSON }): JSX.Element {
  const tone = toneOf(task, clock.value);
  const far = here.value && task.case.position ? metres(here.value, task.case.position) : NaN;
  return (
    <li>
      <a class={`line task ${tone}`} href={`#task/${task.kind}/${task.case.id}`}>
        <Mark tone={tone} />
        <span class="what">
          <b>{t(task.kind === 'verify' ? 'kind.verify' : 'kind.check')} · {classNameOf(round.value, task.case.class, task.case.class_name)}</b>
          <span>{task.case.location || task.case.description}</span>
          <span class="quiet">
            {task.due ? dueText(task.due, clock.value) : t('due.none')}
            {!Number.isNaN(far) && ` · ${metresText(far)}`}
          </span>
        </span>
        <span class="go" aria-hidden="true">›</span>
      </a>
    </li>
  );
}

function Own(): JSX.Element {
  return (
    <details class="own">
      <summary>{t('own', { n: own.value.length })}</summary>
      <ul class="list">
        {own.value.map((one) => (
          <li key={one.case.id} class="line">
            <span class="what">
              <b>{classNameOf(round.value, one.case.class, one.case.class_name)}</b>
              <span>{one.case.description}</span>
              <span class="quiet">{one.case.id} · {stateText(one.case.state)}</span>
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** How old what is shown is, and why it is not newer. */
function Freshness(): JSX.Element | null {
  const at = tasks.value?.at;
  const bad = trouble.value;
  return (
    <p class="quiet fresh">
      {at !== undefined && t('asof', { age: formatAge(clock.value - at, lang.value) })}
      {taking.value && ` · ${t('pictures', { done: taking.value.done, of: taking.value.of })}`}
      {bad !== null && (at === undefined || online.value) && `${at === undefined ? '' : ' · '}${errorText(bad, words)}`}
    </p>
  );
}

/** Where one stands, and in whose cell. */
function Round(): JSX.Element {
  const duty = round.value.person.duty;
  const cell = here.value ? cellAt(round.value.cells, here.value) : undefined;
  return (
    <p class="quiet" id="here" aria-live="polite">
      {duty.length > 0 ? t('round.of', { duty: duty.join(lang.value === 'en' ? ', ' : '、'), cells: round.value.cells.length, components: round.value.components.length }) : t('round.none')}
      <br />
      {here.value
        ? t(here.value.accuracy > DOUBTFUL ? 'here.doubtful' : 'here', { cell: cell ? cell.name || cell.code : t('here.outside'), accuracy: Math.round(here.value.accuracy) })
        : t(noPlace.value ? `noplace.${noPlace.value}` : 'here.wait')}
    </p>
  );
}
