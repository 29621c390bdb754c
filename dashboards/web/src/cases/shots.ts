// The photos, films and sounds of a journal.

import { formatTime } from '../shared/format.ts';
import type { CaseMediaJSON, EntryJSON } from '../shared/openapi.ts';
import { personName } from './names.ts';
import { codes } from './wordscodes.ts';

/** A photo, film or sound with the entry that brought it. */
export interface Shot extends CaseMediaJSON {
  entry: EntryJSON;
}

/** The media of a journal, each once, in its order. */
export function shotsOf(journal: readonly EntryJSON[]): Shot[] {
  const list: Shot[] = [];
  for (const entry of journal) {
    for (const m of entry.media ?? []) if (!list.some((s) => s.sm3 === m.sm3 && s.stage === m.stage)) list.push({ ...m, entry });
  }
  return list;
}

/** The address of what is kept under a digest. */
export function mediaAddress(sm3: string): string {
  return `/api/v1/media/${sm3}`;
}

/** What a photo shows, in words: stage, who, when. */
export function caption(s: Shot): string {
  return `${codes.word('stg', s.stage)} · ${personName(s.entry.person)} · ${formatTime(Date.parse(s.entry.counts_at)).slice(0, 16)}`;
}
