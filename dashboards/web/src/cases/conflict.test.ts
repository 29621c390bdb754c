import { expect, test } from 'vitest';
import type { EntryJSON, MayActJSON } from '../shared/openapi.ts';
import { byField, fieldOf, meanwhile, overtaken, retryable } from './conflict.ts';

const FIELDS = ['reason', 'departments', 'class', 'condition', 'cell', 'no_cell', 'media'];

test.each([
  ['body.reason', 'reason'],
  ['body.departments[2]', 'departments'],
  ['body.classification.class', 'class'],
  ['body.filing.condition', 'condition'],
  ['body.filing.no_cell', 'no_cell'],
  ['body.media[0].sm3', 'media'],
  ['body.report.class', 'class'],
  ['body.position', ''],
  ['query.limit', ''],
])('%s means the field %j', (location, want) => {
  expect(fieldOf(location, FIELDS)).toBe(want);
});

test('faults of one field are told together, and those of none under the form', () => {
  expect(byField([{ location: 'body.reason', message: 'a' }, { location: 'body.reason', message: 'b' }, { location: 'body.at', message: 'c' }], FIELDS)).toEqual({ reason: 'a; b', '': 'c' });
});

const act = (change: Partial<MayActJSON> = {}): MayActJSON => ({ act: 'dispatch', role: 'dispatcher', to: [], possible: true, fields: [], media_stage: 'report', ...change });

test('what others did meanwhile are the entries after the one that was seen', () => {
  const journal = [1, 2, 3, 4].map((number) => ({ number })) as EntryJSON[];
  expect(meanwhile(journal, 2).map((e) => e.number)).toEqual([3, 4]);
  expect(meanwhile(journal, 4)).toEqual([]);
});

test('an act is tried again only while it fits', () => {
  expect(retryable(act(), [act({ act: 'note' }), act()])).toBeDefined();
  expect(retryable(act(), [act({ possible: false })])).toBeUndefined();
  expect(retryable(act(), [act({ role: 'acceptor' })])).toBeUndefined();
  expect(retryable(act(), [])).toBeUndefined();
});

test('the approval of one request is not sent for another', () => {
  const first = act({ act: 'approve', request: 'extension', number: 5 });
  expect(retryable(first, [act({ act: 'approve', request: 'extension', number: 9 })])).toBeUndefined();
  expect(retryable(first, [act({ act: 'approve', request: 'extension', number: 5 })])).toBeDefined();
});

test('only some refusals mean that somebody was faster', () => {
  expect(overtaken('stale') && overtaken('conflict')).toBe(true);
  expect(overtaken('invalid_parameters')).toBe(false);
});
