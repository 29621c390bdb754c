// Photos of tasks: those before and after a repair, taken along while there is network.

import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { full } from './quota.ts';
import { PATIENCE, keep, opened, tasks } from './state.ts';

/** How many of how many have been taken along; null: nothing is under way. */
export const taking = signal<{ done: number; of: number } | null>(null);

const STAY = 7 * 24 * 3600_000;
const LARGEST = 4 << 20;

/** Takes the photos of all tasks along, one after the other, and forgets those of none. */
export async function takePictures(): Promise<void> {
  const wanted = [...new Set((tasks.value?.value.tasks ?? []).flatMap((t) => t.media).filter((m) => m.kind === 'image').map((m) => m.sm3))];
  const db = await opened();
  try {
    for (let n = 0; n < wanted.length; n++) {
      const digest = wanted[n]!;
      const held = await db.get('pictures', digest);
      if (held) {
        await db.put('pictures', { ...held, seen: Date.now() });
        continue;
      }
      if (await full()) break;
      taking.value = { done: n, of: wanted.length };
      const answer = await fetch(`/api/v1/media/${digest}`, { credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE) }).catch(() => null);
      if (!answer) break; // no network: the next time
      if (!answer.ok || Number(answer.headers.get('Content-Length')) > LARGEST) continue;
      const bytes = await answer.arrayBuffer().catch(() => null);
      if (bytes) await db.put('pictures', { digest, bytes, type: answer.headers.get('Content-Type') ?? 'image/jpeg', seen: Date.now() });
    }
    for (const p of await db.getAll('pictures')) if (Date.now() - p.seen > STAY) await db.delete('pictures', p.digest);
  } finally {
    taking.value = null;
  }
}

/** The address of a photo: one of this phone, one taken along, or the hub's. */
export function usePicture(digest: string): string {
  const [url, setURL] = useState('');
  useEffect(() => {
    let made = '';
    let gone = false;
    void (async () => {
      const held = (await keep.photo(digest)) ?? (await (await opened()).get('pictures', digest));
      if (gone) return;
      if (held) made = URL.createObjectURL(new Blob([held.bytes], { type: held.type }));
      setURL(made || `/api/v1/media/${digest}`);
    })();
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [digest]);
  return url;
}
