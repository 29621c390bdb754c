import { expect, test } from 'vitest';
import { filesOf } from './drop.tsx';

const file = (name: string): object => ({ isFile: true, isDirectory: false, file: (done: (f: File) => void) => done(new File(['x'], name)) });

/** A folder as browsers show it: its entries come in portions, the last of which is empty. */
const folder = (...portions: object[][]): object => ({
  isFile: false, isDirectory: true, createReader: () => ({ readEntries: (done: (some: object[]) => void) => done(portions.shift() ?? []) }),
});

const item = (entry: object | null, name = ''): object => ({ kind: 'file', webkitGetAsEntry: () => entry, getAsFile: () => (name ? new File(['x'], name) : null) });

test('files are taken, those of a folder too, and text is not', async () => {
  const items = [
    item(file('a.csv'), 'a.csv'), item(null, 'b.csv'), { kind: 'string', webkitGetAsEntry: () => null, getAsFile: () => null },
    item(folder([file('c.csv'), folder([file('below.csv')])], [file('d.csv')])),
  ];
  const files = await filesOf(items as unknown as DataTransferItemList);
  expect(files.map((f) => f.name)).toEqual(['a.csv', 'b.csv', 'c.csv', 'd.csv']);
});
