import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatTime } from '../shared/format.ts';
import type { CaseMediaJSON, EntryJSON } from '../shared/openapi.ts';
import { personName } from './names.ts';
import { Viewer } from './viewer.tsx';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

/** A photo, film or sound with the entry that brought it. */
export interface Shot extends CaseMediaJSON {
  entry: EntryJSON;
}

/** The media of a journal, each once, in its order. */
export function shotsOf(journal: readonly EntryJSON[]): Shot[] {
  const list: Shot[] = [];
  for (const entry of journal) {
    for (const m of entry.media ?? []) if (!list.some((s) => s.sm3 === m.sm3 && s.stage === m.stage)) list.push({ ...m, entry });
  }
  return list;
}

/** The address of what is kept under a digest. */
export function mediaAddress(sm3: string): string {
  return `/api/v1/media/${sm3}`;
}

/** What a photo shows, in words: stage, who, when. */
export function caption(s: Shot): string {
  return `${codes.word('stg', s.stage)} · ${personName(s.entry.person)} · ${formatTime(Date.parse(s.entry.counts_at)).slice(0, 16)}`;
}

export function MediaBox({ journal }: { journal: readonly EntryJSON[] }): JSX.Element | null {
  const shots = shotsOf(journal);
  const [open, setOpen] = useState(-1);
  if (shots.length === 0) return null;
  return (
    <section class="panel media">
      <header>
        <h2>{t('photos')}</h2>
        <span class="quiet">{shots.length}</span>
      </header>
      <ul class="body shots">
        {shots.map((s, n) => (
          <li key={s.sm3 + s.stage}>
            <button type="button" class="shot" onClick={() => setOpen(n)} aria-label={t('photo.open', { what: caption(s) })}>
              <Thumb shot={s} />
            </button>
            <small>
              <b>{codes.word('stg', s.stage)}</b> {personName(s.entry.person)}
            </small>
          </li>
        ))}
      </ul>
      {open >= 0 && <Viewer shots={shots} first={open} onClose={() => setOpen(-1)} />}
    </section>
  );
}

/** A small picture; a film or sound by its name; and words where the picture cannot be shown. */
function Thumb({ shot }: { shot: Shot }): JSX.Element {
  const [failed, setFailed] = useState(false);
  if (shot.kind === 'video' || shot.kind === 'audio') return <span class="nothumb">{t(`kind.${shot.kind}`)}</span>;
  if (failed) return <span class="nothumb bad">{t('photo.failed')}</span>;
  return <img src={mediaAddress(shot.sm3)} alt={caption(shot)} loading="lazy" onError={() => setFailed(true)} />;
}
