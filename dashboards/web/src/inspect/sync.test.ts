import 'fake-indexeddb/auto';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';

// A browser with as much of it as the travelling of tasks and records needs.
const heard = new Map<string, (() => void)[]>();
const listen = (name: string, act: () => void): void => void heard.set(name, [...(heard.get(name) ?? []), act]);
const page = { visibilityState: 'visible', addEventListener: listen, documentElement: {} };
const phone = { onLine: true, language: 'en' };
vi.stubGlobal('document', page);
vi.stubGlobal('navigator', phone);
vi.stubGlobal('addEventListener', listen);
vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });

const said: string[] = [];
vi.mock('../shared/ui.tsx', async (real) => ({ ...(await real<object>()), say: (text: string) => void said.push(text) }));

let asked: { path: string; itself: boolean }[] = [];
let list: { kind: string; case: { id: string }; media: never[] }[] = [];
/** Answers that wait until they are let go. */
let held: (() => void)[] | null = null;
const BOARD = { cells: [], components: [], classes: [], schemes: [] };
const ME = { id: 'ins', name: 'Ins', roles: ['inspector'] };

vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
  const tasks = [...list]; // as they are when the question comes
  asked.push({ path, itself: new Headers(init.headers).has('X-Poll') });
  if (held && path.endsWith('/tasks')) await new Promise<void>((done) => held!.push(done));
  if (path.endsWith('/session')) return Response.json({ state: 'signed_in', person: ME, read_only: false });
  if (path.endsWith('/tasks')) return Response.json({ as_of: '2026-01-01T00:00:00Z', person: 'ins', tasks });
  if (path.endsWith('/catalogue')) return Response.json({ ...BOARD, person: { id: 'ins', name: 'Ins', duty: [] } });
  return Response.json({ case: 'C26', number: 2, state: 'checked' });
});

const { entries, keep, person, tasks, unsentCount, waiting } = await import('./state.ts');
const { OFTEN, push, refresh, startSync } = await import('./sync.ts');
const { begin } = await import('./record.ts');
const { sentText } = await import('./text.ts');
const { lang } = await import('../shared/words.ts');
lang.value = 'en';
person.value = ME as never;
startSync();
await vi.waitUntil(() => asked.some((a) => a.path.endsWith('/catalogue')) && tasks.value !== null);

const about = (what: string): typeof asked => asked.filter((a) => a.path.endsWith(what));
const check = (id: string): (typeof list)[number] => ({ kind: 'check', case: { id }, media: [] });
/** Lets answers and the store come to rest. */
const rest = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

beforeEach(() => {
  asked = [];
  said.length = 0;
  held = null;
  page.visibilityState = 'visible';
  phone.onLine = true;
});
afterAll(() => vi.useRealTimers());

test('a task that was sent is there within seconds, and the asking is no use of the session', async () => {
  list = [check('C1')];
  vi.advanceTimersByTime(OFTEN);
  await vi.waitUntil(() => waiting.value.length === 1);
  expect(OFTEN).toBeLessThanOrEqual(15_000);
  expect(asked).toEqual([{ path: '/api/v1/inspect/tasks', itself: true }]); // not the catalogue, which is large
});

test.each([['hidden', true], ['visible', false]])('a page that is %s, with network %s, asks for nothing', async (visible, net) => {
  page.visibilityState = visible;
  phone.onLine = net;
  vi.advanceTimersByTime(4 * OFTEN);
  await rest();
  expect(asked).toEqual([]);
});

test.each(['visibilitychange', 'online'])('%s: the tasks are asked for at once', async (event) => {
  for (const act of heard.get(event)!) act();
  await vi.waitUntil(() => about('/tasks').length > 0);
  await rest();
  expect(about('/tasks')[0]!.itself).toBe(false);
});

test('one question at a time by itself, and an answer that was overtaken changes nothing', async () => {
  held = [];
  list = [check('old')];
  vi.advanceTimersByTime(3 * OFTEN);
  expect(about('/tasks').length).toBe(1);
  const [late] = held;
  held = null;
  list = [check('new')];
  await refresh();
  expect(waiting.value.map((one) => one.case.id)).toEqual(['new']);
  late!();
  await rest();
  expect(waiting.value.map((one) => one.case.id)).toEqual(['new']);
});

test('what the hub has confirmed is told once, by its case', async () => {
  const e = begin('check', 'ins', 1, '00000000-0000-4000-8000-000000000001');
  await keep.put({ ...e, state: 'waiting', saved: '2026-01-01T00:00:00Z', answer: { ...e.answer!, case: 'C26', outcome: 'yes' } });
  await push();
  expect(unsentCount.value).toBe(0);
  await push();
  expect(said).toEqual(['Sent: the check of case C26']);
  const sent = entries.value.filter((one) => one.state === 'sent');
  expect(sentText([...sent, ...sent])).toBe('Sent: 2 records');
});
