// Photos of a record: taken, shown, taken out.

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { formatBytes } from '../shared/format.ts';
import { lang } from '../shared/words.ts';
import type { Draft } from './draft.ts';
import { cellAt } from './geo.ts';
import { prepare } from './photo.ts';
import { usePicture } from './pictures.ts';
import { here } from './place.ts';
import { full } from './quota.ts';
import type { PhotoRef } from './record.ts';
import { person, round } from './state.ts';
import { timeText } from './text.ts';
import { t } from './words.ts';

const MOST = 9;

/** draft() begins the record where there is none yet. */
export function Photos(p: { photos: readonly PhotoRef[]; draft: () => Promise<Draft>; where?: string }): JSX.Element {
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = async (files: FileList | null): Promise<void> => {
    setBusy(true);
    setTrouble('');
    try {
      if (await full()) return setTrouble(t('photo.full'));
      for (const file of [...(files ?? [])].slice(0, MOST - p.photos.length)) {
        const cell = p.where ?? (here.value ? cellAt(round.value.cells, here.value)?.code : undefined);
        const ready = await prepare(file, [timeText(Date.now()), [cell, person.value?.name].filter(Boolean).join(' ')].filter(Boolean));
        const draft = await p.draft();
        await draft.add({ digest: ready.digest, bytes: ready.bytes, type: ready.type, made: Date.now() });
        const { lon, lat } = ready.taken;
        // Where the camera was counts only where the phone itself does not know.
        if (lon !== undefined && lat !== undefined && !here.value && draft.entry.report && !draft.entry.report.place)
          await draft.change({ report: { ...draft.entry.report, place: { lon, lat, crs: 'WGS84' } } });
      }
    } catch {
      setTrouble(t('photo.bad'));
    } finally {
      setBusy(false);
      if (input.current) input.current.value = ''; // the same photo may be taken again
    }
  };
  return (
    <div class="photos">
      {p.photos.map((ref) => (
        <Thumb key={ref.digest} photo={ref} draft={p.draft} />
      ))}
      {p.photos.length < MOST && (
        <label class={`take ${busy ? 'busy' : ''}`}>
          <input ref={input} type="file" accept="image/*" capture="environment" disabled={busy} onChange={(e) => void take(e.currentTarget.files)} />
          <svg viewBox="0 0 24 24" width="28" height="28" aria-hidden="true"><path d="M4 8h4l2-3h4l2 3h4v11H4zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z" /></svg>
          <span>{busy ? t('photo.busy') : t('photo.take')}</span>
        </label>
      )}
      {trouble !== '' && <p class="problem" role="alert">{trouble}</p>}
    </div>
  );
}

function Thumb({ photo, draft }: { photo: PhotoRef; draft: () => Promise<Draft> }): JSX.Element {
  const url = usePicture(photo.digest);
  const drop = async (): Promise<void> => {
    const d = await draft();
    await d.change({ photos: d.entry.photos.filter((one) => one.digest !== photo.digest) });
  };
  return (
    <figure class="thumb">
      {url && <img src={url} alt={t('photo.one')} />}
      <figcaption>{formatBytes(photo.bytes, lang.value)}</figcaption>
      <button type="button" class="icon" aria-label={t('photo.drop')} onClick={() => void drop()}>×</button>
    </figure>
  );
}

/** A photo to look at; a tap shows it whole. */
export function Picture({ digest, label }: { digest: string; label: string }): JSX.Element {
  const url = usePicture(digest);
  const [gone, setGone] = useState(false);
  const [large, setLarge] = useState(false);
  if (gone) return <div class="picture gone">{t('picture.gone')}</div>;
  return (
    <button type="button" class={`picture ${large ? 'large' : ''}`} aria-label={`${label}: ${t(large ? 'picture.less' : 'picture.more')}`} onClick={() => setLarge(!large)}>
      {url && <img src={url} alt={label} onError={() => setGone(true)} />}
    </button>
  );
}
