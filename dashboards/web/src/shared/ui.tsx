// The pieces that pages are made of.

import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { common } from './common.ts';

/** What went wrong, in the words of the page's own dictionary where it has some. */
export function errorText(err: unknown, words?: { code(prefix: string, code: string): string }): string {
  if (!(err instanceof ApiError)) return common.t('err.other', { code: String(err) });
  const own = words?.code('err', err.code);
  if (own !== undefined && own !== err.code) return own;
  const text = common.word('err', err.code);
  if (text !== err.code) return text;
  return err.detail || common.t('err.other', { code: err.code });
}

/** A refusal, with what is wrong field by field. */
export function Problem({ error, words }: { error: unknown; words?: { code(prefix: string, code: string): string } }): JSX.Element | null {
  if (!error) return null;
  const fields = error instanceof ApiError ? error.fields : [];
  return (
    <div class="problem" role="alert">
      <p>{words ? errorText(error, words) : errorText(error)}</p>
      {fields.length > 0 && (
        <ul>
          {fields.map((f) => (
            <li key={f.location + f.message}>
              <code>{f.location}</code> {f.message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Nothing to show: why, and what to do. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <h3>{title}</h3>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Lines where a text will be; shown at once, so that nothing jumps. */
export function Skeleton({ lines = 3 }: { lines?: number }): JSX.Element {
  return (
    <div class="skeleton" aria-busy="true">
      <span class="sr">{common.t('loading')}</span>
      {Array.from({ length: lines }, (_, n) => (
        <span key={n} aria-hidden="true" />
      ))}
    </div>
  );
}

/** One of a few, all of them in sight. */
export function Tabs<K extends string>(p: { label: string; options: readonly (readonly [K, ComponentChildren])[]; value: K; onChange: (key: K) => void }): JSX.Element {
  return (
    <div class="tabs" role="group" aria-label={p.label}>
      {p.options.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={key === p.value} onClick={() => p.onChange(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A labelled control; render gets the id for the label. */
export function Field(p: { label: string; hint?: string; error?: string; render: (id: string, describedBy: string | undefined) => JSX.Element }): JSX.Element {
  const id = useId();
  const note = p.error || p.hint;
  return (
    <div class={`field ${p.error ? 'wrong' : ''}`}>
      <label for={id}>{p.label}</label>
      {p.render(id, note ? `${id}-note` : undefined)}
      {note && (
        <p id={`${id}-note`} class="note">
          {note}
        </p>
      )}
    </div>
  );
}

/** A choice from a list, with its label before it. */
export function Select(p: { label: string; value: string; options: readonly (readonly [string, string])[]; onChange: (v: string) => void; hideLabel?: boolean; id?: string }): JSX.Element {
  return (
    <label class="select">
      <span class={p.hideLabel ? 'sr' : 'label'}>{p.label}</span>
      <select id={p.id} value={p.value} onChange={(e) => p.onChange(e.currentTarget.value)}>
        {p.options.map(([v, text]) => (
          <option key={v} value={v}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A dialog of the browser: it holds the focus, and Escape closes it. */
export function Dialog(p: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const el = box.current;
    el?.showModal();
    return () => el?.close();
  }, []);
  return (
    <dialog ref={box} class={p.wide ? 'wide' : ''} aria-labelledby={title} onCancel={(e) => { e.preventDefault(); p.onClose(); }}>
      <header>
        <h2 id={title}>{p.title}</h2>
        <button type="button" class="icon" aria-label={common.t('close')} onClick={p.onClose}>
          ×
        </button>
      </header>
      {p.children}
    </dialog>
  );
}

/** A button that works once at a time and says so while it does. */
export function Button(p: { children: ComponentChildren; onClick: () => Promise<void> | void; kind?: 'main' | 'danger' | 'plain'; disabled?: boolean; id?: string; title?: string }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const here = useRef(true);
  useEffect(() => () => { here.current = false; }, []);
  const click = async (): Promise<void> => {
    setBusy(true);
    try {
      await p.onClick();
    } finally {
      if (here.current) setBusy(false);
    }
  };
  return (
    <button type="button" id={p.id} title={p.title} class={p.kind ?? 'plain'} disabled={busy || p.disabled} aria-busy={busy} onClick={() => void click()}>
      {p.children}
    </button>
  );
}

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const toasts = signal<readonly Toast[]>([]);
let last = 0;

/** Says something for a few seconds, to the eye and to a screen reader. */
export function say(text: string, bad = false): void {
  const toast = { id: ++last, text, bad };
  toasts.value = [...toasts.value, toast];
  setTimeout(() => (toasts.value = toasts.value.filter((one) => one !== toast)), bad ? 10_000 : 5000);
}

/** Where say() speaks; part of the shell. */
export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <p key={one.id} class={one.bad ? 'bad' : ''}>
          {one.text}
        </p>
      ))}
    </div>
  );
}
