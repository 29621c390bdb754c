// What the parts of this page share.

import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';
import { ApiError } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { Button, errorText, say } from '../shared/ui.tsx';
import { ROLES } from './data.ts';
import { t, words } from './words.ts';

/** The text of a refusal, the weakness of a password included. */
export function refusal(err: unknown): string {
  if (err instanceof ApiError && err.code === 'password_weak') return words.word('weak', err.why);
  return errorText(err, words);
}

/** Does something and says whether it was done. */
export async function attempt(act: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await act();
  } catch (err) {
    say(refusal(err), true);
    return false;
  }
  say(done);
  return true;
}

/** What is shown once, to be copied. */
export function Secret({ id, text }: { id: string; text: string }): JSX.Element {
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    say(common.t('copied'));
  };
  return (
    <p class="secret row">
      <output class="code" id={id}>
        {text}
      </output>
      {isSecureContext && <Button onClick={copy}>{common.t('copy')}</Button>}
    </p>
  );
}

/** A line of text with its label. */
export function Line(p: { label: string; hint?: string; value: string; onInput: (v: string) => void; type?: 'text' | 'date'; name: string; required?: boolean; min?: string; max?: string; list?: string }): JSX.Element {
  const id = useId();
  const date = p.type === 'date';
  return (
    <div class="field">
      <label for={id}>{p.label}</label>
      {date ? (
        <input id={id} name={p.name} type="date" value={p.value} min={p.min} max={p.max} required onInput={(e) => p.onInput(e.currentTarget.value)} />
      ) : (
        <input
          id={id} name={p.name} value={p.value} required={p.required ?? true} maxLength={200} autocomplete="off" autocapitalize="none" spellcheck={false}
          aria-describedby={p.hint ? `${id}-hint` : undefined} onInput={(e) => p.onInput(e.currentTarget.value)}
        />
      )}
      {p.hint && (
        <p class="note" id={`${id}-hint`}>
          {p.hint}
        </p>
      )}
    </div>
  );
}

/** Roles to tick. */
export function Roles(p: { of: readonly string[]; value: readonly string[]; onChange: (roles: string[]) => void }): JSX.Element {
  const toggle = (r: string): void => p.onChange(p.value.includes(r) ? p.value.filter((one) => one !== r) : [...p.value, r]);
  return (
    <fieldset class="roles">
      <legend>{t('person.roles')}</legend>
      {ROLES.filter((r) => p.of.includes(r)).map((r) => (
        <label key={r}>
          <input type="checkbox" name="role" value={r} checked={p.value.includes(r)} onChange={() => toggle(r)} /> {common.t(`role.${r}`)}
        </label>
      ))}
    </fieldset>
  );
}

/** The buttons of a form in a dialog. */
export function Buttons({ go, onClose, busy, disabled, danger }: { go: string; onClose: () => void; busy: boolean; disabled?: boolean; danger?: boolean }): JSX.Element {
  return (
    <footer class="row end">
      <button type="button" onClick={onClose}>
        {common.t('cancel')}
      </button>
      <button type="submit" class={danger ? 'danger' : 'main'} disabled={busy || disabled} aria-busy={busy}>
        {go}
      </button>
    </footer>
  );
}

/** A panel with a heading. */
export function Panel({ title, tools, children }: { title: string; tools?: ComponentChildren; children: ComponentChildren }): JSX.Element {
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        {tools && <div class="row push">{tools}</div>}
      </header>
      <div class="body">{children}</div>
    </section>
  );
}
