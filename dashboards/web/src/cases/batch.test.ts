import { expect, test } from 'vitest';
import type { BatchResultJSON } from '../shared/openapi.ts';
import { outcome } from './batch.ts';

test('done and refused come to all', () => {
  const one = (part: Partial<BatchResultJSON>): BatchResultJSON => ({ client_id: 'x', ...part });
  const done = one({ done: { case: '1', number: 2, state: 'handling', entries: 2, repeated: false, followed: [] } });
  const refused = one({ problem: { code: 'conflict', detail: '', status: 409, title: '', type: '' } });
  expect(outcome([done, refused, one({})])).toEqual({ done: 1, refused: 2 });
});
