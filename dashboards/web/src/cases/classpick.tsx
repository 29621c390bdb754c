// A class of the code lists, found by code or by words.

import type { JSX } from 'preact';
import { signal } from '@preact/signals';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import type { CodeClassJSON, CodeClassPage } from '../shared/openapi.ts';
import { lang } from '../shared/words.ts';
import { t } from './words.ts';

const names = signal<ReadonlyMap<string, CodeClassJSON>>(new Map());

/** The name of a class in the language of the page. */
export function className(k: CodeClassJSON): string {
  return lang.value === 'en' && k.en ? k.en : k.zh;
}

/** What a reference is called; the reference itself while the name is not known. */
function labelOf(ref: string): string {
  const k = names.value.get(ref);
  return k ? className(k) : ref;
}

async function find(q: string): Promise<readonly CodeClassJSON[]> {
  const page = await ask<CodeClassPage>('/api/v1/codes/classes', { q, limit: 12 });
  names.value = new Map([...names.value, ...page.rows.map((k) => [k.ref, k] as const)]);
  return page.rows;
}

interface Props {
  label: string;
  value: string;
  onChange: (ref: string, found?: CodeClassJSON) => void;
  id?: string;
  /** The label stands before the box, as in a bar of filters. */
  inline?: boolean;
  describedBy?: string | undefined;
}

/** A box with a list under it (combobox, ARIA 1.2). */
export function ClassPick(p: Props): JSX.Element {
  const own = useId();
  const id = p.id ?? own;
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [list, setList] = useState<readonly CodeClassJSON[]>([]);
  const [at, setAt] = useState(0);
  const round = useRef(0);
  useEffect(() => {
    const code = p.value.split(':')[2];
    if (p.value && !names.value.has(p.value) && code) void find(code).catch(() => undefined); // the reference stands for the name until then
  }, [p.value]);
  useEffect(() => {
    if (!open) return undefined;
    const mine = ++round.current;
    const timer = setTimeout(() => {
      find(text).then((rows) => {
        if (mine !== round.current) return;
        setList(rows);
        setAt(0);
      }, () => setList([]));
    }, 200);
    return () => clearTimeout(timer);
  }, [text, open]);
  const choose = (k: CodeClassJSON): void => {
    p.onChange(k.ref, k);
    setOpen(false);
  };
  const press = (e: KeyboardEvent): void => {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      setOpen(true);
      setAt((n) => Math.max(0, Math.min(list.length - 1, n + (e.key === 'ArrowDown' ? 1 : -1))));
    } else if (e.key === 'Enter' && open && list[at]) {
      e.preventDefault();
      choose(list[at]);
    } else if (e.key === 'Escape' && open) {
      e.preventDefault();
      e.stopPropagation();
      setOpen(false);
    }
  };
  const shown = open ? text : p.value ? labelOf(p.value) : '';
  return (
    <span class={`combo ${p.inline ? 'select' : ''}`}>
      {p.inline && (
        <label class="label" for={id}>
          {p.label}
        </label>
      )}
      <input id={id} type="text" role="combobox" aria-expanded={open} aria-controls={`${id}-list`} aria-autocomplete="list" aria-activedescendant={open && list[at] ? `${id}-${at}` : undefined}
        aria-describedby={p.describedBy} autocomplete="off" value={shown} placeholder={t('class.hint')}
        onFocus={() => { setText(''); setOpen(true); }} onBlur={() => setOpen(false)} onInput={(e) => { setText(e.currentTarget.value); setOpen(true); }} onKeyDown={press} />
      {p.value && (
        <button type="button" class="icon drop" aria-label={t('class.drop')} onClick={() => p.onChange('')}>
          ×
        </button>
      )}
      <ul id={`${id}-list`} role="listbox" aria-label={p.label} hidden={!open}>
        {list.map((k, n) => (
          <li key={k.ref} id={`${id}-${n}`} role="option" aria-selected={n === at} onPointerDown={(e) => { e.preventDefault(); choose(k); }}>
            <b>{className(k)}</b> <span class="quiet code">{k.code}</span>
            <span class="quiet"> {lang.value === 'en' ? k.major.en : k.major.zh} · {k.standard}</span>
          </li>
        ))}
        {list.length === 0 && <li class="quiet" role="option" aria-selected={false} aria-disabled="true">{t('class.none')}</li>}
      </ul>
    </span>
  );
}
