// What the page knows, as signals. What must outlast the page is in the store as well,
// and there first.

import { computed, signal } from '@preact/signals';
import { ApiError, ask, signedOut } from '../shared/api.ts';
import type { CatalogueJSON, TaskJSON, TasksJSON } from '../shared/openapi.ts';
import type { Role } from '../shared/session.ts';
import { loadSession, session } from '../shared/session.ts';
import type { Keeper, Store } from './db.ts';
import { keeper, open } from './db.ts';
import type { Entry } from './record.ts';

/** Who works on this phone: it stays when the session ends or there is no network. */
export interface Person {
  id: string;
  name: string;
  roles: Role[];
}

/** Something taken along, with when. */
export interface Along<T> {
  value: T;
  at: number;
}

export const person = signal<Person | null>(null);
/** True while nobody can send: the session has ended, or has not been asked for. */
export const online = signal(typeof navigator === 'undefined' || navigator.onLine);
export const catalogue = signal<Along<CatalogueJSON> | null>(null);
export const tasks = signal<Along<TasksJSON> | null>(null);
export const entries = signal<readonly Entry[]>([]);
/** The clock of what is due, moved on every half minute. */
export const clock = signal(Date.now());

/** How long a request may hang before it counts as lost. */
export const PATIENCE = 90_000;

/** Makes an ApiError of a request that was given up. */
export function late(err: unknown): never {
  throw err instanceof ApiError ? err : new ApiError('offline', '');
}

export const EMPTY: CatalogueJSON = { person: { id: '', name: '', duty: [] }, cells: [], components: [], classes: [], schemes: [] };
export const round = computed(() => catalogue.value?.value ?? EMPTY);

/** Looking around: nothing is written. */
export const touring = computed(() => session.value?.state === 'tour' && person.value === null);
/** Who made what is here must sign in before it goes. */
export const away = computed(() => person.value !== null && (signedOut.value || (session.value !== null && session.value.person?.id !== person.value.id)));
export const unsentCount = computed(() => entries.value.filter((e) => e.state !== 'sent' && e.state !== 'draft').length);
export const refusedCount = computed(() => entries.value.filter((e) => e.state === 'refused').length);

/** Tasks that wait; what has been answered on this phone is no task any more. */
export const waiting = computed<readonly TaskJSON[]>(() => {
  const answered = new Set(entries.value.filter((e) => e.answer && e.state !== 'draft').map((e) => `${e.kind} ${e.answer!.case}`));
  return (tasks.value?.value.tasks ?? []).filter((t) => t.kind !== 'own' && !answered.has(`${t.kind} ${t.case.id}`));
});
export const own = computed(() => (tasks.value?.value.tasks ?? []).filter((t) => t.kind === 'own'));

let store: Store | null = null;

/** The store, opened again where the browser has closed it. */
export async function opened(): Promise<Store> {
  if (!store) {
    store = await open();
    store.onclose = () => (store = null);
  }
  return store;
}

const proxy: Keeper = {
  all: async () => keeper(await opened()).all(),
  get: async (id) => keeper(await opened()).get(id),
  put: async (e) => keeper(await opened()).put(e),
  remove: async (e) => keeper(await opened()).remove(e),
  photo: async (d) => keeper(await opened()).photo(d),
  attach: async (photos, e) => keeper(await opened()).attach(photos, e),
};
export const keep: Keeper = proxy;

/** Reads all records again: after another tab or the sending has written. */
export async function reload(): Promise<void> {
  entries.value = await keep.all();
}

/** Shows a record as it has been written. */
export function shown(e: Entry): void {
  const rest = entries.value.filter((one) => one.id !== e.id);
  entries.value = [...rest, e].sort((a, b) => a.made - b.made);
}

export async function recall<T>(key: string): Promise<T | undefined> {
  return (await (await opened()).get('kept', key)) as T | undefined;
}

export async function keepValue(key: string, value: unknown): Promise<void> {
  await (await opened()).put('kept', value, key);
}

/** Asks who has signed in. False: there is no answer. */
export async function askSession(patience = 4000): Promise<boolean> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new ApiError('offline', '')), patience));
  try {
    await Promise.race([loadSession(), late]);
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    return false;
  }
  const p = session.value?.person;
  if (p && p.roles.includes('inspector') && p.id !== person.value?.id) await work({ id: p.id, name: p.name, roles: p.roles });
  return true;
}

/** Somebody begins to work on this phone: what was taken along for them is shown. */
export async function work(p: Person | null): Promise<void> {
  person.value = p;
  await keepValue('person', p);
  await showAlong();
}

export async function showAlong(): Promise<void> {
  const id = person.value?.id ?? '';
  catalogue.value = (await recall<Along<CatalogueJSON>>(`catalogue ${id}`)) ?? null;
  tasks.value = (await recall<Along<TasksJSON>>(`tasks ${id}`)) ?? null;
}

let asked = 0;
const taken = { catalogue: 0, tasks: 0 };

/** Fetches what is taken along; itself: the page asks, and nobody has done anything. Throws ApiError. */
export async function fetchAlong(what: 'catalogue' | 'tasks', itself = false): Promise<void> {
  const id = person.value?.id ?? '';
  const question = ++asked;
  const value = await ask<CatalogueJSON & TasksJSON>(`/api/v1/inspect/${what}`, {}, AbortSignal.timeout(PATIENCE), itself ? { 'X-Poll': '1' } : {}).catch(late);
  if (person.value !== null && (what === 'catalogue' ? value.person.id : (value as TasksJSON).person) !== id) return; // somebody else has signed in
  if (question < taken[what]) return; // overtaken on its way by a later answer
  taken[what] = question;
  const along = { value, at: Date.now() };
  await keepValue(`${what} ${id}`, along);
  if ((person.value?.id ?? '') !== id) return;
  if (what === 'catalogue') catalogue.value = along;
  else tasks.value = along;
}
