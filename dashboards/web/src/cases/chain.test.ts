import { expect, test } from 'vitest';
import { asked, chain } from './chain.ts';

const good = [{ number: 1, sm3: 'a' }, { number: 2, previous: 'a', sm3: 'b' }, { number: 3, previous: 'b', sm3: 'c' }];

test('a chain that holds', () => {
  expect(chain(good, 'c')).toBe(0);
});

test('an entry that was changed, left out or put in, and an end that was cut off', () => {
  expect(chain([good[0]!, { ...good[1]!, sm3: 'x' }, good[2]!], 'c')).toBe(3);
  expect(chain([good[0]!, good[2]!], 'c')).toBe(2);
  expect(chain([{ ...good[0]!, previous: 'z' }, ...good.slice(1)], 'c')).toBe(1);
  expect(chain(good.slice(0, 2), 'c')).toBe(2);
});

test('an answer is about the request before it', () => {
  const list = ['take', 'ask_return', 'refuse', 'ask_extension', 'note', 'approve', 'note'].map((act, n) => ({ act, number: n + 1 }));
  expect(list.map((e) => asked(list, e.number))).toEqual(['', '', 'ask_return', '', '', 'ask_extension', '']);
});
