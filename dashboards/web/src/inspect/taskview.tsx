// A verification or a check: what was reported and done, and the answer.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { State } from '../shared/marks.tsx';
import type { TaskJSON, TaskMediaJSON } from '../shared/openapi.ts';
import { Empty, say } from '../shared/ui.tsx';
import { metres } from './geo.ts';
import { Lacks, lead, marked } from './lacks.tsx';
import { Photos, Picture } from './photos.tsx';
import { FAR, here, noPlace, stand, usePosition } from './place.ts';
import type { AnswerBody } from './record.ts';
import { Kept, Step } from './reportview.tsx';
import { RoundMap } from './roundmap.tsx';
import { go } from './route.ts';
import { away, clock, entries, online, round, tasks, touring } from './state.ts';
import { toneOf } from './tasklist.ts';
import { classNameOf, dueText, metresText, timeText } from './text.ts';
import { useDraft } from './usedraft.ts';
import { t } from './words.ts';

export function TaskView({ kind, id }: { kind: 'verify' | 'check'; id: string }): JSX.Element {
  const task = tasks.value?.value.tasks.find((one) => one.kind === kind && one.case.id === id);
  const answered = entries.value.some((e) => e.kind === kind && e.answer?.case === id && e.state !== 'draft');
  if (!task || answered)
    return (
      <Empty title={t(answered ? 'task.answered' : 'task.gone')}>
        <a class="button main" href="#">{t('nav.today')}</a>
      </Empty>
    );
  return <Answer task={task} kind={kind} />;
}

function Answer({ task, kind }: { task: TaskJSON; kind: 'verify' | 'check' }): JSX.Element {
  usePosition();
  const [asked, setAsked] = useState(false);
  const w = useDraft(kind, (e) => e.kind === kind && e.answer?.case === task.case.id, (e) => ({ ...e, answer: { ...e.answer!, case: task.case.id } }));
  const a = w.entry.answer!;
  const write = async (edit: Partial<AnswerBody>): Promise<void> => {
    const d = await w.draft();
    await d.change({ answer: { ...d.entry.answer!, ...edit }, title: `${classNameOf(round.value, task.case.class, task.case.class_name)} · ${task.case.location || task.case.id}` });
  };
  const far = here.value && task.case.position ? metres(here.value, task.case.position) : NaN;
  const needsFar = task.case.position !== undefined && !(far <= FAR);
  const labels = { outcome: t(`ask.${kind}`), reason: t('reason'), far: Number.isNaN(far) ? t('far.none') : t('far', { far: metresText(far) }) };
  const lacks = missing(a, needsFar).map((k) => ({ field: k, label: labels[k] }));
  const wrong = asked ? lacks : [];
  const save = async (): Promise<void> => {
    setAsked(true);
    if (lacks[0]) return lead(lacks[0].field);
    const d = await w.draft();
    const at = stand(Date.now());
    // A reason for being far is none once one has come near.
    await d.finish({ answer: { ...d.entry.answer!, far: needsFar ? a.far : '', reason: a.outcome === 'no' ? a.reason : '' }, ...(at ? { here: at } : {}) });
    say(t(away.value || !online.value ? 'saved.later' : 'saved'));
    go('#');
  };
  return (
    <form class="form" onSubmit={(e) => e.preventDefault()}>
      <h1>{t(`kind.${kind}`)}</h1>
      <Facts task={task} far={far} />
      <Pair media={task.media} />
      <details class="where">
        <summary>{t('task.map')}</summary>
        <RoundMap label={t('task.map')} pin={task.case.position ?? null} />
      </details>
      <Step n={1} title={t(`ask.${kind}`)}>
        <div class="two answers" role="group" aria-label={labels.outcome} {...marked(wrong, 'outcome')}>
          {(['yes', 'no'] as const).map((o) => (
            <button key={o} type="button" class="big" id={`answer-${o}`} aria-pressed={a.outcome === o} onClick={() => void write({ outcome: o })}>{t(`outcome.${kind}.${o}`)}</button>
          ))}
        </div>
        {a.outcome === 'no' && (
          <>
            <label for="reason">{labels.reason}</label>
            <textarea {...marked(wrong, 'reason')} rows={2} maxLength={1000} value={a.reason} onInput={(e) => void write({ reason: e.currentTarget.value })} />
          </>
        )}
      </Step>
      <Step n={2} title={t('step.photo')}>
        <Photos photos={w.entry.photos} draft={w.draft} where={task.case.cell} />
      </Step>
      <Step n={3} title={t('step.note')}>
        <label class="sr" for="text">{t('step.note')}</label>
        <textarea id="text" rows={2} maxLength={1000} value={a.text} placeholder={t('note.hint')} onInput={(e) => void write({ text: e.currentTarget.value })} />
        {needsFar && (
          <>
            <label for="far">{labels.far}</label>
            <input {...marked(wrong, 'far')} maxLength={200} value={a.far} onInput={(e) => void write({ far: e.currentTarget.value })} />
          </>
        )}
      </Step>
      <div class="finish">
        <Kept entry={w.entry} />
        <Lacks lacks={wrong} />
        {touring.value ? <p class="note">{t('tour.save')}</p> : <button type="button" class="main huge" id="save" onClick={() => void save().catch(() => say(t('notkept'), true))}>{t('save.answer')}</button>}
      </div>
    </form>
  );
}

/** What an answer lacks before the hub would take it. */
export function missing(a: AnswerBody, needsFar: boolean): ('outcome' | 'reason' | 'far')[] {
  const out: ('outcome' | 'reason' | 'far')[] = [];
  if (a.outcome === '') out.push('outcome');
  if (a.outcome === 'no' && !a.reason.trim()) out.push('reason');
  if (needsFar && !a.far.trim()) out.push('far');
  return out;
}

function Facts({ task, far }: { task: TaskJSON; far: number }): JSX.Element {
  const c = task.case;
  const tone = toneOf(task, clock.value);
  return (
    <div class="panel facts">
      <p class="row">
        <b>{classNameOf(round.value, c.class, c.class_name)}</b>
        <State tone={tone}>{task.due ? dueText(task.due, clock.value) : t('due.none')}</State>
      </p>
      <p>{c.description}</p>
      <dl class="facts">
        <dt>{t('fact.case')}</dt>
        <dd class="code">{c.id}</dd>
        {c.component && <dt>{t('fact.component')}</dt>}
        {c.component && <dd class="code">{c.component}</dd>}
        <dt>{t('fact.where')}</dt>
        <dd>{[c.location, Number.isNaN(far) ? '' : metresText(far)].filter(Boolean).join(' · ') || c.cell}</dd>
        <dt>{t('fact.reported')}</dt>
        <dd>{timeText(c.reported)}</dd>
        {task.asked && <dt>{t('fact.asked')}</dt>}
        {task.asked && <dd>{task.asked}</dd>}
        {task.done && <dt>{t('fact.done')}</dt>}
        {task.done && <dd>{task.done}</dd>}
      </dl>
      {c.position && Number.isNaN(far) && <p class="note" id="noplace">{t(noPlace.value ? `noplace.${noPlace.value}` : 'here.wait')}</p>}
    </div>
  );
}

/** Before and after, side by side. */
function Pair({ media }: { media: readonly TaskMediaJSON[] }): JSX.Element {
  const images = media.filter((m) => m.kind === 'image');
  const before = images.filter((m) => m.stage === 'report' || m.stage === 'verify');
  const after = images.filter((m) => m.stage === 'handled' || m.stage === 'check');
  const side = (title: string, list: readonly TaskMediaJSON[]): JSX.Element => (
    <section>
      <h3>{title}</h3>
      {list.length === 0 && <p class="quiet">{t('pair.none')}</p>}
      {list.map((m) => (
        <figure key={m.sm3}>
          <Picture digest={m.sm3} label={`${title} ${timeText(m.at)}`} />
          <figcaption class="quiet">{timeText(m.at)}</figcaption>
        </figure>
      ))}
    </section>
  );
  return (
    <div class="pair">
      {side(t('pair.before'), before)}
      {side(t('pair.after'), after)}
    </div>
  );
}
