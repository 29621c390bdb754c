// How records come to the hub: each exactly once, whatever happens on the way. The hub
// takes a record once under its id, and photos by their digests; so this side may send
// again whenever it does not know, and must never change what it may have sent.

import { ApiError } from '../shared/api.ts';
import type { Keeper } from './db.ts';
import { Stale } from './db.ts';
import type { Answer, Entry, Trouble } from './record.ts';
import { payload } from './record.ts';

/** What the outbox asks of the hub. Every failure is an ApiError. */
export interface Hub {
  /** Uploads a photo, and returns the digest of what is kept. */
  photo(digest: string, bytes: ArrayBuffer, type: string): Promise<string>;
  /** Sends a record. */
  send(method: 'PUT' | 'POST', path: string, body: unknown): Promise<Done>;
  /** What became of an upload; null: nothing was taken under this id. */
  upload(id: string): Promise<Done | null>;
}

/** An answer of the hub to a record. */
export interface Done {
  case: string;
  number: number;
  state: string;
}

export interface Outside {
  keep: Keeper;
  hub: Hub;
  /** Who is signed in; "" for nobody. */
  person: string;
  now(): number;
  /** From 0 to 1. */
  chance(): number;
  /** Told of each change of a record. */
  changed(e: Entry): void;
}

/** How long a record stays after the hub has confirmed it. */
export const STAY = 7 * 24 * 3600_000;

const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 5 * 60_000;

/** How long to wait after so many tries: twice as long each time, spread out by chance. */
export function pause(tries: number, chance: number, asked = 0): number {
  const most = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(tries - 1, 20));
  return Math.max(asked * 1000, most / 2 + (most / 2) * chance);
}

export type Verdict = 'again' | 'held' | 'refused' | 'taken';

/**
 * What a failure means for a record. Only what the hub itself says about the record is a
 * refusal: a proxy's or a captive portal's page is not.
 */
export function judge(err: ApiError): Verdict {
  const { code, status } = err;
  if (code === 'client_id_taken') return 'taken';
  if (status === 401 || code === 'tour_read_only' || code === 'other_person') return 'held';
  if (code === 'media_other_digest') return 'again'; // damaged on its way
  if (code === 'http_413') return 'refused'; // a proxy that takes no file of this size
  if (code === 'offline' || code.startsWith('http_') || status >= 500 || status === 429 || status === 408 || status === 0) return 'again';
  return 'refused';
}

/** Sends all that is due, in its order. Returns when the next one is due; Infinity: none is left. */
export async function flush(o: Outside): Promise<number> {
  let next = Infinity;
  const stuck = new Set<string>(); // cases with an older answer that is not sent
  for (const found of await o.keep.all()) {
    // An answer waits for an older one to the same case.
    const waits = found.state !== 'sent' && found.answer !== undefined && stuck.has(found.answer.case);
    let e: Entry | null = found;
    try {
      if (!waits) e = await one(o, found);
    } catch (err) {
      if (!(err instanceof Stale)) throw err; // its author is writing: it will come again
    }
    if (e && e.state !== 'sent' && e.state !== 'draft' && e.answer) stuck.add(e.answer.case);
    if (e?.state === 'waiting' && !waits) next = Math.min(next, e.due);
    // The others would fare no better: nobody is signed in, or there is no network.
    const tried = e !== null && e.tries > found.tries;
    if (tried && e?.state === 'held') return Infinity;
    if (tried && e?.state === 'waiting' && e.trouble?.code === 'offline') return next;
  }
  return next;
}

/** Does what is to be done with one record; null: it is gone. */
async function one(o: Outside, found: Entry): Promise<Entry | null> {
  const e = await tidy(o, found);
  if (!e || !['waiting', 'sending', 'held'].includes(e.state)) return e;
  if (e.person !== o.person) return e.state === 'held' ? e : set(o, e, { state: 'held' });
  if (e.state === 'waiting' && e.due > o.now()) return e;
  return deliver(o, e);
}

/** Takes a record out that the hub confirmed long ago. */
async function tidy(o: Outside, e: Entry): Promise<Entry | null> {
  if (e.state !== 'sent' || !e.done || o.now() - e.done.at < STAY) return e;
  await o.keep.remove(e);
  return null;
}

async function set(o: Outside, e: Entry, change: Partial<Entry>): Promise<Entry> {
  const next = await o.keep.put({ ...e, ...change });
  o.changed(next);
  return next;
}

/** Tries one record. */
async function deliver(o: Outside, found: Entry): Promise<Entry> {
  // Written before anything leaves: from now on the hub may have it, and it stays as it is.
  let e = await set(o, found, { state: 'sending', tries: found.tries + 1 });
  try {
    for (let n = 0; n < e.photos.length; n++) {
      const ref = e.photos[n]!;
      if (ref.kept) continue;
      const photo = await o.keep.photo(ref.digest);
      if (!photo) throw new ApiError('photo_lost', '', 422);
      const kept = await o.hub.photo(ref.digest, photo.bytes, photo.type);
      const photos = e.photos.map((p, m) => (m === n ? { ...p, kept } : p));
      e = await set(o, e, { photos });
    }
    const { method, path, body } = payload(e);
    return await confirmed(o, e, await o.hub.send(method, path, body));
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    return failed(o, e, err);
  }
}

function confirmed(o: Outside, e: Entry, done: Done, earlier = false): Promise<Entry> {
  const answer: Answer = { case: done.case, number: done.number, state: done.state, at: o.now() };
  if (earlier) answer.earlier = true;
  const { trouble: _, ...rest } = e;
  return set(o, rest, { state: 'sent', done: answer });
}

async function failed(o: Outside, e: Entry, err: ApiError): Promise<Entry> {
  const trouble: Trouble = { code: err.code, detail: err.detail, fields: [...err.fields] };
  let verdict = judge(err);
  // A refusal may come after an earlier try arrived whose answer was lost: ask before
  // anybody is told to change what the hub has.
  if (verdict === 'taken' || (verdict === 'refused' && e.tries > 1)) {
    try {
      const done = await o.hub.upload(e.id);
      if (done) return confirmed(o, e, done, verdict === 'taken');
      verdict = 'refused';
    } catch (asked) {
      if (!(asked instanceof ApiError)) throw asked;
      verdict = judge(asked) === 'held' ? 'held' : 'again';
    }
  }
  if (verdict === 'held') return set(o, e, { state: 'held', trouble });
  if (verdict === 'refused') return set(o, e, { state: 'refused', trouble });
  return set(o, e, { state: 'waiting', trouble, due: o.now() + pause(e.tries, o.chance(), err.wait) });
}
