// Files on their way: read once, checked by the hub before anything is stored, then stored.

import { signal } from '@preact/signals';
import { address, ApiError, signedOut } from '../shared/api.ts';
import type { Params } from '../shared/api.ts';
import type { FileCheckJSON, ImportJSON } from '../shared/openapi.ts';

/** What the operator says of a file that does not say it itself. */
export interface Said {
  mapping: string;
  channel: string;
  utility: string;
  day: string;
  number: string;
}

export const NOTHING: Said = { mapping: '', channel: '', utility: '', day: '', number: '' };

export type Stage = 'waiting' | 'checking' | 'checked' | 'importing' | 'imported' | 'failed';

export interface One {
  id: number;
  file: File;
  said: Said;
  stage: Stage;
  /** 0 to 1 of the bytes. */
  sent: number;
  check: FileCheckJSON | null;
  done: ImportJSON | null;
  error: unknown;
}

/** The files of this visit. */
export const files = signal<readonly One[]>([]);
let last = 0;

function change(id: number, part: Partial<One>): void {
  files.value = files.value.map((f) => (f.id === id ? { ...f, ...part } : f));
}

/** Takes files in, and checks one after the other. */
export async function take(list: Iterable<File>): Promise<void> {
  const fresh: One[] = [...list].map((file) => ({ id: ++last, file, said: NOTHING, stage: 'waiting', sent: 0, check: null, done: null, error: null }));
  files.value = [...files.value, ...fresh];
  for (const f of fresh) await check(f.id);
}

export function drop(id: number): void {
  files.value = files.value.filter((f) => f.id !== id);
}

/** Forgets what is done with: what is stored, or was before. */
export function dropDone(): void {
  files.value = files.value.filter((f) => f.stage !== 'imported' && f.check?.state !== 'imported');
}

/** Asks what an import would say. */
export async function check(id: number, said?: Said): Promise<void> {
  const f = files.value.find((one) => one.id === id);
  if (!f || f.stage === 'importing' || f.stage === 'imported') return;
  const now = said ?? f.said;
  change(id, { stage: 'checking', sent: 0, said: now, check: null, error: null });
  try {
    const answer = await post<FileCheckJSON>('/api/v1/ledger/file-checks', question(f.file, now, now.mapping), f.file, (sent) => change(id, { sent }));
    change(id, { stage: 'checked', check: answer });
  } catch (error) {
    change(id, { stage: 'failed', error });
  }
}

/** Stores every file that was found sound. The next one begins when the one before has ended. */
export async function importAll(): Promise<number> {
  let n = 0;
  for (const f of ready()) if (await store(f.id)) n++;
  return n;
}

export function ready(): readonly One[] {
  return files.value.filter((f) => f.stage === 'checked' && f.check?.state === 'new');
}

async function store(id: number): Promise<boolean> {
  const f = files.value.find((one) => one.id === id);
  if (!f?.check) return false;
  change(id, { stage: 'importing', sent: 0, error: null });
  try {
    const done = await post<ImportJSON>('/api/v1/ledger/imports', question(f.file, f.said, f.check.mapping), f.file, (sent) => change(id, { sent }));
    change(id, { stage: 'imported', done });
    return true;
  } catch (error) {
    change(id, { stage: 'checked', error });
    return false;
  }
}

function question(file: File, said: Said, mapping: string): Params {
  return { name: file.name.slice(-200), mapping, channel: said.channel, utility: said.utility, day: said.day, ...(said.number ? { number: Number(said.number) } : {}) };
}

/** Sends the bytes of a file as they are, and tells how far they are, which fetch cannot. */
function post<T>(path: string, params: Params, file: Blob, progress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', address(path, params));
    x.setRequestHeader('Content-Type', 'application/octet-stream');
    x.upload.onprogress = (e) => progress(e.lengthComputable ? e.loaded / e.total : 0);
    x.onerror = () => reject(new ApiError('offline', ''));
    x.onload = () => {
      const body = parsed(x.responseText) as { code?: string; detail?: string } | null;
      if (x.status >= 200 && x.status < 300 && body !== null) return resolve(body as T);
      if (body?.code === 'not_authenticated') signedOut.value = true;
      reject(new ApiError(body?.code ?? (x.status >= 500 ? 'offline' : `http_${x.status}`), body?.detail ?? '', x.status));
    };
    x.send(file);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // an answer that is no JSON is a refusal
  }
}
