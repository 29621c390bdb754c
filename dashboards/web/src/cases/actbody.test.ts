import { expect, test } from 'vitest';
import type { MayActJSON, MayFieldJSON } from '../shared/openapi.ts';
import { bodyOf, EMPTY, missing, needed, opening } from './actbody.ts';

const act = (name: string, fields: MayFieldJSON[], change: Partial<MayActJSON> = {}): MayActJSON => ({ act: name, role: 'acceptor', to: [], possible: true, fields, media_stage: 'report', ...change });
const file = act('file', [{ name: 'condition', required: true, value: 'missing' }, { name: 'cell', required: false, value: '330106001001001' }, { name: 'no_cell', required: false, when: 'no_cell' }]);

test('a form opens with what the case has', () => {
  expect(opening(file)).toEqual({ ...EMPTY, condition: 'missing', cell: '330106001001001' });
});

test('filing says cell or why there is none, never both', () => {
  expect(bodyOf(file, { ...opening(file), no_cell: 'x' }, [], 3, 'id')).toEqual({ act: 'file', role: 'acceptor', expect_entries: 3, client_id: 'id', filing: { condition: 'missing', cell: '330106001001001' } });
  expect(bodyOf(file, { ...opening(file), cell: ' ', no_cell: ' on the border ' }, [], 3, 'id')).toMatchObject({ filing: { condition: 'missing', no_cell: 'on the border' } });
  expect(missing(file, { ...opening(file), cell: '' }, 0)).toEqual(['no_cell']);
});

test('another class needs a reason, the same one does not', () => {
  const classify = act('classify', [{ name: 'class', required: true, value: 'a' }, { name: 'reason', required: false, when: 'other_class' }]);
  expect(missing(classify, opening(classify), 0)).toEqual([]);
  expect(missing(classify, opening(classify, { class: 'b' }), 0)).toEqual(['reason']);
  expect(bodyOf(classify, opening(classify, { class: 'b', reason: 'r' }), [], 1, 'id')).toMatchObject({ classification: { class: 'b' }, reason: 'r' });
});

test('a no needs a reason, a note text or a photo', () => {
  const reason: MayFieldJSON = { name: 'reason', required: false, when: 'outcome_no' };
  expect(needed(reason, { ...EMPTY, outcome: 'no' }, 0)).toBe(true);
  expect(needed(reason, { ...EMPTY, outcome: 'yes' }, 0)).toBe(false);
  const note = act('note', [{ name: 'text', required: false, when: 'no_media' }, { name: 'media', required: false }]);
  expect(missing(note, EMPTY, 0)).toEqual(['text']);
  expect(missing(note, EMPTY, 1)).toEqual([]);
});

test('an answer names the request, an extension a whole amount, and only own fields go along', () => {
  const ask = act('ask_extension', [{ name: 'amount', required: true }, { name: 'reason', required: true }], { role: 'department' });
  expect(bodyOf(ask, { ...EMPTY, amount: '2', reason: ' r ', text: 'not asked for' }, [], 7, 'id')).toEqual({ act: 'ask_extension', role: 'department', expect_entries: 7, client_id: 'id', amount: 2, reason: 'r' });
  expect(bodyOf(ask, { ...EMPTY, amount: '2.5', reason: 'r' }, [], 7, 'id')).not.toHaveProperty('amount');
  expect(bodyOf(act('approve', [{ name: 'text', required: false }], { number: 9 }), EMPTY, [], 9, 'id')).toMatchObject({ request: 9 });
});

test('departments and photos go as lists', () => {
  const dispatch = act('dispatch', [{ name: 'departments', required: true }, { name: 'media', required: false }]);
  expect(missing(dispatch, EMPTY, 0)).toEqual(['departments']);
  expect(bodyOf(dispatch, { ...EMPTY, departments: ['water', 'gas'] }, [{ sm3: 'x', stage: 'handled' }], 2, 'id')).toMatchObject({ departments: ['water', 'gas'], media: [{ sm3: 'x', stage: 'handled' }] });
});
