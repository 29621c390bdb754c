// The inbox as it is shown: kept fresh, and still under the hand.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Params } from '../shared/api.ts';
import type { ApiError } from '../shared/api.ts';
import type { InboxPage, InboxRowJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import type { Shown } from './settle.ts';
import { settle } from './settle.ts';

/** How often the inbox is asked for, in milliseconds. */
const PERIOD = 8000;

const NOTHING: Shown<InboxRowJSON> = { rows: [], gone: new Set(), waiting: 0 };

export interface LiveInbox {
  page: InboxPage | null;
  shown: Shown<InboxRowJSON>;
  error: ApiError | null;
  /** When the page had the answer. */
  at: number;
  /** Keeps rows where they are while true. */
  hold: (held: boolean) => void;
  /** Asks again at once, and lets rows move. */
  again: () => void;
}

/** The inbox that params ask for; it begins anew when they change. */
export function useInbox(params: Params): LiveInbox {
  const key = JSON.stringify(params);
  const { data, error, again } = usePolled<InboxPage>('/api/v1/inbox', () => params, PERIOD, key);
  const [shown, setShown] = useState(NOTHING);
  const [at, setAt] = useState(Date.now());
  const held = useRef(false);
  const loose = useRef(false);
  useEffect(() => setShown(NOTHING), [key]);
  useEffect(() => {
    if (!data) return;
    const still = held.current && !loose.current;
    loose.current = false;
    setAt(Date.now());
    setShown((s) => settle(s.rows, data.rows, still));
  }, [data]);
  const hold = (on: boolean): void => {
    if (held.current === on) return;
    held.current = on;
    if (!on && data) setShown((s) => (s.waiting || s.gone.size ? settle(s.rows, data.rows, false) : s));
  };
  return {
    page: data, shown, error, at, hold,
    again: () => {
      loose.current = true;
      again();
    },
  };
}
