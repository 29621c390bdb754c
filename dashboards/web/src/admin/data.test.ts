import { afterEach, expect, test } from 'vitest';
import type { AccountPersonJSON, AuditEntryJSON, ProgramTokenJSON } from '../shared/openapi.ts';
import { lang } from '../shared/words.ts';
import { actorOf, auditRows, dayAfter, endOfDay, nameOf, rights, stateOf, tokenState, wholeAudit } from './data.ts';

const person: AccountPersonJSON = { key: 2, id: 'li', name: '李四', roles: ['clerk'], department: '', has_password: true, made_at: '2026-11-22T00:00:00Z' };
const entry: AuditEntryJSON = { seq: 7, at: '2026-11-22T00:00:00Z', actor: 2, act: 'sign_in', subject: 2, detail: '', from: '192.0.2.7', digest: 'ab' };
afterEach(() => (lang.value = 'en'));

test('a person has one state', () => {
  expect(stateOf(person)).toBe('active');
  expect(stateOf({ ...person, has_password: false })).toBe('invited');
  expect(stateOf({ ...person, disabled_at: '2026-11-22T00:00:00Z' })).toBe('disabled');
  expect(stateOf({ ...person, disabled_at: '2026-11-22T00:00:00Z', forgotten_at: '2026-11-22T00:00:00Z' })).toBe('forgotten');
});

test('a token ends at its end, and a revoked one before', () => {
  const one: ProgramTokenJSON = { id: 1, owner: 2, name: 'x', roles: [], configured: false, made_at: '2026-11-22T00:00:00Z', ends_at: '2026-11-23T00:00:00Z' };
  const end = Date.parse('2026-11-23T00:00:00Z');
  expect(tokenState(one, end - 1)).toBe('live');
  expect(tokenState(one, end)).toBe('over');
  expect(tokenState({ ...one, revoked_at: '2026-11-22T00:00:00Z' }, 0)).toBe('revoked');
  const { ends_at: _, ...endless } = one;
  expect(tokenState(endless, end)).toBe('live');
});

test('a department goes with its role only', () => {
  expect(rights(['department', 'inspector'], ' gas ')).toEqual({ roles: ['inspector', 'department'], department: 'gas' });
  expect(rights(['clerk'], 'gas')).toEqual({ roles: ['clerk'] });
});

test('the log names people, and numbers who were forgotten', () => {
  lang.value = 'en';
  expect(nameOf([person], 2)).toBe('李四');
  expect(nameOf([{ ...person, name: '' }], 2)).toBe('number 2');
  expect(nameOf([], 0)).toBe('');
  expect(actorOf([], { ...entry, actor: 0, from: '' })).toBe('the hub');
  expect(actorOf([], { ...entry, actor: 0 })).toBe('');
});

test('the whole log becomes a table', async () => {
  lang.value = 'en';
  const pages: Record<number, AuditEntryJSON[]> = { 0: [{ ...entry, seq: 3 }, { ...entry, seq: 2 }], 2: [{ ...entry, seq: 1 }] };
  const all = await wholeAudit((before) => Promise.resolve(pages[before] ?? []));
  expect(all.map((e) => e.seq)).toEqual([3, 2, 1]);
  const rows = auditRows([person], all);
  expect(rows).toHaveLength(4);
  expect(rows[1]).toEqual([3, expect.stringContaining('2026-11-22'), '李四', 'signed in', '李四', '', '192.0.2.7', 'ab']);
  expect(await wholeAudit(() => Promise.resolve([]))).toEqual([]);
});

test('a token is good until the end of its day in Beijing', () => {
  const evening = Date.parse('2026-11-22T20:00:00Z'); // the 23rd in Beijing
  expect(dayAfter(evening, 0)).toBe('2026-11-23');
  expect(dayAfter(evening, 90)).toBe('2027-02-21');
  expect(Date.parse(endOfDay('2026-11-23'))).toBe(Date.parse('2026-11-23T15:59:59Z'));
});
