import { expect, test } from 'vitest';
import { sm3 } from './sm3.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

test('the examples of GB/T 32905-2016, and the empty text', () => {
  expect(sm3(text('abc'))).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0');
  expect(sm3(text('abcd'.repeat(16)))).toBe('debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732');
  expect(sm3(text(''))).toBe('1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b');
});

test('every length around a block has another digest, from any part of a buffer', () => {
  const all = new Set<string>();
  const whole = new Uint8Array(200);
  for (let n = 0; n < 140; n++) {
    const at = sm3(whole.subarray(0, n));
    expect(sm3(new Uint8Array(whole.buffer, 7, n))).toBe(at);
    all.add(at);
  }
  expect(all.size).toBe(140);
});
