// The fields and the frame that the forms of this page share.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../shared/api.ts';
import { errorText, Field, Problem } from '../shared/ui.tsx';
import { t, words } from './words.ts';

interface TextProps {
  label: string;
  name: string;
  value: string;
  onInput: (v: string) => void;
  hint?: string;
  error?: string;
  autocomplete: string;
  required?: boolean;
  code?: boolean;
}

/** A line of text. */
export function Text(p: TextProps): JSX.Element {
  return (
    <Field
      label={p.label}
      {...(p.hint === undefined ? {} : { hint: p.hint })}
      {...(p.error === undefined ? {} : { error: p.error })}
      render={(id, note) => (
        <input
          id={id} name={p.name} class={p.code ? 'code' : ''} value={p.value} autocomplete={p.autocomplete} autocapitalize="none" spellcheck={false}
          required={p.required ?? true} maxLength={200} aria-describedby={note} aria-invalid={Boolean(p.error)} onInput={(e) => p.onInput(e.currentTarget.value)}
        />
      )}
    />
  );
}

/** A password, which can be shown: who sees what they type makes fewer mistakes. */
export function Password(p: { label: string; value: string; onInput: (v: string) => void; fresh?: boolean; error?: string }): JSX.Element {
  const [shown, setShown] = useState(false);
  return (
    <>
      <Field
        label={p.label}
        {...(p.fresh ? { hint: t('password.hint') } : {})}
        {...(p.error ? { error: p.error } : {})}
        render={(id, note) => (
          <input
            id={id} name="password" {...(shown ? { type: 'text' as const } : { type: 'password' as const })} value={p.value} autocomplete={p.fresh ? 'new-password' : 'current-password'} autocapitalize="none"
            spellcheck={false} required maxLength={1024} aria-describedby={note} aria-invalid={Boolean(p.error)} onInput={(e) => p.onInput(e.currentTarget.value)}
          />
        )}
      />
      <label class="check">
        <input type="checkbox" checked={shown} onChange={(e) => setShown(e.currentTarget.checked)} /> {t('show')}
      </label>
    </>
  );
}

/** What a weak password is told; empty for any other refusal. */
export function weakness(err: ApiError | null): string {
  return err?.code === 'password_weak' ? words.word('weak', err.why) : '';
}

/** A form that sends once at a time, says what was refused, and counts a pause down. */
export function Form(p: { id: string; go: string; error: ApiError | null; send: () => Promise<void>; disabled?: boolean; children: ComponentChildren }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const left = useCountdown(p.error);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy || left > 0) return;
    setBusy(true);
    try {
      await p.send();
    } finally {
      setBusy(false);
    }
  };
  return (
    <form id={p.id} onSubmit={(e) => void submit(e)}>
      {p.children}
      {p.error && !weakness(p.error) && <Problem error={p.error} words={words} />}
      {p.error && p.error.wait > 0 && (
        <p class="note" id="pause">
          {left > 0 ? t('wait', { n: left }) : t('wait.over')}
        </p>
      )}
      <button type="submit" class="main wide" disabled={busy || left > 0 || p.disabled} aria-busy={busy}>
        {p.go}
      </button>
    </form>
  );
}

/** Seconds that are left of the pause that a refusal asks for. */
function useCountdown(err: ApiError | null): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const until = Date.now() + (err?.wait ?? 0) * 1000;
    const show = (): void => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    show();
    if (!err?.wait) return;
    const timer = setInterval(show, 250);
    return () => clearInterval(timer);
  }, [err]);
  return left;
}

/** The refusal in err; anything else is a fault of the page and goes on. */
export function refusalIn(err: unknown): ApiError {
  if (err instanceof ApiError) return err;
  throw err;
}

/** A note in a box. */
export function Note({ children, bad, id }: { children: ComponentChildren; bad?: boolean; id?: string }): JSX.Element {
  return (
    <p class={bad ? 'problem' : 'hint'} id={id} role={bad ? 'alert' : 'status'}>
      {children}
    </p>
  );
}

/** The text for a code in the address, which the hub has sent the browser back with. */
export function sentBack(code: string): string {
  return errorText(new ApiError(code, ''), words);
}
