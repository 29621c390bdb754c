// Under which class: what the component suggests, what was used last, or a search.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { recall, remember } from '../shared/storage.ts';
import type { CatalogueClassJSON } from '../shared/openapi.ts';
import { findClasses, kindOf, suggested } from './search.ts';
import { round } from './state.ts';
import { majorOf, nameOf } from './text.ts';
import { t } from './words.ts';

const recent = signal<readonly string[]>(recall('inspect classes').split('\n').filter(Boolean));

/** Remembers a class as used. */
export function used(ref: string): void {
  recent.value = [ref, ...recent.value.filter((r) => r !== ref)].slice(0, 6);
  remember('inspect classes', recent.value.join('\n'));
}

/** The marks of a group that is missing; the id is for who leads to it. */
interface Marks {
  id: string;
  'aria-invalid'?: 'true';
  'aria-describedby'?: string;
}

export function ClassPick({ id, 'aria-invalid': wrong, 'aria-describedby': described, ...p }: Marks & { value: string; component: string; onChange: (ref: string) => void }): JSX.Element {
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const c = round.value.components.find((one) => one.id === p.component);
  const chosen = round.value.classes.find((k) => k.ref === p.value);
  const first = c ? suggested(round.value, c) : [];
  const last = recent.value.flatMap((ref) => round.value.classes.find((k) => k.ref === ref) ?? []).filter((k) => !first.includes(k));
  const quick = [...first, ...last].slice(0, 6);
  const hits = findClasses(round.value.classes, text);
  const choose = (k: CatalogueClassJSON): void => {
    setText('');
    setOpen(false);
    p.onChange(k.ref);
  };
  return (
    <div class="classes" id={id} role="group" aria-labelledby="class-label" aria-invalid={wrong} aria-describedby={described}>
      <p class="label" id="class-label">{t('class')}</p>
      {chosen && !quick.includes(chosen) && <Chip k={chosen} on onChoose={choose} />}
      {quick.map((k) => (
        <Chip key={k.ref} k={k} on={k.ref === p.value} onChoose={choose} />
      ))}
      {open || (quick.length === 0 && !chosen) ? (
        <div class="typed">
          <label for="class">{t('class.search')}</label>
          <input id="class" type="search" autocomplete="off" value={text} placeholder={t('class.hint')} onInput={(e) => setText(e.currentTarget.value)} />
          {text !== '' && hits.length === 0 && <p class="note">{t('class.none')}</p>}
          <ul class="list scrolled">
            {hits.map((k) => (
              <li key={k.ref}>
                <button type="button" class="line" onClick={() => choose(k)}>
                  <span class="what">
                    <b>{nameOf(k)}</b>
                    <span class="quiet">
                      {t(kindOf(k.ref) === 'event' ? 'class.event' : 'class.component')} · {majorOf(k)} · {k.ref.slice(k.ref.lastIndexOf(':') + 1)}
                    </span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      ) : (
        <button type="button" class="chip" onClick={() => setOpen(true)}>{t('class.other')}</button>
      )}
    </div>
  );
}

function Chip({ k, on, onChoose }: { k: CatalogueClassJSON; on: boolean; onChoose: (k: CatalogueClassJSON) => void }): JSX.Element {
  return (
    <button type="button" class="chip" aria-pressed={on} onClick={() => onChoose(k)}>
      {nameOf(k)}
    </button>
  );
}
