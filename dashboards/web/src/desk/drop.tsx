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
  if (e.dataTransfer) void filesOf(e.dataTransfer.items).then(take, () => say(t('drop.unread'), true));
  if (route.value.view !== 'import') go({ view: 'import' });
}

/** The files that are dropped, and those that lie in a folder that is. A drop is empty as soon as this returns. */
export async function filesOf(items: DataTransferItemList): Promise<File[]> {
  const dropped = [...items].filter((i) => i.kind === 'file').map((i) => ({ entry: i.webkitGetAsEntry(), file: i.getAsFile() }));
  const files = await Promise.all(dropped.map(({ entry, file }) => (entry?.isDirectory ? inFolder(entry as FileSystemDirectoryEntry) : file ? [file] : [])));
  return files.flat();
}

/** The files of a folder, without those of folders in it. */
async function inFolder(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed)); // some at a time, none at the end
    if (some.length === 0) return files;
    for (const one of some) if (one.isFile) files.push(await new Promise<File>((done, failed) => (one as FileSystemFileEntry).file(done, failed)));
  }
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
