// Photos, films and sound that go along with an act: sent at once, named by the act.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { upload } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatBytes, formatPercent } from '../shared/format.ts';
import type { CaseMediaJSON, MediaJSON } from '../shared/openapi.ts';
import { errorText } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { t, words } from './words.ts';

interface Item {
  key: number;
  file: File;
  url: string;
  part: number;
  done?: MediaJSON;
  error?: unknown;
}

/** How many an entry takes (docs/cases.md). */
const MOST = 20;

interface Props {
  stage: CaseMediaJSON['stage'];
  /** What has been taken, and whether something has not been: nothing is sent without it unless it is removed. */
  onChange: (media: CaseMediaJSON[], busy: boolean) => void;
}

export function Uploads({ stage, onChange }: Props): JSX.Element {
  const [items, setItems] = useState<readonly Item[]>([]);
  const last = useRef(0);
  const gone = useRef(new AbortController());
  useEffect(() => {
    const sent = items.flatMap((i) => (i.done ? [{ sm3: i.done.sm3, kind: i.done.kind, stage }] : []));
    const once = sent.filter((m, n) => sent.findIndex((o) => o.sm3 === m.sm3) === n);
    onChange(once, items.some((i) => !i.done));
  }, [items]);
  useEffect(() => () => gone.current.abort(), []);
  const change = (key: number, part: Partial<Item>): void => setItems((list) => list.map((i) => (i.key === key ? { ...i, ...part } : i)));
  const start = (item: Item): void => {
    upload<MediaJSON>('/api/v1/media', item.file, (part) => change(item.key, { part }), gone.current.signal).then(
      (done) => change(item.key, { done, part: 1 }),
      (error: unknown) => !gone.current.signal.aborted && change(item.key, { error }),
    );
  };
  const add = (files: FileList | null): void => {
    const fresh = [...(files ?? [])].slice(0, MOST - items.length).map((file) => ({ key: ++last.current, file, url: file.type.startsWith('image/') ? URL.createObjectURL(file) : '', part: 0 }));
    setItems((list) => [...list, ...fresh]);
    fresh.forEach(start);
  };
  const again = (item: Item): void => {
    const { error: _, ...rest } = item;
    setItems((list) => list.map((i) => (i.key === item.key ? { ...rest, part: 0 } : i)));
    start(item);
  };
  const drop = (item: Item): void => {
    if (item.url) URL.revokeObjectURL(item.url);
    setItems((list) => list.filter((i) => i.key !== item.key));
  };
  return (
    <div class="uploads">
      <label class="button file">
        {t('photo.add')}
        <input type="file" accept="image/*,video/*,audio/*" multiple class="sr" onChange={(e) => { add(e.currentTarget.files); e.currentTarget.value = ''; }} />
      </label>
      {items.length > 0 && (
        <ul aria-live="polite">
          {items.map((i) => (
            <li key={i.key} data-done={Boolean(i.done)} class={i.error ? 'bad' : ''}>
              {i.url ? <img src={i.url} alt="" /> : <span class="nothumb" aria-hidden="true" />}
              <span>
                <span class="clip">{i.file.name}</span>
                <small>{i.error ? errorText(i.error, words) : i.done ? t('photo.sent', { size: formatBytes(i.file.size, lang.value) }) : t('photo.sending', { part: formatPercent(i.part, lang.value) })}</small>
                {!i.done && !i.error && <progress max={1} value={i.part} aria-label={i.file.name} />}
              </span>
              {i.error !== undefined && (
                <button type="button" onClick={() => again(i)}>
                  {common.t('retry')}
                </button>
              )}
              <button type="button" class="icon" aria-label={t('photo.drop', { name: i.file.name })} onClick={() => drop(i)}>
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
