// The record that a view writes: begun with the first word, found again after a restart.

import { useRef } from 'preact/hooks';
import { Draft } from './draft.ts';
import type { Entry, Kind } from './record.ts';
import { begin } from './record.ts';
import { entries, person } from './state.ts';

/** A UUID, where the page is not trusted with crypto.randomUUID too. */
function uuid(): string {
  if (isSecureContext) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6]! & 0x0f) | 0x40;
  b[8] = (b[8]! & 0x3f) | 0x80;
  const hex = Array.from(b, (v) => v.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export interface Writing {
  /** As it is on the screen. */
  entry: Entry;
  /** The record under the pen, begun where there was none. */
  draft: () => Promise<Draft>;
}

/** found picks the draft that goes on; fresh completes a new one. */
export function useDraft(kind: Kind, found: (e: Entry) => boolean, fresh: (e: Entry) => Entry, begun?: (e: Entry) => void): Writing {
  const pen = useRef<Draft | null>(null);
  const blank = useRef<Entry | null>(null);
  blank.current ??= fresh(begin(kind, person.value?.id ?? '', Date.now(), uuid()));
  const held = entries.value.find((e) => (pen.current ? e.id === pen.current.entry.id : e.state === 'draft' && found(e)));
  return {
    entry: pen.current?.entry ?? held ?? blank.current,
    draft: () => {
      if (!pen.current) {
        pen.current = new Draft(held ?? blank.current!);
        if (!held) begun?.(pen.current.entry);
      }
      return Promise.resolve(pen.current);
    },
  };
}
