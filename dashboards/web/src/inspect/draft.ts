// What is being written: kept at every keystroke, one write after the other.

import { signal } from '@preact/signals';
import { Stale } from './db.ts';
import type { Photo } from './db.ts';
import type { Entry } from './record.ts';
import { STAGE } from './record.ts';
import { keep, shown } from './state.ts';
import { push } from './sync.ts';

/** True when the last write failed: what is on the screen is not kept. */
export const notKept = signal(false);

/** How many writes are under way: 0 means that all that is on the screen is kept. */
export const keeping = signal(0);

/** A record under the pen. Its writes queue up, so that the last word is the one that stays. */
export class Draft {
  private queue: Promise<void> = Promise.resolve();
  /** Completed: what is still typed into a form that is about to go changes nothing. */
  private closed = false;

  constructor(public entry: Entry) {}

  /** Changes what is written, at once on the screen and then in the store. */
  change(edit: Partial<Entry>, photos: readonly Photo[] = []): Promise<void> {
    if (this.closed) return this.queue;
    this.entry = { ...this.entry, ...edit };
    shown(this.entry);
    keeping.value++;
    this.queue = this.queue.then(async () => {
      try {
        // The words of now, the count of the last write.
        const kept = await keep.attach(photos, this.entry);
        this.entry = { ...this.entry, rev: kept.rev };
        notKept.value = false;
      } catch (err) {
        if (err instanceof Stale) throw err;
        notKept.value = true;
      } finally {
        keeping.value--;
      }
    });
    return this.queue;
  }

  /** Adds a photo. */
  async add(p: Photo): Promise<void> {
    if (this.entry.photos.some((one) => one.digest === p.digest)) return;
    await this.change({ photos: [...this.entry.photos, { digest: p.digest, stage: STAGE[this.entry.kind], bytes: p.bytes.byteLength }] }, [p]);
  }

  /** Completes it: from now on it waits to be sent. Throws when it cannot be kept. */
  async finish(edit: Partial<Entry>): Promise<void> {
    const { trouble: _, ...rest } = this.entry;
    this.entry = rest;
    const written = this.change({ ...edit, state: 'waiting', tries: 0, due: 0, saved: new Date().toISOString() });
    this.closed = true;
    await written;
    if (notKept.value) {
      this.closed = false;
      this.entry = { ...this.entry, state: 'draft' };
      shown(this.entry);
      throw new Error('not kept');
    }
    void push();
  }
}

/** Opens a record for writing again: a draft as it is, another one as a draft. Throws Stale when it is on its way. */
export async function reopen(e: Entry): Promise<Draft> {
  if (e.state === 'draft') return new Draft(e);
  const draft = await keep.put({ ...e, state: 'draft' });
  shown(draft);
  return new Draft(draft);
}
