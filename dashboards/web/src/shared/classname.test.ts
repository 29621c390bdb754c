import { afterEach, expect, test, vi } from 'vitest';
import { className } from './classname.ts';
import { lang } from './words.ts';

const row = (ref: string, en: string): object => ({ ref, en, zh: '', code: '', for: '', kind: 'event', major: {}, of: '', standard: '', utility: '', version: '', withdrawn: false });

afterEach(() => vi.unstubAllGlobals());

test('a class has its English name where the lists have one, page by page, and else that of the record', async () => {
  const pages = [[row('a', 'suspected leak')], [row('b', ''), row('c', 'open cover')]];
  const fetched = vi.fn((url: string) => Promise.resolve(Response.json({ rows: pages[url.includes('offset=1') ? 1 : 0], total: 3 })));
  vi.stubGlobal('fetch', fetched);
  lang.value = 'zh-CN';
  expect(className({ class: 'a', class_name: '疑似漏损' })).toBe('疑似漏损');
  expect(fetched).not.toHaveBeenCalled();
  lang.value = 'en';
  expect(className({ class: 'a', class_name: '疑似漏损' })).toBe('疑似漏损');
  await vi.waitFor(() => expect(className({ class: 'a', class_name: '疑似漏损' })).toBe('suspected leak'));
  expect(className({ class: 'c' })).toBe('open cover');
  expect(className({ class: 'b', class_name: '乙' })).toBe('乙');
  expect(className({ class: 'x' })).toBe('x');
  expect(fetched).toHaveBeenCalledTimes(2);
});
