import { useEffect, useState } from 'preact/hooks';
import type { Params } from './api.ts';
import { ApiError, ask } from './api.ts';

/** An answer that is kept fresh. error may stand beside the data of before. */
export interface Polled<T> {
  data: T | null;
  error: ApiError | null;
  /** Asks again at once: after a change. */
  again: () => void;
}

/**
 * Asks again every period (0: once), and soon after a failure. It begins anew when
 * path or key changes; params is called at each question.
 */
export function usePolled<T>(path: string, params: () => Params, period: number, key = ''): Polled<T> {
  const [data, setData] = useState<T | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setData(null);
    setError(null);
  }, [path, key]);
  useEffect(() => {
    const gone = new AbortController();
    let timer = 0;
    let asked = 0;
    const poll = async (): Promise<void> => {
      let wait = period;
      try {
        setData(await ask<T>(path, params(), gone.signal, asked++ > 0 ? { 'X-Poll': '1' } : {})); // by itself: no use of the session
        setError(null);
      } catch (err) {
        if (gone.signal.aborted) return;
        setError(err instanceof ApiError ? err : new ApiError('offline', ''));
        wait = 5000;
      }
      if (!gone.signal.aborted && wait > 0) timer = window.setTimeout(() => void poll(), wait);
    };
    void poll();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [path, key, period, round]);
  return { data, error, again: () => setRound((n) => n + 1) };
}
