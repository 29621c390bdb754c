// What became of a batch.

import type { BatchResultJSON } from '../shared/openapi.ts';

/** How many were done and how many refused. An answer that is neither is no success. */
export function outcome(results: readonly BatchResultJSON[]): { done: number; refused: number } {
  const done = results.filter((r) => r.done !== undefined && !r.problem).length;
  return { done, refused: results.length - done };
}
