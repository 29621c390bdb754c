import 'fake-indexeddb/auto';
import { expect, test } from 'vitest';
import { Draft } from './draft.ts';
import { begin } from './record.ts';
import { keep } from './state.ts';
import { exportUnsent, importUnsent } from './transfer.ts';

const fresh = (id: string): Draft => new Draft(begin('report', 'zhang', 1, id));
const words = (d: Draft, description: string): Promise<void> => d.change({ report: { ...d.entry.report!, description } });
const ID = '11111111-2222-4333-8444-00000000000';

test('every keystroke is kept, the last one last', async () => {
  const d = fresh('a');
  const writes = [...'cover is missing'].map((_, n, all) => words(d, all.slice(0, n + 1).join('')));
  await writes[4];
  expect((await keep.get('a'))!.report!.description.length).toBeGreaterThanOrEqual(5);
  await Promise.all(writes);
  expect((await keep.get('a'))!.report!.description).toBe('cover is missing');
});

test('what is typed after it was completed changes nothing', async () => {
  const d = fresh('b');
  await words(d, 'whole');
  globalThis.navigator ??= {} as Navigator;
  const done = d.finish({});
  void words(d, 'more');
  await done.catch(() => undefined);
  await words(d, 'still more');
  expect((await keep.get('b'))!).toMatchObject({ state: 'waiting', report: { description: 'whole' } });
});

test('unsent records go to another phone as a file, with their photos, and only once', async () => {
  const d = fresh(`${ID}1`);
  await words(d, 'lid');
  await d.add({ digest: 'p1', bytes: new Uint8Array([1, 2, 255]).buffer, type: 'image/jpeg', made: 1 });
  const text = await (await exportUnsent(keep, new Date(0))).text();
  await keep.remove(d.entry);
  expect(await keep.photo('p1')).toBeUndefined();
  const foreign = JSON.parse(text) as { records: { id: string }[] };
  foreign.records = foreign.records.filter((e) => e.id === `${ID}1`);
  expect(await importUnsent(keep, JSON.stringify(foreign))).toEqual({ taken: 1, here: 0 });
  expect(await importUnsent(keep, JSON.stringify(foreign))).toEqual({ taken: 0, here: 1 });
  expect((await keep.get(`${ID}1`))!.report!.description).toBe('lid');
  expect([...new Uint8Array((await keep.photo('p1'))!.bytes)]).toEqual([1, 2, 255]);
  for (const bad of ['', '{}', '[]', 'null', '{"form":"citygrid unsent records 1","records":[{}],"photos":[]}']) await expect(importUnsent(keep, bad)).rejects.toThrow(SyntaxError);
});
