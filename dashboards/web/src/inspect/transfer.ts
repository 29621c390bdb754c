// Unsent records as a file: for a phone that cannot be repaired, or that finds no network
// at all. Another phone takes the file and sends the same records under the same ids, so
// that nothing comes twice even when both do.

import type { Keeper, Photo } from './db.ts';
import type { Entry } from './record.ts';

const FORM = 'citygrid unsent records 1';

interface File {
  form: string;
  made: string;
  records: Entry[];
  photos: { digest: string; type: string; made: number; data: string }[];
}

/** All that has not been confirmed, drafts too, with the photos. */
export async function exportUnsent(keep: Keeper, now: Date): Promise<Blob> {
  const records = (await keep.all()).filter((e) => e.state !== 'sent');
  const photos: File['photos'] = [];
  for (const digest of new Set(records.flatMap((e) => e.photos.map((p) => p.digest)))) {
    const p = await keep.photo(digest);
    if (p) photos.push({ digest, type: p.type, made: p.made, data: base64(new Uint8Array(p.bytes)) });
  }
  const file: File = { form: FORM, made: now.toISOString(), records, photos };
  return new Blob([JSON.stringify(file)], { type: 'application/json' });
}

/** Takes records from a file. Those that are here already stay as they are. Throws for what is no such file. */
export async function importUnsent(keep: Keeper, text: string): Promise<{ taken: number; here: number }> {
  const file = parse(text);
  const photos = new Map(file.photos.map((p): [string, Photo] => [p.digest, { digest: p.digest, type: p.type, made: p.made, bytes: bytes(p.data) }]));
  let taken = 0;
  let here = 0;
  for (const record of file.records) {
    if (await keep.get(record.id)) {
      here++;
      continue;
    }
    const e: Entry = { ...record, rev: 0, state: record.state === 'sending' || record.state === 'held' ? 'waiting' : record.state, due: 0 };
    await keep.attach(e.photos.flatMap((p) => photos.get(p.digest) ?? []), e);
    taken++;
  }
  return { taken, here };
}

function parse(text: string): File {
  const v = JSON.parse(text) as Partial<File> | null;
  const good = v?.form === FORM && Array.isArray(v.records) && Array.isArray(v.photos) && v.records.every(isRecord);
  if (!good) throw new SyntaxError('no file of unsent records');
  return v as File;
}

function isRecord(e: Partial<Entry>): boolean {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  return uuid.test(e.id ?? '') && typeof e.person === 'string' && typeof e.state === 'string' && Array.isArray(e.photos) && (e.report ?? e.answer) !== undefined;
}

function base64(data: Uint8Array): string {
  let s = '';
  for (let n = 0; n < data.length; n += 0x8000) s += String.fromCharCode(...data.subarray(n, n + 0x8000));
  return btoa(s);
}

function bytes(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
}
