import { expect, test } from 'vitest';
import { home, localPage, viewOf } from './where.ts';

const here = 'https://city.example';

test.each([
  ['/cases#id=7', '/cases#id=7'],
  ['/desk?day=2026-11-21', '/desk?day=2026-11-21'],
  ['/', '/'],
  [null, ''],
  ['', ''],
  ['cases', ''],
  ['//evil.example', ''],
  ['/\\evil.example', ''],
  ['/\t/evil.example', ''],
  ['https://evil.example/', ''],
  ['javascript:alert(1)', ''],
  ['/x/..//evil.example', ''],
  ['/signin?to=/signin', ''],
])('%s leads to "%s"', (to, want) => {
  expect(localPage(to, here)).toBe(want);
});

test('everybody comes to their workplace', () => {
  expect(home(['inspector'])).toBe('/inspect');
  expect(home(['clerk', 'approver'])).toBe('/desk');
  expect(home(['dispatcher', 'inspector'])).toBe('/cases');
  expect(home(['admin'])).toBe('/');
  expect(home(['viewer'])).toBe('/');
  expect(home([])).toBe('/');
});

test('the form goes by the address and the state of the hub', () => {
  expect(viewOf('', 'signed_out')).toBe('signin');
  expect(viewOf('', 'set_up')).toBe('set-up');
  expect(viewOf('#signin', 'set_up')).toBe('signin');
  expect(viewOf('#redeem', 'set_up')).toBe('redeem');
  expect(viewOf('#set-up', 'signed_out')).toBe('signin');
  expect(viewOf('#set-up', 'tour')).toBe('set-up');
});
