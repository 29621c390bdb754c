// What is still missing before something can be saved: said in the words of the fields'
// own labels, and the first of them brought under the thumb.

import type { JSX } from 'preact';
import { t } from './words.ts';

/** A field that is missing: the id of its element, and the words that stand beside it. */
export interface Lack {
  field: string;
  label: string;
}

/** Names all that is missing. Its id is "lacks", for fields that it describes. */
export function Lacks({ lacks }: { lacks: readonly Lack[] }): JSX.Element | null {
  if (lacks.length === 0) return null;
  return (
    <p class="problem" role="alert" id="lacks">
      {t('lacks', { what: lacks.map((one) => t('quoted', { text: one.label })).join(t('comma')) })}
    </p>
  );
}

/** The attributes of a field, marked when it is among those that are missing. */
export function marked(lacks: readonly Lack[], field: string): { id: string; 'aria-invalid'?: 'true'; 'aria-describedby'?: string } {
  return lacks.some((one) => one.field === field) ? { id: field, 'aria-invalid': 'true', 'aria-describedby': 'lacks' } : { id: field };
}

/** Scrolls to the field, or to the first thing to press in a group, and puts the cursor in it. */
export function lead(field: string): void {
  const box = document.getElementById(field);
  const to = box?.matches('input, textarea, button') ? box : box?.querySelector<HTMLElement>('input, textarea, button');
  to?.focus({ preventScroll: true });
  requestAnimationFrame(() => to?.scrollIntoView({ block: 'center' })); // once the list is drawn, which covers a part
}
