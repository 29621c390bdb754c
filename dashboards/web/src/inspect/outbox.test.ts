import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '../shared/api.ts';
import type { Keeper, Photo } from './db.ts';
import { Stale, keeper, open } from './db.ts';
import type { Done, Hub, Outside } from './outbox.ts';
import { STAY, flush, judge, pause } from './outbox.ts';
import type { Entry } from './record.ts';
import { begin, editable, payload } from './record.ts';

/** A hub that takes an upload once, as the real one does. */
class Town implements Hub {
  photos = new Map<string, number>();
  uploads = new Map<string, { content: string; done: Done }>();
  /** What goes wrong with the n-th request: before or after it is stored. */
  faults: ('ok' | 'lost' | 'lost after' | '503 after' | '401' | '422')[] = [];
  requests = 0;

  private next(): string {
    return this.faults[this.requests++] ?? 'ok';
  }

  private fail(fault: string, after: boolean): void {
    if (fault === 'lost' && !after) throw new ApiError('offline', '');
    if (fault === '401' && !after) throw new ApiError('not_authenticated', '', 401);
    if (fault === '422' && !after) throw new ApiError('invalid', 'no such class', 422);
    if (fault === 'lost after' && after) throw new ApiError('offline', '');
    if (fault === '503 after' && after) throw new ApiError('http_503', '', 503);
  }

  photo(digest: string): Promise<string> {
    const fault = this.next();
    this.fail(fault, false);
    this.photos.set(digest, (this.photos.get(digest) ?? 0) + 1);
    this.fail(fault, true);
    return Promise.resolve(`kept-${digest}`);
  }

  send(_method: string, _path: string, body: unknown): Promise<Done> {
    const b = body as { client_id?: string; media?: { sm3: string }[] };
    const id = b.client_id ?? _path.slice(_path.lastIndexOf('/') + 1);
    const fault = this.next();
    const held = this.uploads.get(id);
    if (held && fault !== 'lost') {
      if (held.content !== JSON.stringify(body)) throw new ApiError('client_id_taken', '', 409);
      return Promise.resolve(held.done);
    }
    this.fail(fault, false);
    for (const m of b.media ?? []) if (![...this.photos.keys()].some((d) => m.sm3 === `kept-${d}`)) throw new ApiError('invalid', 'was not uploaded', 422);
    const done = { case: `C${this.uploads.size + 1}`, number: 1, state: 'reported' };
    this.uploads.set(id, { content: JSON.stringify(body), done });
    this.fail(fault, true);
    return Promise.resolve(done);
  }

  upload(id: string): Promise<Done | null> {
    this.fail(this.next(), false);
    return Promise.resolve(this.uploads.get(id)?.done ?? null);
  }
}

class Killed extends Error {}

/** Lets the process die before or after its n-th step to the outside; then nothing works any more. */
class Life {
  steps = 0;
  constructor(readonly dies: number) {}

  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (t, key) => {
        const value: unknown = Reflect.get(t, key);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (++this.steps >= this.dies && this.dies > 0) throw new Killed();
          const out: unknown = await (value as (...a: unknown[]) => unknown).apply(t, args);
          if (++this.steps >= this.dies && this.dies > 0) throw new Killed();
          return out;
        };
      },
    });
  }
}

let names = 0;
let name = '';
beforeEach(() => {
  name = `outbox-${++names}`;
});

const photoOf = (n: number): Photo => ({ digest: `d${n}`, bytes: new Uint8Array([n]).buffer, type: 'image/jpeg', made: n });

/** What a person does: three records, one with two photos, one upon a task, one of another kind. */
async function work(k: Keeper, wanted: Entry[]): Promise<void> {
  for (const want of wanted) {
    let e = (await k.get(want.id)) ?? begin(want.kind, 'zhang', want.made, want.id);
    if (e.state !== 'draft') continue; // saved before the process died
    for (const ref of want.photos) {
      if (e.photos.some((p) => p.digest === ref.digest)) continue;
      e = await k.attach([photoOf(Number(ref.digest.slice(1)))], { ...e, photos: [...e.photos, ref] });
    }
    const { state: _, rev: __, photos: ___, ...rest } = want;
    e = await k.put({ ...e, ...rest });
    await k.put({ ...e, state: 'waiting', saved: '2026-11-23T01:00:00.000Z' });
  }
}

function wanted(): Entry[] {
  const report = begin('report', 'zhang', 1, 'id-1');
  report.report!.class = 'CJ/T 214-2007:component:0101';
  report.report!.description = 'cover is missing';
  report.photos = [1, 2].map((n) => ({ digest: `d${n}`, stage: 'report', bytes: 1 }));
  const verify = begin('verify', 'zhang', 2, 'id-2');
  verify.answer = { case: 'A', outcome: 'yes', text: 'it is so', reason: '', far: '' };
  const check = begin('check', 'zhang', 3, 'id-3');
  check.answer = { case: 'A', outcome: 'no', text: '', reason: 'still open', far: '' };
  check.photos = [{ digest: 'd2', stage: 'check', bytes: 1 }];
  return [report, verify, check];
}

function outside(k: Keeper, hub: Hub, now = 0, person = 'zhang'): Outside {
  return { keep: k, hub, person, now: () => now, chance: () => 0.5, changed: () => undefined };
}

/** One life of the page: the person works, the outbox sends. True when it was not killed. */
async function live(town: Town, dies: number, now: number): Promise<{ alive: boolean; steps: number }> {
  const db = await open(name);
  const life = new Life(dies);
  try {
    const k = life.wrap(keeper(db));
    await work(k, wanted());
    await flush(outside(k, life.wrap(town as Hub), now));
    return { alive: true, steps: life.steps };
  } catch (err) {
    if (!(err instanceof Killed)) throw err;
    return { alive: false, steps: life.steps };
  } finally {
    db.close();
  }
}

async function settle(town: Town): Promise<Entry[]> {
  const db = await open(name);
  const k = keeper(db);
  await work(k, wanted());
  for (let n = 0, at = 1e8; n < 12; n++, at += 1e7) await flush(outside(k, town, at));
  const all = await k.all();
  db.close();
  return all;
}

function exactlyOnce(town: Town, all: Entry[]): void {
  expect([...town.uploads.keys()].sort()).toEqual(['id-1', 'id-2', 'id-3']);
  expect([...town.photos.keys()].sort()).toEqual(['d1', 'd2']);
  expect(all.map((e) => [e.id, e.state, e.done?.case])).toEqual(['id-1', 'id-2', 'id-3'].map((id) => [id, 'sent', town.uploads.get(id)!.done.case]));
  expect(JSON.parse(town.uploads.get('id-1')!.content).media).toEqual([{ sm3: 'kept-d1', stage: 'report' }, { sm3: 'kept-d2', stage: 'report' }]);
}

describe('whatever step the process dies at, the hub has each record once', () => {
  test('killed once, at every step', async () => {
    const whole = await live(new Town(), 0, 0);
    expect(whole.steps).toBeGreaterThan(40);
    for (let dies = 1; dies <= whole.steps; dies++) {
      name = `once-${++names}`;
      const town = new Town();
      const first = await live(town, dies, 0);
      expect(first.alive).toBe(false);
      exactlyOnce(town, await settle(town));
    }
  });

  test('killed again and again, with every kind of fault of the network', async () => {
    const kinds = ['ok', 'ok', 'lost', 'lost after', '503 after', '401'] as const;
    let seed = 7;
    const draw = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 150; round++) {
      name = `many-${++names}`;
      const town = new Town();
      town.faults = Array.from({ length: 14 }, () => kinds[draw(kinds.length)]!);
      for (let lives = 0; lives < 6; lives++) await live(town, 1 + draw(45), lives * 1e7);
      town.faults = [];
      exactlyOnce(town, await settle(town));
    }
  });

  test('two tabs at once: the hub has each once, and neither overwrites the other', async () => {
    for (let round = 0; round < 20; round++) {
      name = `tabs-${++names}`;
      const town = new Town();
      const db = await open(name);
      await work(keeper(db), wanted());
      const [a, b] = [keeper(db), keeper(await open(name))];
      await Promise.all([flush(outside(a, town)), flush(outside(b, town))]);
      exactlyOnce(town, await settle(town));
    }
  });
});

describe('the states of a record', () => {
  async function one(fault: Town['faults'], change: (e: Entry) => void = () => undefined): Promise<{ e: Entry; town: Town; k: Keeper }> {
    const town = new Town();
    town.faults = fault;
    const k = keeper(await open(name));
    const e = wanted()[1]!;
    change(e);
    await k.put({ ...e, state: 'waiting', saved: '2026-11-23T01:00:00.000Z' });
    await flush(outside(k, town));
    return { e: (await k.get(e.id))!, town, k };
  }

  test('no network: it waits, longer each time', async () => {
    const { e, k, town } = await one(['lost', 'lost']);
    expect([e.state, e.tries, e.trouble?.code]).toEqual(['waiting', 1, 'offline']);
    expect(e.due).toBe(pause(1, 0.5));
    expect(await flush(outside(k, town, e.due - 1))).toBe(e.due);
    expect(town.requests).toBe(1);
    await flush(outside(k, town, e.due));
    expect((await k.get(e.id))!.due - e.due).toBe(pause(2, 0.5));
    expect(editable(e)).toBe(false);
  });

  test('signed out: it is kept, and goes when its author is back', async () => {
    const { e, k, town } = await one(['401']);
    expect(e.state).toBe('held');
    await flush(outside(k, town, 0, ''));
    await flush(outside(k, town, 0, 'li'));
    expect(town.uploads.size).toBe(0);
    await flush(outside(k, town, 1));
    expect((await k.get(e.id))!.state).toBe('sent');
  });

  test('refused: it says why, may be changed, and is sent again under its id', async () => {
    const { e, k, town } = await one(['422']);
    expect([e.state, e.trouble?.detail]).toEqual(['refused', 'no such class']);
    expect(editable(e)).toBe(true);
    expect(await flush(outside(k, town, 1e12))).toBe(Infinity);
    await k.put({ ...e, state: 'waiting', tries: 0, due: 0, answer: { ...e.answer!, text: 'other' } });
    await flush(outside(k, town, 1e12));
    expect((await k.get(e.id))!.state).toBe('sent');
  });

  test('refused although an earlier try arrived: the hub is asked, and has it', async () => {
    const { k, town } = await one(['lost after', 'ok']);
    town.send = () => Promise.reject(new ApiError('role_missing', '', 403));
    await flush(outside(k, town, 1e12));
    expect((await k.get('id-2'))!.done).toMatchObject({ case: 'C1' });
  });

  test('changed after it arrived in secret: the hub keeps the first, and the record says so', async () => {
    const { e, k, town } = await one(['lost after']);
    await k.put({ ...e, answer: { ...e.answer!, text: 'other' } });
    await flush(outside(k, town, 1e12));
    expect((await k.get(e.id))!).toMatchObject({ state: 'sent', done: { case: 'C1', earlier: true } });
    expect(town.uploads.size).toBe(1);
  });

  test('an answer waits for an older one to the same case', async () => {
    const { k, town } = await one(['lost']);
    await k.put({ ...wanted()[2]!, photos: [], state: 'waiting' });
    await flush(outside(k, town, 1));
    expect(town.uploads.size).toBe(0);
    expect(await flush(outside(k, town, 1))).toBeGreaterThan(1);
    await flush(outside(k, town, 1e12));
    expect([...town.uploads.keys()]).toEqual(['id-2', 'id-3']);
  });

  test('what is being sent cannot be overwritten by a page that read it before', async () => {
    const k = keeper(await open(name));
    const read = await k.put({ ...wanted()[1]!, state: 'waiting' });
    await flush(outside(k, new Town()));
    await expect(k.put({ ...read, state: 'draft' })).rejects.toThrow(Stale);
    await expect(k.remove(read)).rejects.toThrow(Stale);
    expect((await k.get(read.id))!.state).toBe('sent');
  });

  test('a sent record stays seven days, and its photos as long as anybody has them', async () => {
    const town = new Town();
    await live(town, 0, 1000);
    const k = keeper(await open(name));
    await flush(outside(k, town, 1000 + STAY - 1));
    expect(await k.all()).toHaveLength(3);
    const [first] = await k.all();
    await k.remove(first!);
    expect([await k.photo('d1'), (await k.photo('d2'))?.digest]).toEqual([undefined, 'd2']);
    await flush(outside(k, town, 1000 + STAY));
    expect(await k.all()).toEqual([]);
    expect(await k.photo('d2')).toBeUndefined();
  });

  test('a photo whose bytes are gone is no reason to lose the words', async () => {
    const { e } = await one([], (x) => x.photos.push({ digest: 'gone', stage: 'verify', bytes: 1 }));
    expect([e.state, e.trouble?.code, e.answer?.text]).toEqual(['refused', 'photo_lost', 'it is so']);
  });
});

test('what a failure means', () => {
  const verdicts: [string, number, string][] = [
    ['offline', 0, 'again'], ['offline', 200, 'again'], ['http_404', 404, 'again'], ['http_502', 502, 'again'], ['busy', 503, 'again'], ['http_413', 413, 'refused'],
    ['not_authenticated', 401, 'held'], ['tour_read_only', 403, 'held'], ['other_person', 403, 'held'], ['media_other_digest', 422, 'again'],
    ['conflict', 409, 'refused'], ['invalid', 422, 'refused'], ['case_unknown', 404, 'refused'], ['media_too_large', 413, 'refused'], ['role_missing', 403, 'refused'],
    ['client_id_taken', 409, 'taken'], ['sign_in_paused', 429, 'again'],
  ];
  for (const [code, status, want] of verdicts) expect([code, judge(new ApiError(code, '', status))]).toEqual([code, want]);
});

test('pauses grow to five minutes and obey the hub', () => {
  expect([1, 2, 3, 40].map((n) => pause(n, 1))).toEqual([2000, 4000, 8000, 300_000]);
  expect(pause(1, 0)).toBe(1000);
  expect(pause(1, 1, 30)).toBe(30_000);
});

test('every try sends the same', () => {
  for (const e of wanted()) expect(payload(JSON.parse(JSON.stringify(e)) as Entry)).toEqual(payload(e));
});

test('an older store is brought up to date with all that is in it', async () => {
  const old = await open(name, 1);
  const e = { ...wanted()[0]!, rev: 1 };
  await old.put('records', e);
  await old.put('photos', photoOf(1));
  await old.put('kept', 'value', 'key');
  old.close();
  const db = await open(name);
  expect(await keeper(db).all()).toEqual([e]);
  expect(await db.get('photos', 'd1')).toEqual(photoOf(1));
  expect(await db.get('kept', 'key')).toBe('value');
  await db.put('pictures', { digest: 'p', bytes: new ArrayBuffer(1), type: 'image/jpeg', seen: 1 });
});
