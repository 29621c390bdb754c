import type { JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError, send } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import type { ActDoneJSON, CaseMediaJSON, EntryJSON, MayActJSON } from '../shared/openapi.ts';
import { errorText, say } from '../shared/ui.tsx';
import type { Values } from './actbody.ts';
import { bodyOf, missing, newID, opening } from './actbody.ts';
import { ActField } from './actfields.tsx';
import type { CaseData } from './casedata.ts';
import { byField, meanwhile, overtaken, retryable } from './conflict.ts';
import { personName } from './names.ts';
import { t, words } from './words.ts';
import { codes } from './wordscodes.ts';

interface Props {
  act: MayActJSON;
  data: CaseData;
  /** What is filled in already, such as the case that this one is a duplicate of. */
  filled?: Partial<Values>;
  onDone: () => void;
  onCancel: () => void;
  again: () => Promise<CaseData | null>;
}

/** A form for one act. What was typed stays, whatever the hub answers. */
export function ActForm(p: Props): JSX.Element {
  const proposed = p.act.act === 'dispatch' ? { departments: p.data.detail.suggested } : {};
  const [values, setValues] = useState<Values>(() => opening(p.act, { ...proposed, ...p.filled }));
  const [media, setMedia] = useState<{ list: CaseMediaJSON[]; busy: boolean }>({ list: [], busy: false });
  const [seen, setSeen] = useState(p.data.detail.entries);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = useRef(newID());
  const title = useId();
  const form = useRef<HTMLFormElement>(null);
  const names = p.act.fields.map((f) => f.name);
  const newer = meanwhile(p.data.journal, seen);
  const fits = retryable(p.act, p.data.may.acts);
  useEffect(() => form.current?.querySelector<HTMLElement>('textarea, input, select, button')?.focus(), []);
  const refused = async (err: unknown): Promise<void> => {
    setError(err);
    if (!(err instanceof ApiError)) return;
    const found = byField(err.fields, names);
    setErrors(found);
    if (overtaken(err.code)) await p.again();
    else if (err.code === 'client_id_taken') id.current = newID();
  };
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    const empty = missing(p.act, values, media.list.length);
    setErrors(Object.fromEntries(empty.map((name) => [name, t('needed')])));
    setError(null);
    if (empty.length > 0) return form.current?.querySelector<HTMLElement>('.wrong :is(input, textarea, select)')?.focus();
    setBusy(true);
    try {
      const entries = newer.length > 0 ? p.data.detail.entries : seen;
      const done = await send<ActDoneJSON>('POST', `/api/v1/cases/${encodeURIComponent(p.data.detail.id)}/acts`, bodyOf(p.act, values, media.list, entries, id.current));
      say(t('done', { act: codes.word('act', p.act.act), state: codes.word('st', done.state) }));
      p.onDone();
    } catch (err) {
      await refused(err);
    } finally {
      setBusy(false);
    }
    return undefined;
  };
  return (
    <form ref={form} class="actform" aria-labelledby={title} noValidate onSubmit={(e) => void submit(e)}>
      <h3 id={title}>{titleOf(p.act)}</h3>
      {p.act.deadline && <p class="quiet">{t('extend.to', { time: formatTime(Date.parse(p.act.deadline)).slice(0, 16) })}</p>}
      {p.act.fields.map((field) => (
        <ActField key={field.name} act={p.act} field={field} values={values} media={media.list.length} data={p.data} error={errors[field.name] ?? ''}
          set={(change) => setValues((v) => ({ ...v, ...change }))} onMedia={(list, busyNow) => setMedia({ list, busy: busyNow })} />
      ))}
      <Meanwhile entries={newer} fits={fits !== undefined} onSeen={() => setSeen(p.data.detail.entries)} />
      {error !== null && !(newer.length > 0 && error instanceof ApiError && overtaken(error.code)) && (
        <div class="problem" role="alert">
          <p>{refusalText(error)}</p>
          {errors[''] && <p>{errors['']}</p>}
        </div>
      )}
      <div class="row">
        <button type="submit" class="main" disabled={busy || media.busy || fits === undefined} aria-busy={busy}>
          {newer.length > 0 ? t('send.anyway') : titleOf(p.act)}
        </button>
        <button type="button" onClick={p.onCancel}>
          {common.t('cancel')}
        </button>
        {media.busy && <span class="quiet">{t('photo.wait')}</span>}
      </div>
    </form>
  );
}

/** An act with what it is about. */
export function titleOf(act: MayActJSON): string {
  const name = codes.word('act', act.act);
  return act.request && act.act !== 'withdraw' ? t('act.of', { act: name, what: codes.word('req', act.request) }) : name;
}

/** A refusal in the words of the page; the reason of the workflow where it gives one. */
export function refusalText(error: unknown): string {
  if (error instanceof ApiError && error.why) return codes.code('why', error.why);
  if (error instanceof ApiError && error.code === 'invalid_parameters' && error.fields.length > 0) return t('err.fields');
  return errorText(error, words);
}

/** What somebody else did since the form was opened, and whether the act still fits. */
function Meanwhile({ entries, fits, onSeen }: { entries: readonly EntryJSON[]; fits: boolean; onSeen: () => void }): JSX.Element | null {
  if (entries.length === 0) return fits ? null : <p class="problem">{t('nofit')}</p>;
  return (
    <div class="problem meanwhile" role="alert">
      <p>
        <b>{t('meanwhile')}</b>
      </p>
      <ul>
        {entries.map((e) => (
          <li key={e.number}>
            {formatTime(Date.parse(e.received_at)).slice(5, 16)} {personName(e.person)}: {codes.word('act', e.act)}
            {(e.reason || e.text) && ` (${e.reason || e.text})`}
          </li>
        ))}
      </ul>
      <p>{t(fits ? 'meanwhile.fits' : 'meanwhile.not')}</p>
      {fits && (
        <button type="button" onClick={onSeen}>
          {t('meanwhile.seen')}
        </button>
      )}
    </div>
  );
}
