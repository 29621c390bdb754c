import { useEffect } from 'preact/hooks';
import { usePolled } from '../shared/poll.ts';
import type { Summary } from './api.ts';
import { hear, QUICK } from './state.ts';

/** The summary of a place, kept fresh; null until it has come. */
export function useSummary(area: string): { s: Summary | null; error: unknown } {
  const { data, error } = usePolled<Summary>('/api/v1/city/summary', () => ({ area }), QUICK, area);
  useEffect(() => {
    if (data) hear(data.at);
  }, [data]);
  return { s: data?.area.code === area ? data : null, error };
}
