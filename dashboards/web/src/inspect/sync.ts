// When things travel: records to the hub, the catalogue and tasks to the phone.

import { effect, signal } from '@preact/signals';
import { ApiError, ask, send, signedOut } from '../shared/api.ts';
import type { ActDoneJSON, MediaJSON, UploadJSON } from '../shared/openapi.ts';
import { session } from '../shared/session.ts';
import { errorText, say } from '../shared/ui.tsx';
import type { Done, Hub, Outside } from './outbox.ts';
import { flush } from './outbox.ts';
import { takePictures } from './pictures.ts';
import type { Entry } from './record.ts';
import { PATIENCE, askSession, away, clock, entries, fetchAlong, keep, late, online, person, reload, shown, tasks, touring } from './state.ts';
import { sentText } from './text.ts';
import { words } from './words.ts';

/** True while something is being sent. */
export const sending = signal(false);
/** Why the catalogue or the tasks could not be fetched; null: they were. */
export const trouble = signal<unknown>(null);

/** A proxy or a captive portal may answer anything: only the hub's own answer counts. */
function done(a: ActDoneJSON): Done {
  if (typeof a.case !== 'string' || a.case === '' || typeof a.number !== 'number') throw new ApiError('offline', '');
  return { case: a.case, number: a.number, state: a.state };
}

export const hub: Hub = {
  photo: async (digest, bytes, type) => {
    const m = await send<MediaJSON>('PUT', `/api/v1/media/${digest}`, new Blob([bytes], { type }), { signal: AbortSignal.timeout(PATIENCE) }).catch(late);
    if (!/^[0-9a-f]{64}$/.test(m.sm3)) throw new ApiError('offline', '');
    return m.sm3;
  },
  send: async (method, path, body) => done(await send<ActDoneJSON>(method, path, body, { signal: AbortSignal.timeout(PATIENCE) }).catch(late)),
  upload: async (id) => {
    try {
      return done((await ask<UploadJSON>(`/api/v1/uploads/${id}`, {}, AbortSignal.timeout(PATIENCE)).catch(late)) as unknown as ActDoneJSON);
    } catch (err) {
      if (err instanceof ApiError && err.code === 'upload_unknown') return null;
      throw err;
    }
  },
};

let timer: ReturnType<typeof setTimeout> | undefined;
let again = false;

/** Sends what is due, one tab at a time. */
export async function push(): Promise<void> {
  if (sending.value) {
    again = true; // something was saved meanwhile
    return;
  }
  sending.value = true;
  let next = Infinity;
  try {
    do {
      again = false;
      next = await alone(pass);
    } while (again);
  } finally {
    sending.value = false;
    clearTimeout(timer);
    if (next < Infinity) timer = setTimeout(() => void push(), Math.max(500, next - Date.now()));
    if (entries.value.some((e) => e.state === 'waiting')) background();
  }
}

async function pass(): Promise<number> {
  await reload();
  const due = entries.value.some((e) => ['waiting', 'sending', 'held'].includes(e.state));
  if (!due) return flush({ ...outside(), person: person.value?.id ?? '' }); // old ones are taken out
  // Who sends is asked anew: another may have signed in since.
  if (!(await askSession(10_000)) && session.value === null) return Date.now() + 15_000;
  const sender = signedOut.value ? '' : (session.value?.person?.id ?? '');
  const arrived: Entry[] = [];
  const changed = (e: Entry): void => {
    shown(e);
    if (e.state === 'sent') arrived.push(e);
  };
  const next = await flush({ ...outside(), changed, person: sender }).finally(() => arrived.length > 0 && say(sentText(arrived))); // nobody's: what waits is marked so
  if (entries.value.some((e) => e.state === 'sent' && e.done && Date.now() - e.done.at < 5000)) void refresh(true);
  return next;
}

function outside(): Omit<Outside, 'person'> {
  return { keep, hub, now: Date.now, chance: Math.random, changed: shown };
}

/** Runs act where no other tab does; another one that does is enough. */
async function alone(act: () => Promise<number>): Promise<number> {
  if (!navigator.locks) return act(); // the hub takes each once in any case
  return navigator.locks.request('citygrid-outbox', { ifAvailable: true }, async (lock) => {
    if (lock) return act();
    await reload();
    return Date.now() + 3000;
  });
}

/** Asks the browser to wake us when there is network, where it can. */
function background(): void {
  void navigator.serviceWorker?.ready.then((r) => (r as unknown as { sync?: { register(tag: string): Promise<void> } }).sync?.register('outbox')).catch(() => undefined);
}

/** True when there is somebody for whom something could be fetched. */
const mayFetch = (): boolean => !away.value && (person.value !== null || touring.value);

/** Fetches catalogue, tasks and their photos. */
export async function pull(): Promise<void> {
  if (!mayFetch()) return;
  try {
    await fetchTasks();
    await fetchAlong('catalogue');
    trouble.value = null;
    await pictures();
  } catch (err) {
    trouble.value = err;
  }
}

/** Fetches the tasks alone, which change in the hour; says so when somebody asked and it fails. */
export async function refresh(itself = false): Promise<void> {
  if (!mayFetch()) return;
  const before = photosOf();
  try {
    await fetchTasks(itself);
    trouble.value = null;
  } catch (err) {
    trouble.value = err;
    if (!itself) say(errorText(err, words), true);
    return;
  }
  if (photosOf() !== before) void pictures();
}

async function fetchTasks(itself = false): Promise<void> {
  await fetchAlong('tasks', itself);
  clock.value = Date.now();
}

/** The photos of all tasks, in one text. */
const photosOf = (): string => (tasks.value?.value.tasks ?? []).flatMap((one) => one.media.map((m) => m.sm3)).join(' ');

let photos: Promise<void> = Promise.resolve();

/** Takes photos along, one round after the other. */
function pictures(): Promise<void> {
  photos = photos.then(takePictures).catch((err: unknown) => void (trouble.value = err));
  return photos;
}

/** How often a page that is looked at asks for new tasks, and for all else. */
export const OFTEN = 15_000;
const SELDOM = 300_000;
let asking = false;

/** Asks for tasks while the page is looked at and there is network; one question at a time. */
async function look(): Promise<void> {
  if (asking || !looked() || !navigator.onLine) return;
  asking = true;
  await refresh(true).finally(() => (asking = false));
}

const looked = (): boolean => document.visibilityState === 'visible';

/** Starts all that happens by itself; call it once. */
export function startSync(): void {
  const wake = (): void => {
    online.value = navigator.onLine;
    if (!navigator.onLine) return;
    void askSession().then(() => Promise.all([push(), pull()]));
  };
  addEventListener('online', wake);
  addEventListener('offline', () => (online.value = false));
  document.addEventListener('visibilitychange', () => {
    if (looked()) wake();
  });
  navigator.serviceWorker?.addEventListener('message', (e) => {
    if (e.data === 'flush') void push();
  });
  setInterval(() => {
    clock.value = Date.now();
    if (looked()) void push();
  }, 30_000);
  setInterval(() => void look(), OFTEN);
  setInterval(() => looked() && void pull(), SELDOM);
  effect(() => void (navigator as { setAppBadge?: (n: number) => Promise<void> }).setAppBadge?.(entries.value.filter((e) => e.state === 'refused').length).catch(() => undefined));
  void push();
  void pull();
}
