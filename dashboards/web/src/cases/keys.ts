import { useEffect, useRef } from 'preact/hooks';

/** What each key does. */
export type Keys = Readonly<Record<string, () => void>>;

/** True where a letter is typed and means itself. */
function typing(e: KeyboardEvent): boolean {
  const el = e.target instanceof HTMLElement ? e.target : null;
  const text = el instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(el.type);
  return text || el instanceof HTMLTextAreaElement || el instanceof HTMLSelectElement || el?.isContentEditable === true;
}

/** Lets single keys do things while no dialog is open and nothing is typed. Enter and Space stay with what has the focus. */
export function useKeys(keys: Keys): void {
  const map = useRef(keys);
  map.current = keys;
  useEffect(() => {
    const press = (e: KeyboardEvent): void => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || typing(e) || document.querySelector('dialog[open]')) return;
      const own = e.target instanceof Element && e.target.closest('a, button, summary, input, select') !== null;
      const act = map.current[e.key];
      if (!act || (own && (e.key === 'Enter' || e.key === ' '))) return;
      e.preventDefault();
      act();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}
