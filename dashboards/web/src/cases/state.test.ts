import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** A browser of which the events of the address come later. */
const place = { hash: '#new=1' };
const told: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('location', place);
  vi.stubGlobal('history', { replaceState: (_s: unknown, _t: string, to: string) => (place.hash = to) });
  vi.stubGlobal('addEventListener', (what: string, tell: () => void) => { if (what === 'hashchange') told.push(tell); });
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined }));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a view is left at once, even where the address comes back before its change is told', async () => {
  const { go, view } = await import('./state.ts');
  const pages: string[] = [];
  const stop = view.subscribe((v) => pages.push(v.page));
  go({ page: 'case', id: '2026-1' });
  expect(place.hash).toContain('case=2026-1');
  place.hash = '#new=1'; // somebody presses Back
  for (const tell of [...told, ...told]) tell();
  stop();
  expect(pages.slice(0, 2)).toEqual(['new', 'case']);
  expect(view.value.page).toBe('new');
});
