import { expect, test, vi } from 'vitest';
import type { Collector, Health } from './api.ts';

vi.mock('./state.ts', () => ({}));
const { worstFirst } = await import('./health.tsx');

function health(meter: string, success_rate: number | null): Health {
  return { meter, planned: 10, read: 0, success_rate, drift_ms: null, error: '' };
}

test('the lowest success rate comes first, over all collectors', () => {
  const collectors = [
    { id: 'c1', health: [health('m4', null), health('m3', 0.5)] },
    { id: 'c2', health: [health('m2', 0.5), health('m1', 1), health('m0', 0)] },
  ] as Collector[];
  expect(worstFirst(collectors).map((r) => `${r.collector}/${r.meter}`)).toEqual(['c2/m0', 'c2/m2', 'c1/m3', 'c2/m1', 'c1/m4']);
});
