// All that the page knows of one case, read together.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, ask } from '../shared/api.ts';
import type { CaseDetail, CaseEventJSON, CaseLimitsJSON, CaseMayJSON, EntryJSON } from '../shared/openapi.ts';

/** A case with its journal, limits, events, and what one may do to it. */
export interface CaseData {
  detail: CaseDetail;
  journal: readonly EntryJSON[];
  may: CaseMayJSON;
  limits: CaseLimitsJSON;
  events: readonly CaseEventJSON[];
  /** When the page had the answer. */
  at: number;
}

/** How often an open case is asked for, in milliseconds. */
const PERIOD = 8000;

/** Reads a case; the parts may be of different moments, so it is read again until their numbers agree. */
export async function readCase(id: string, signal?: AbortSignal): Promise<CaseData> {
  const path = `/api/v1/cases/${encodeURIComponent(id)}`;
  for (let n = 0; ; n++) {
    const [detail, journal, may, limits, events] = await Promise.all([
      ask<CaseDetail>(path, {}, signal), ask<EntryJSON[]>(`${path}/journal`, {}, signal), ask<CaseMayJSON>(`${path}/may`, {}, signal),
      ask<CaseLimitsJSON>(`${path}/limits`, {}, signal), ask<CaseEventJSON[]>(`${path}/events`, {}, signal),
    ]);
    if ((detail.entries === journal.length && detail.entries === may.entries) || n === 2) return { detail, journal, may, limits, events, at: Date.now() };
  }
}

/** A case that is kept fresh. */
export function useCase(id: string): { data: CaseData | null; error: ApiError | null; again: () => Promise<CaseData | null> } {
  const [data, setData] = useState<CaseData | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const read = useRef<() => Promise<CaseData | null>>(async () => null);
  useEffect(() => {
    const gone = new AbortController();
    let timer = 0;
    setData(null);
    const poll = async (): Promise<CaseData | null> => {
      clearTimeout(timer);
      let got: CaseData | null = null;
      try {
        got = await readCase(id, gone.signal);
        setData(got);
        setError(null);
      } catch (err) {
        if (gone.signal.aborted) return null;
        setError(err instanceof ApiError ? err : new ApiError('offline', ''));
      }
      if (!gone.signal.aborted) timer = window.setTimeout(() => void poll(), PERIOD);
      return got;
    };
    read.current = poll;
    void poll();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [id]);
  return { data, error, again: () => read.current() };
}
