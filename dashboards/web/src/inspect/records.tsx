// What was done on this phone, and how far it has come.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { ApiError } from '../shared/api.ts';
import { download } from '../shared/file.ts';
import { State } from '../shared/marks.tsx';
import type { Tone } from '../shared/marks.tsx';
import { Button, Dialog, Empty, errorText, say } from '../shared/ui.tsx';
import { reopen } from './draft.ts';
import { Picture } from './photos.tsx';
import type { Entry, State as RecordState } from './record.ts';
import { editable } from './record.ts';
import { go } from './route.ts';
import { clock, entries, keep, reload, unsentCount } from './state.ts';
import { push } from './sync.ts';
import { stateText, timeText } from './text.ts';
import { exportUnsent, importUnsent } from './transfer.ts';
import { t, words } from './words.ts';

const TONES: Record<RecordState, Tone> = { draft: 'none', waiting: 'warn', sending: 'warn', sent: 'ok', refused: 'bad', held: 'warn' };
const doomed = signal<Entry | null>(null);

export function Records(): JSX.Element {
  const list = entries.value.toSorted((a, b) => b.made - a.made);
  const unsent = list.filter((e) => e.state !== 'sent');
  const sent = list.filter((e) => e.state === 'sent');
  return (
    <div class="records">
      <h1>{t('nav.records')}</h1>
      <div class="row">
        {unsentCount.value > 0 && <Button kind="main" id="send" onClick={retry}>{t('send.now')}</Button>}
        <Transfer />
      </div>
      <h2>{t('records.unsent', { n: unsent.length })}</h2>
      {unsent.length === 0 && <Empty title={t('records.none')}>{t('records.none.hint')}</Empty>}
      <ul class="list">{unsent.map((e) => <Line key={e.id} e={e} />)}</ul>
      {sent.length > 0 && (
        <>
          <h2>{t('records.sent', { n: sent.length })}</h2>
          <p class="quiet">{t('records.sent.hint')}</p>
          <ul class="list" id="sent">{sent.map((e) => <Line key={e.id} e={e} />)}</ul>
        </>
      )}
      {doomed.value && <Discard e={doomed.value} />}
    </div>
  );
}

/** Tries all at once, whatever pauses there were. */
async function retry(): Promise<void> {
  for (const e of entries.value) if (e.state === 'waiting' && e.due > 0) await keep.put({ ...e, due: 0 }).catch(() => undefined);
  await reload();
  await push();
}

function Line({ e }: { e: Entry }): JSX.Element {
  const edit = async (): Promise<void> => {
    try {
      const d = await reopen(e);
      go(e.kind === 'report' ? `report/${e.id}` : `task/${e.kind}/${d.entry.answer!.case}`);
    } catch {
      await reload();
      say(t('edit.late'));
    }
  };
  return (
    <li class="record" data-state={e.state} data-id={e.id} data-case={e.done?.case}>
      <p class="row">
        <span class="tag">{t(`kind.${e.kind}`)}</span>
        <State tone={TONES[e.state]}>{t(`state.${e.state}`)}</State>
        <span class="quiet push">{timeText(e.saved || e.made)}</span>
      </p>
      <p>{e.title || t('untitled')}</p>
      <Word e={e} />
      {e.photos.length > 0 && (
        <div class="strip">
          {e.photos.map((p) => (
            <Picture key={p.digest} digest={p.digest} label={t(p.kept ? 'photo.sent' : 'photo.one')} />
          ))}
        </div>
      )}
      {editable(e) && (
        <div class="row">
          <Button onClick={edit}>{t(e.state === 'draft' ? 'continue' : 'edit')}</Button>
          {e.state === 'refused' && <Button kind="main" onClick={() => keep.put({ ...e, state: 'waiting', due: 0 }).then(push)}>{t('send.again')}</Button>}
          <Button kind="danger" onClick={() => void (doomed.value = e)}>{t('discard')}</Button>
        </div>
      )}
    </li>
  );
}

/** What became of it, or what keeps it. */
function Word({ e }: { e: Entry }): JSX.Element | null {
  if (e.done)
    return (
      <p class="quiet">
        {t('done.case', { case: e.done.case, state: stateText(e.done.state) })} {e.done.earlier && t('done.earlier')}
      </p>
    );
  if (e.state === 'held') return <p class="note">{t('held')}</p>;
  const why = e.trouble;
  if (!why) return null;
  const text = errorText(new ApiError(why.code, why.detail, 0, why.fields), words);
  if (e.state === 'refused')
    return (
      <div class="problem" role="alert">
        <p>{text}</p>
        {why.fields.map((f) => (
          <p key={f.location + f.message} class="quiet">{f.location}: {f.message}</p>
        ))}
      </div>
    );
  const seconds = Math.max(0, Math.round((e.due - clock.value) / 1000));
  return <p class="note">{text} {e.tries > 1 && t('tries', { n: e.tries })} {seconds > 0 && t('again.in', { s: seconds })}</p>;
}

function Discard({ e }: { e: Entry }): JSX.Element {
  const close = (): void => void (doomed.value = null);
  const discard = async (): Promise<void> => {
    close();
    try {
      await keep.remove(e);
    } catch {
      say(t('edit.late'));
    }
    await reload();
  };
  return (
    <Dialog title={t('discard')} onClose={close}>
      <p>{t('discard.sure')}</p>
      <footer class="row">
        <Button onClick={close}>{t('discard.no')}</Button>
        <Button kind="danger" onClick={discard}>{t('discard.yes')}</Button>
      </footer>
    </Dialog>
  );
}

/** Unsent records as a file, and back. */
function Transfer(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const give = async (): Promise<void> => {
    const now = new Date();
    download(`citygrid-unsent-${timeText(now.getTime()).replace(/[ :]/g, '-')}.json`, await exportUnsent(keep, now));
  };
  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      const { taken, here } = await importUnsent(keep, await file.text());
      await reload();
      say(t('import.done', { taken, here }));
      void push();
    } catch {
      say(t('import.bad'), true);
    }
    if (input.current) input.current.value = '';
  };
  return (
    <>
      <Button id="export" onClick={give} disabled={entries.value.every((e) => e.state === 'sent')}>{t('export')}</Button>
      <label class="button file">
        {t('import')}
        <input ref={input} type="file" accept="application/json,.json" onChange={(e) => void take(e.currentTarget.files?.[0])} />
      </label>
    </>
  );
}
