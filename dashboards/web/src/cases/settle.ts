// How a list is refreshed under somebody's hand: nothing moves while the pointer or the
// keyboard is at it.

/** A row of a list that is refreshed. */
export interface Keyed {
  id: string;
}

/** A list as it is shown. */
export interface Shown<R extends Keyed> {
  rows: readonly R[];
  /** Numbers of rows that the hub no longer lists here: they stay in their place until the hand is away. */
  gone: ReadonlySet<string>;
  /** How many rows wait to be put in. */
  waiting: number;
}

/** Each row once, the first time. */
export function distinct<R extends Keyed>(rows: readonly R[]): R[] {
  const seen = new Set<string>();
  return rows.filter((r) => !seen.has(r.id) && seen.add(r.id));
}

/**
 * Puts what the hub answered in the place of what is shown. While held, every row stays
 * where it is: it gets its new content, what has left is marked, what is new waits.
 */
export function settle<R extends Keyed>(shown: readonly R[], fresh: readonly R[], held: boolean): Shown<R> {
  const rows = distinct(fresh);
  if (!held || shown.length === 0) return { rows, gone: new Set(), waiting: 0 };
  const by = new Map(rows.map((r) => [r.id, r]));
  const known = new Set(shown.map((r) => r.id));
  return {
    rows: shown.map((r) => by.get(r.id) ?? r),
    gone: new Set(shown.filter((r) => !by.has(r.id)).map((r) => r.id)),
    waiting: rows.filter((r) => !known.has(r.id)).length,
  };
}
