// Files that are dropped anywhere on the desk are taken in for checking, and never opened by the browser.

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { signal } from '@preact/signals';
import { can } from '../shared/session.ts';
import { say } from '../shared/ui.tsx';
import { go, route } from './route.ts';
import { take } from './upload.ts';
import { t } from './words.ts';

/** True while somebody drags files over the page. */
export const dragging = signal(false);

/** What is dragged are files, and no text or link of a page. */
export function bringsFiles(e: Pick<DragEvent, 'dataTransfer'>): boolean {
  return e.dataTransfer?.types.includes('Files') ?? false;
}

function over(e: DragEvent): void {
  if (!bringsFiles(e)) return;
  e.preventDefault(); // else the browser leaves the page and opens the file
  if (e.dataTransfer) e.dataTransfer.dropEffect = can('clerk') ? 'copy' : 'none';
  dragging.value = true;
}

function leave(e: DragEvent): void {
  if (e.relatedTarget === null) dragging.value = false; // out of the window, not into another element
}

function dropped(e: DragEvent): void {
  dragging.value = false;
  if (!bringsFiles(e)) return;
  e.preventDefault();
  if (!can('clerk')) return say(t('import.role'), true);
  void take(e.dataTransfer?.files ?? []);
  if (route.value.view !== 'import') go({ view: 'import' });
}

/** Listens on the whole window, and says where the files would go. */
export function DropAnywhere(): JSX.Element | null {
  useEffect(() => {
    addEventListener('dragenter', over);
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', dropped);
    return () => {
      removeEventListener('dragenter', over);
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', dropped);
    };
  }, []);
  if (!dragging.value) return null;
  return (
    <div class="dropveil" role="status">
      <p>{t(can('clerk') ? 'drop.here' : 'import.role')}</p>
    </div>
  );
}
