import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask } from './api.ts';

/** Asks again every period, and soon after a failure. */
export function usePolled<T>(path: string, params: () => Record<string, string>, period: number): { data: T | null; error: ApiError | null } {
  const [data, setData] = useState<T | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    let timer = 0;
    const poll = async (): Promise<void> => {
      let wait = period;
      try {
        const answer = await ask<T>(path, params(), gone.signal);
        setData(answer);
        setError(null);
      } catch (err) {
        if (gone.signal.aborted) return;
        setError(err instanceof ApiError ? err : new ApiError('offline', ''));
        wait = 5000;
      }
      if (!gone.signal.aborted) timer = window.setTimeout(() => void poll(), wait);
    };
    setData(null);
    setError(null);
    void poll();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [path, period]);
  return { data, error };
}
