import { expect, test } from 'vitest';
import { parseSaved, withSaved } from './saved.ts';

test('what is no list of filters is none', () => {
  for (const text of ['', 'x', '{}', 'null', '[1,{"name":""},{"name":"a"}]']) expect(parseSaved(text)).toEqual([]);
  expect(parseSaved('[{"name":"a","hash":"tab=filed"}]')).toEqual([{ name: 'a', hash: 'tab=filed' }]);
});

test('a name is kept once', () => {
  const list = withSaved([{ name: 'a', hash: '1' }, { name: 'b', hash: '2' }], { name: 'a', hash: '3' });
  expect(list).toEqual([{ name: 'b', hash: '2' }, { name: 'a', hash: '3' }]);
});
