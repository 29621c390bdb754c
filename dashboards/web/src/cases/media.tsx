import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { EntryJSON } from '../shared/openapi.ts';
import { personName } from './names.ts';
import type { Shot } from './shots.ts';
import { caption, mediaAddress, shotsOf } from './shots.ts';
import { Viewer } from './viewer.tsx';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

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
