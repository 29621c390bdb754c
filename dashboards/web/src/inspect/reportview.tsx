// A report: what, what is wrong with it, a photo, where. Half a minute.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { say } from '../shared/ui.tsx';
import { ClassPick, used } from './classpick.tsx';
import { ComponentCard, ComponentPick } from './componentpick.tsx';
import { Photos } from './photos.tsx';
import { keeping } from './draft.ts';
import { Lacks, lead, marked } from './lacks.tsx';
import { here, stand } from './place.ts';
import type { Entry, ReportBody } from './record.ts';
import { go } from './route.ts';
import { Similar } from './similar.tsx';
import { Standing } from './standing.tsx';
import { away, online, round, touring } from './state.ts';
import { classNameOf } from './text.ts';
import { useDraft } from './usedraft.ts';
import { t } from './words.ts';

const PHRASES = ['missing', 'broken', 'leak', 'blocked', 'loose', 'buried', 'leaning', 'dirty'] as const;

/** Where to write what a report may lack, and the words beside it. */
const FIELDS = {
  class: { field: 'classes', label: 'class' },
  text: { field: 'description', label: 'step.text' },
  where: { field: 'location', label: 'location' },
} as const;

export function ReportView({ id, component: about }: { id: string; component: string }): JSX.Element {
  const fresh = (e: Entry): Entry => {
    const c = round.value.components.find((one) => one.id === about);
    return c ? { ...e, report: { ...e.report!, component: c.id, class: c.class } } : e;
  };
  const w = useDraft('report', (e) => e.id === id, fresh, (e) => history.replaceState(null, '', `#report/${e.id}`));
  const [asked, setAsked] = useState(false);
  const r = w.entry.report!;
  const write = async (edit: Partial<ReportBody>): Promise<void> => {
    const d = await w.draft();
    const report = { ...d.entry.report!, ...edit };
    await d.change({ report, title: titleOf(report) });
  };
  const lacks = missing(w.entry).map((k) => FIELDS[k]).map(({ field, label }) => ({ field, label: t(label) }));
  const wrong = asked ? lacks : [];
  const save = async (): Promise<void> => {
    setAsked(true);
    if (lacks[0]) return lead(lacks[0].field);
    const d = await w.draft();
    const at = stand(Date.now());
    // The place of the thing: a pin, else its component's, which the hub knows, else ours.
    const known = round.value.components.some((c) => c.id === r.component && c.at);
    const report = { ...d.entry.report!, ...(r.place || known || !at ? {} : { place: at }) };
    used(report.class);
    await d.finish({ report, title: titleOf(report), ...(at ? { here: at } : {}) });
    say(t(away.value || !online.value ? 'saved.later' : 'saved'));
    go('#');
  };
  const component = round.value.components.find((c) => c.id === r.component);
  return (
    <form class="form" onSubmit={(e) => e.preventDefault()}>
      <h1>{t('do.report')}</h1>
      {w.entry.trouble && <p class="problem">{w.entry.trouble.detail || w.entry.trouble.code}</p>}
      <Step n={1} title={t('step.what')}>
        {r.component ? (
          <ComponentCard id={r.component} onDrop={() => void write({ component: '' })} />
        ) : (
          <ComponentPick onChoose={(c, ref) => void write({ component: c, ...(ref ? { class: ref } : {}) })} />
        )}
        <ClassPick {...marked(wrong, 'classes')} value={r.class} component={r.component} onChange={(ref) => void write({ class: ref })} />
      </Step>
      <Step n={2} title={t('step.photo')}>
        <Photos photos={w.entry.photos} draft={w.draft} {...(component ? { where: component.cell } : {})} />
      </Step>
      <Step n={3} title={t('step.text')}>
        <div class="chips">
          {PHRASES.map((p) => (
            <button key={p} type="button" class="chip" onClick={() => void write({ description: join(r.description, t(`phrase.${p}`)) })}>
              {t(`phrase.${p}`)}
            </button>
          ))}
        </div>
        <label class="sr" for="description">{t('step.text')}</label>
        <textarea {...marked(wrong, 'description')} rows={3} maxLength={2000} value={r.description} placeholder={t('text.hint')} onInput={(e) => void write({ description: e.currentTarget.value })} />
        <Similar report={r} />
      </Step>
      <Step n={4} title={t('step.where')}>
        <Standing pin={r.place ?? null} component={component?.at ? { lon: component.at[0]!, lat: component.at[1]! } : null} onPin={(place) => void write(place ? { place } : { place: undefined as never })} />
        <label for="location">{t('location')}</label>
        <input {...marked(wrong, 'location')} maxLength={256} value={r.location} onInput={(e) => void write({ location: e.currentTarget.value })} />
        <div class="chips" role="group" aria-label={t('urgency')}>
          {(['normal', 'urgent', 'dangerous'] as const).map((u) => (
            <button key={u} type="button" class="chip" aria-pressed={r.urgency === u} onClick={() => void write({ urgency: u })}>{t(`urgency.${u}`)}</button>
          ))}
        </div>
      </Step>
      <div class="finish">
        <Kept entry={w.entry} />
        <Lacks lacks={wrong} />
        {touring.value ? <p class="note">{t('tour.save')}</p> : <button type="button" class="main huge" id="save" onClick={() => void save().catch(() => say(t('notkept'), true))}>{t('save.report')}</button>}
      </div>
    </form>
  );
}

/** Says that nothing of a draft would be lost. */
export function Kept({ entry }: { entry: Entry }): JSX.Element | null {
  if (entry.rev === 0 && keeping.value === 0) return null;
  return (
    <p class="quiet kept" id="kept" data-kept={keeping.value === 0}>
      {t(keeping.value === 0 ? 'kept' : 'keeping')}
    </p>
  );
}

export function Step(p: { n: number; title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="step">
      <h2>
        <span class="n" aria-hidden="true">{p.n}</span>
        {p.title}
      </h2>
      {p.children}
    </section>
  );
}

function titleOf(r: ReportBody): string {
  return [r.class ? classNameOf(round.value, r.class) : '', r.description.trim().slice(0, 40)].filter(Boolean).join(' · ');
}

function join(text: string, phrase: string): string {
  return text.trim() === '' ? phrase : `${text.trimEnd()}${t('comma')}${phrase}`;
}

/** What a report lacks before the hub would take it. */
export function missing(e: Entry): ('class' | 'text' | 'where')[] {
  const r = e.report!;
  const known = round.value.components.some((c) => c.id === r.component);
  const out: ('class' | 'text' | 'where')[] = [];
  if (!r.class) out.push('class');
  if (!r.description.trim()) out.push('text');
  if (!r.place && !known && !here.value && !r.location.trim()) out.push('where');
  return out;
}
