// The chain of digests of a journal, as far as a browser can see it: each entry names
// the one before, and the case the last. The hub works the digests out anew at every
// reading; "citygrid cases check" does so for all.

/** The part of an entry that the chain needs. */
export interface Link {
  number: number;
  previous?: string;
  sm3: string;
}

/** The number of the first entry that does not follow the one before it; 0: all do. */
export function chain(journal: readonly Link[], head: string): number {
  let before = '';
  for (const [n, e] of journal.entries()) {
    if (e.number !== n + 1 || (e.previous ?? '') !== before) return n + 1;
    before = e.sm3;
  }
  return before === head ? 0 : journal.length;
}

/** The act that an approval, refusal or withdrawal is about: the last one that asked, such as ask_return; "" for others. */
export function asked(journal: readonly { number: number; act: string }[], at: number): string {
  const answer = journal.find((e) => e.number === at)?.act ?? '';
  if (!['approve', 'refuse', 'withdraw'].includes(answer)) return '';
  return journal.findLast((e) => e.number < at && e.act.startsWith('ask_'))?.act ?? '';
}
