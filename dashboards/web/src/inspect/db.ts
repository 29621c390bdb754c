// What the phone keeps, in IndexedDB. Whatever is shown as kept has been written: each
// function is done when the browser says so.

import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { openDB } from 'idb';
import type { Entry } from './record.ts';

/** The bytes of a photo that was taken here, under their digest. */
export interface Photo {
  digest: string;
  bytes: ArrayBuffer;
  type: string;
  made: number;
}

/** A photo of a task, taken along from the hub. */
export interface Picture {
  digest: string;
  bytes: ArrayBuffer;
  type: string;
  /** When it was last named by a task. */
  seen: number;
}

export interface Schema extends DBSchema {
  records: { key: string; value: Entry; indexes: { made: number } };
  photos: { key: string; value: Photo };
  kept: { key: string; value: unknown };
  pictures: { key: string; value: Picture };
}

export type Store = IDBPDatabase<Schema>;

type Upgrade = (db: Store, tx: IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>) => void;

/** The steps of the schema; a step that has been shipped never changes. */
const STEPS: readonly Upgrade[] = [
  (db) => {
    db.createObjectStore('records', { keyPath: 'id' });
    db.createObjectStore('photos', { keyPath: 'digest' });
    db.createObjectStore('kept');
  },
  (db, tx) => {
    tx.objectStore('records').createIndex('made', 'made');
    db.createObjectStore('pictures', { keyPath: 'digest' });
  },
];

export const VERSION = STEPS.length;
const NAME = 'citygrid-inspect';

/** Opens the store, and brings an older one up to date. version is for tests. */
export function open(name = NAME, version = VERSION, blocked?: () => void): Promise<Store> {
  return openDB<Schema>(name, version, {
    upgrade(db, from, to, tx) {
      for (let n = from; n < (to ?? version); n++) STEPS[n]!(db, tx);
    },
    // Another tab has a newer page: let it go on, and open again at the next use.
    blocking: (_now, _next, event) => (event.target as IDBDatabase).close(),
    blocked: () => blocked?.(),
  });
}

/** Whether a write must outlast a dead battery, or a killed browser only: a word of a draft need not wait for the disk. */
const lasting = (strict: boolean): IDBTransactionOptions => ({ durability: strict ? 'strict' : 'relaxed' });

/** What the outbox needs of the store; tests put faults around it. */
export interface Keeper {
  all(): Promise<Entry[]>;
  get(id: string): Promise<Entry | undefined>;
  /** Writes a record as its reader changed it, or throws Stale. */
  put(e: Entry): Promise<Entry>;
  /** Takes a record out as its reader knows it, and photos that no other record has; or throws Stale. */
  remove(e: Entry): Promise<void>;
  photo(digest: string): Promise<Photo | undefined>;
  /** Adds photos and the record that has them, all or none; or throws Stale. */
  attach(photos: readonly Photo[], e: Entry): Promise<Entry>;
}

/** Says that a record was changed or taken out since it was read: another tab, or the sending. */
export class Stale extends Error {}

/** The keeper of a store. */
export function keeper(db: Store): Keeper {
  return {
    all: () => db.getAllFromIndex('records', 'made'),
    get: (id) => db.get('records', id),
    put: (e) => change(db, e, e.state !== 'draft', (tx, next) => tx.objectStore('records').put(next)),
    remove: async (e) => {
      await change(db, e, true, async (tx) => {
        const records = tx.objectStore('records');
        await records.delete(e.id);
        const used = new Set((await records.getAll()).flatMap((other) => other.photos.map((p) => p.digest)));
        for (const p of e.photos) if (!used.has(p.digest)) await tx.objectStore('photos').delete(p.digest);
      });
    },
    photo: (digest) => db.get('photos', digest),
    attach: (photos, e) =>
      change(db, e, e.state !== 'draft' || photos.length > 0, async (tx, next) => {
        for (const p of photos) await tx.objectStore('photos').put(p);
        await tx.objectStore('records').put(next);
      }),
  };
}

type Change = IDBPTransaction<Schema, ('records' | 'photos')[], 'readwrite'>;

/** Does something to a record unless it is another than e was read as; all of it or nothing. */
async function change(db: Store, e: Entry, strict: boolean, act: (tx: Change, next: Entry) => Promise<unknown>): Promise<Entry> {
  const tx = db.transaction(['records', 'photos'], 'readwrite', lasting(strict));
  const held = await tx.objectStore('records').get(e.id);
  if ((held?.rev ?? 0) !== e.rev) {
    tx.abort();
    await tx.done.catch(() => undefined);
    throw new Stale(e.id);
  }
  const next = { ...e, rev: e.rev + 1 };
  await act(tx, next);
  await tx.done;
  return next;
}
