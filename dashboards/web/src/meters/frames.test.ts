import { describe, expect, test } from 'vitest';
import type { Frames, Protocol } from './frames.ts';
import { bytesOf, crc16, dissect, hexOf } from './frames.ts';

const of = (protocol: Protocol, sent: boolean, hex: string): Frames => dissect(protocol, sent, bytesOf(hex.replaceAll(' ', '').toLowerCase()));
const brief = (f: Frames): string => f.fields.map((x) => `${x.name}${x.text ? `=${x.text}` : ''}${x.wrong ? '!' : ''}`).join(' ');

test('hex both ways', () => {
  expect(bytesOf('0068ff')).toEqual([0, 0x68, 0xff]);
  expect(bytesOf('')).toEqual([]);
  expect(hexOf([0, 0x68, 0xff])).toBe('00 68 FF');
});

describe('DL/T 645', () => {
  test('a request', () => {
    const f = of('dlt645', true, 'FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16');
    expect(brief(f)).toBe('lead start address=000000000161 start control=11 bytes=4 identifier=00010000 data sum=14 end'.replace(' data', ''));
    expect(f.lacks).toBe(0);
  });
  test('an answer, its offset taken off', () => {
    const f = of('dlt645', false, '68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 BE 16');
    expect(brief(f)).toContain('identifier=00010000 data=26 00 00 00 sum=BE');
  });
  test('a wrong checksum and a wrong end', () => {
    const f = of('dlt645', true, '68 61 01 00 00 00 00 68 11 04 33 33 34 33 15 17');
    expect(brief(f)).toContain('sum=15! end!');
  });
  test('torn: what is there is told, and how much is not', () => {
    const f = of('dlt645', false, '68 61 01 00 00 00 00 68 91 08 33');
    expect(f.fields.at(-1)).toMatchObject({ name: 'identifier', from: 10, to: 11, text: '' });
    expect(f.lacks).toBe(3);
    expect(of('dlt645', false, '68 61').lacks).toBe(5);
  });
  test('rubbish before a frame, and nothing but rubbish', () => {
    expect(brief(of('dlt645', false, '00 55 68 61 01 00 00 00 00 68 D1 01 35 32 16'))).toMatch(/^rubbish start .*errorbits=02/);
    expect(brief(of('dlt645', false, '55 55'))).toBe('rubbish');
    expect(brief(of('dlt645', false, 'FE FE'))).toBe('lead');
  });
  test('what a command carries is a secret', () => {
    const f = of('dlt645', true, '68 61 01 00 00 00 00 68 14 04 00 00 00 00 4A 16');
    expect(f.fields.find((x) => x.kind === 'secret')).toMatchObject({ from: 10, to: 14, text: '' });
  });
});

test('CJ/T 188', () => {
  const f = of('cjt188', true, '68 10 01 00 00 05 08 00 00 01 03 90 1F 00 39 16');
  expect(brief(f)).toBe('start type=10 address=00000805000001 control=01 bytes=3 identifier=90 1F sequence=0 sum=39 end');
});

describe('Modbus', () => {
  test('the CRC of the standard', () => {
    expect(crc16([0x02, 0x07])).toBe(0x1241);
  });
  test('RTU, sent and received', () => {
    expect(brief(of('modbus_rtu', true, '01 04 00 00 00 02 71 CB'))).toBe('unit=1 function=04 register=0000 count=2 crc=CB71');
    expect(brief(of('modbus_rtu', false, '01 04 04 43 66 33 34 1B 39'))).toMatch(/^unit=1 function=04 bytes=4 data crc=391B!?$/);
  });
  test('RTU refuses', () => {
    const frame = [1, 0x84, 2];
    const crc = crc16(frame);
    expect(brief(dissect('modbus_rtu', false, [...frame, crc & 0xff, crc >> 8]))).toMatch(/exception=02 crc=[0-9A-F]{4}$/);
  });
  test('TCP, two answers and a torn third', () => {
    const one = '00 07 00 00 00 05 03 04 02 12 34';
    const f = of('modbus_tcp', false, `${one} ${one} 00 08 00`);
    expect(f.fields.filter((x) => x.name === 'transaction').map((x) => x.text)).toEqual(['7', '7', '8']);
    expect(f.lacks).toBe(1);
  });
  test('TCP of another protocol', () => {
    expect(brief(of('modbus_tcp', false, '00 07 00 01 00 03 03 84 02'))).toContain('protocol=1!');
  });
});

test('every byte is in one field, in order, whatever the bytes', () => {
  let seed = 7;
  const next = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16;
  const favourite = [0x68, 0xfe, 0x16, 0x11, 0x91, 0x04, 0x84, 0x00, 0x01];
  for (const protocol of ['modbus_tcp', 'modbus_rtu', 'dlt645', 'cjt188'] as const) {
    for (let round = 0; round < 500; round++) {
      const bytes = Array.from({ length: next() % 60 }, () => (next() % 2 ? favourite[next() % favourite.length]! : next() % 256));
      const { fields } = dissect(protocol, round % 2 === 0, bytes);
      let at = 0;
      for (const f of fields) {
        expect(f.from).toBe(at);
        expect(f.to).toBeGreaterThan(f.from);
        at = f.to;
      }
      expect(at).toBe(bytes.length);
    }
  }
});
