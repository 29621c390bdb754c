// A report of the public by telephone, taken down by an acceptor.

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { ApiError, send } from '../shared/api.ts';
import { can } from '../shared/session.ts';
import type { ActDoneJSON, CaseMediaJSON } from '../shared/openapi.ts';
import { Empty, Field, say, Select } from '../shared/ui.tsx';
import { newID } from './actbody.ts';
import { refusalText } from './actform.tsx';
import { ClassPick } from './classpick.tsx';
import { byField } from './conflict.ts';
import type { Place } from './placepick.tsx';
import { NOWHERE, PlacePick } from './placepick.tsx';
import { SimilarRow, useSimilar } from './similar.tsx';
import { go, link } from './state.ts';
import { Uploads } from './upload.tsx';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

const SOURCES = ['hotline', 'public', 'leader', 'media', 'web', 'video', 'assessment', 'inspection'] as const;
const URGENCIES = ['normal', 'urgent', 'dangerous'] as const;
const FIELDS = ['class', 'description', 'location', 'component', 'condition', 'media', 'position', 'name', 'phone', 'email', 'petitioner', 'reply_wanted', 'source', 'urgency'];

interface Typed {
  source: string;
  urgency: string;
  class: string;
  condition: string;
  description: string;
  name: string;
  phone: string;
  email: string;
  reply: boolean;
}

const BLANK: Typed = { source: 'hotline', urgency: 'normal', class: '', condition: '', description: '', name: '', phone: '', email: '', reply: false };

/** The body of the report. */
function body(v: Typed, place: Place, media: readonly CaseMediaJSON[], id: string): unknown {
  const filled = (list: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(list).filter(([, s]) => s.trim()).map(([k, s]) => [k, s.trim()]));
  const petitioner = filled({ name: v.name, phone: v.phone, email: v.email });
  return {
    role: 'acceptor', client_id: id, ...(media.length > 0 ? { media } : {}), ...(Object.keys(petitioner).length > 0 ? { petitioner } : {}),
    report: {
      ...filled({ source: v.source, urgency: v.urgency, class: v.class, condition: v.condition, component: place.component, location: place.location }),
      description: v.description.trim(), ...(place.position ? { position: place.position } : {}), ...(v.reply ? { reply_wanted: true } : {}),
    },
  };
}

export function NewCase(): JSX.Element {
  if (!can('acceptor')) return <Empty title={t('new')}>{codes.t(can('inspector', 'shift_leader', 'dispatcher', 'department', 'admin') ? 'why.role' : 'why.tour')}</Empty>;
  return <NewForm />;
}

function NewForm(): JSX.Element {
  const [v, setV] = useState<Typed>(BLANK);
  const [place, setPlace] = useState<Place>(NOWHERE);
  const [media, setMedia] = useState<{ list: CaseMediaJSON[]; busy: boolean }>({ list: [], busy: false });
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = useRef(newID());
  const form = useRef<HTMLFormElement>(null);
  const subject = { class: v.class, component: place.component, position: place.position };
  const similar = useSimilar(subject);
  const set = (change: Partial<Typed>): void => setV((now) => ({ ...now, ...change }));
  const put = (change: Partial<Place>): void => {
    setPlace((p) => ({ ...p, ...change }));
    if (change.class) setV((now) => (now.class ? now : { ...now, class: change.class ?? '' })); // the component says what it is
  };
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    const empty: Record<string, string> = {};
    if (!v.class) empty['class'] = t('needed');
    if (!v.description.trim()) empty['description'] = t('needed');
    if (!place.location.trim() && !place.position && !place.component) empty['location'] = t('new.where');
    setErrors(empty);
    setError(null);
    if (Object.keys(empty).length > 0) return form.current?.querySelector<HTMLElement>('.wrong :is(input, textarea, select)')?.focus();
    setBusy(true);
    try {
      const done = await send<ActDoneJSON>('POST', '/api/v1/cases', body(v, place, media.list, id.current));
      say(t('new.done', { id: done.case }));
      go({ page: 'case', id: done.case });
    } catch (err) {
      setError(err);
      if (err instanceof ApiError) setErrors(byField(err.fields, FIELDS));
      if (err instanceof ApiError && err.code === 'client_id_taken') id.current = newID();
    } finally {
      setBusy(false);
    }
    return undefined;
  };
  return (
    <form ref={form} class="newcase" noValidate onSubmit={(e) => void submit(e)}>
      <div class="row head">
        <a class="button" href={link({ page: 'inbox' })}>← {t('back')}</a>
        <h1>{t('new')}</h1>
      </div>
      <div class="columns even">
        <section class="panel">
          <header><h2>{t('new.what')}</h2></header>
          <div class="body">
            <div class="row">
              <Select label={t('col.source')} value={v.source} options={SOURCES.map((s) => [s, codes.t(`src.${s}`)] as const)} onChange={(source) => set({ source })} />
              <Select label={t('urgency')} value={v.urgency} options={URGENCIES.map((u) => [u, codes.t(`urg.${u}`)] as const)} onChange={(urgency) => set({ urgency })} />
            </div>
            <Field label={`${codes.t('f.class')} *`} error={errors['class'] ?? ''} render={(fid, by) => <ClassPick id={fid} describedBy={by} label={codes.t('f.class')} value={v.class} onChange={(ref) => set({ class: ref })} />} />
            <Field label={`${t('description')} *`} error={errors['description'] ?? ''} render={(fid, by) => <textarea id={fid} aria-describedby={by} maxLength={2000} value={v.description} onInput={(e) => set({ description: e.currentTarget.value })} />} />
            <Field label={codes.t('f.condition')} error={errors['condition'] ?? ''} render={(fid, by) => <input id={fid} aria-describedby={by} maxLength={64} value={v.condition} onInput={(e) => set({ condition: e.currentTarget.value })} />} />
            <fieldset class="field">
              <legend>{codes.t('f.media')}</legend>
              <Uploads stage="report" onChange={(list, busyNow) => setMedia({ list, busy: busyNow })} />
              {errors['media'] && <p class="note">{errors['media']}</p>}
            </fieldset>
          </div>
          <header><h2>{t('petitioner')}</h2></header>
          <div class="body">
            <p class="quiet">{t('petitioner.apart')}</p>
            <div class="three">
              <Field label={t('p.name')} error={errors['name'] ?? ''} render={(fid, by) => <input id={fid} aria-describedby={by} maxLength={100} autocomplete="off" value={v.name} onInput={(e) => set({ name: e.currentTarget.value })} />} />
              <Field label={t('p.phone')} error={errors['phone'] ?? ''} render={(fid, by) => <input id={fid} aria-describedby={by} type="tel" maxLength={32} autocomplete="off" value={v.phone} onInput={(e) => set({ phone: e.currentTarget.value })} />} />
              <Field label={t('p.email')} error={errors['email'] ?? ''} render={(fid, by) => <input id={fid} aria-describedby={by} type="email" maxLength={254} autocomplete="off" value={v.email} onInput={(e) => set({ email: e.currentTarget.value })} />} />
            </div>
            <label class="check"><input type="checkbox" checked={v.reply} onChange={() => set({ reply: !v.reply })} /> {t('reply')}</label>
            {errors['reply_wanted'] && <p class="note bad">{errors['reply_wanted']}</p>}
          </div>
        </section>
        <section class="panel">
          <header><h2>{t('where')} *</h2></header>
          <div class="body">
            <PlacePick place={place} onChange={put} errors={errors} similar={similar ?? []} />
          </div>
        </section>
      </div>
      {similar && similar.length > 0 && (
        <section class="panel similar" role="status">
          <header><h2>{t('similar')}</h2><span class="quiet">{t('similar.before')}</span></header>
          <ul class="body">{similar.map((row) => <li key={row.id}><SimilarRow row={row} from={subject} /></li>)}</ul>
        </section>
      )}
      {error !== null && <div class="problem" role="alert"><p>{refusalText(error)}</p>{errors[''] && <p>{errors['']}</p>}</div>}
      <div class="row submit">
        <button type="submit" class="main" disabled={busy || media.busy} aria-busy={busy}>{t('new.save')}</button>
        <a class="button" href={link({ page: 'inbox' })}>{t('new.cancel')}</a>
        {media.busy && <span class="quiet">{t('photo.wait')}</span>}
      </div>
    </form>
  );
}
