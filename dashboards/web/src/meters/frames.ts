// What the bytes of a line mean, as far as their protocol says: address, function,
// identifiers, checksums. It bears torn frames and rubbish. Pure, so that it can be tested.

export type Protocol = 'modbus_tcp' | 'modbus_rtu' | 'dlt645' | 'cjt188';
export type Kind = 'lead' | 'start' | 'address' | 'function' | 'length' | 'item' | 'data' | 'secret' | 'check' | 'end' | 'header' | 'rubbish';

/** Some bytes of the line that belong together. */
export interface Field {
  from: number;
  /** The byte after the last. */
  to: number;
  kind: Kind;
  /** The name of the field, for words.ts. */
  name: string;
  /** What it says: an address, a number; empty where the bytes say it all. */
  text: string;
  /** The bytes contradict the rest of the frame. */
  wrong: boolean;
}

export interface Frames {
  fields: Field[];
  /** How many bytes the last frame lacks by its own account; 0: none. */
  lacks: number;
}

/** Reads the hex digits of the API. */
export function bytesOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((two) => parseInt(two, 16));
}

export function hexOf(bytes: readonly number[]): string {
  return bytes.map((b) => b.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

/** Reads bytes from the front; fields that the bytes end in are cut, and counted. */
class Cursor {
  at = 0;
  lacks = 0;
  readonly fields: Field[] = [];

  constructor(readonly b: readonly number[]) {}

  get left(): number {
    return this.b.length - this.at;
  }

  /** Takes n bytes as a field; false when there are fewer. */
  take(n: number, kind: Kind, name: string, text: (b: readonly number[]) => string = () => '', wrong: (b: readonly number[]) => boolean = () => false): boolean {
    const part = this.b.slice(this.at, this.at + n);
    const whole = part.length === n;
    if (part.length > 0) {
      this.fields.push({ from: this.at, to: this.at + part.length, kind, name, text: whole ? text(part) : '', wrong: whole && wrong(part) });
    }
    this.at += part.length;
    this.lacks += n - part.length;
    return whole;
  }
}

const word = (b: readonly number[], at = 0): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);
const hex = (n: number, digits: number): string => n.toString(16).toUpperCase().padStart(digits, '0');
const sum = (b: readonly number[]): number => b.reduce((s, v) => (s + v) & 0xff, 0);
const digits = (b: readonly number[]): string => [...b].reverse().map((v) => hex(v, 2)).join('');

/** The checksum of Modbus RTU; it stands low byte first. */
export function crc16(b: readonly number[]): number {
  let crc = 0xffff;
  for (const v of b) {
    crc ^= v;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

/** Takes the bytes of one direction apart. sent: by the collector. */
export function dissect(protocol: Protocol, sent: boolean, bytes: readonly number[]): Frames {
  const c = new Cursor(bytes);
  while (c.left > 0 && c.lacks === 0) {
    const before = c.at;
    if (protocol === 'modbus_tcp') modbusTCP(c, sent);
    else if (protocol === 'modbus_rtu') modbusRTU(c, sent);
    else startFrame(c, protocol);
    if (c.at === before) c.take(c.left, 'rubbish', 'rubbish');
  }
  return { fields: c.fields, lacks: c.lacks };
}

function modbusTCP(c: Cursor, sent: boolean): void {
  if (!c.take(2, 'header', 'transaction', (b) => String(word(b)))) return;
  if (!c.take(2, 'header', 'protocol', (b) => String(word(b)), (b) => word(b) !== 0)) return;
  let length = 0;
  if (!c.take(2, 'length', 'length', (b) => String((length = word(b))), (b) => word(b) < 2 || word(b) > 254)) return;
  const end = c.at + length;
  if (!c.take(1, 'address', 'unit', (b) => String(b[0]))) return;
  modbusBody(c, sent);
  if (c.at < end && c.lacks === 0) c.take(end - c.at, 'data', 'data');
}

function modbusRTU(c: Cursor, sent: boolean): void {
  const begin = c.at;
  if (!c.take(1, 'address', 'unit', (b) => String(b[0]))) return;
  if (!modbusBody(c, sent)) return;
  const frame = c.b.slice(begin, c.at);
  c.take(2, 'check', 'crc', (b) => hex((b[1] ?? 0) * 256 + (b[0] ?? 0), 4), (b) => (b[1] ?? 0) * 256 + (b[0] ?? 0) !== crc16(frame));
}

/** Function and what it carries; false when the bytes end in it, or it cannot be told where it ends. */
function modbusBody(c: Cursor, sent: boolean): boolean {
  let code = 0;
  if (!c.take(1, 'function', 'function', (b) => hex((code = b[0] ?? 0), 2))) return false;
  if (code & 0x80) return c.take(1, 'data', 'exception', (b) => hex(b[0] ?? 0, 2));
  if (code < 1 || code > 4) return c.take(c.left, 'data', 'data') && false;
  if (sent) return c.take(2, 'item', 'register', (b) => hex(word(b), 4)) && c.take(2, 'length', 'count', (b) => String(word(b)));
  let n = 0;
  return c.take(1, 'length', 'bytes', (b) => String((n = b[0] ?? 0))) && c.take(n, 'data', 'data');
}

/** DL/T 645 and CJ/T 188: lead-in, a start, and a checksum that is the sum of all before it. */
function startFrame(c: Cursor, protocol: 'dlt645' | 'cjt188'): void {
  const lead = c.b.slice(c.at).findIndex((v) => v !== 0xfe);
  if (lead > 0 || (lead < 0 && c.left > 0)) c.take(lead < 0 ? c.left : lead, 'lead', 'lead');
  if (c.left === 0) return;
  const start = c.b.indexOf(0x68, c.at);
  if (start !== c.at) c.take((start < 0 ? c.b.length : start) - c.at, 'rubbish', 'rubbish');
  if (c.left === 0) return;
  const begin = c.at;
  if (!(protocol === 'dlt645' ? head645(c) : head188(c))) return;
  const frame = c.b.slice(begin, c.at);
  if (c.take(1, 'check', 'sum', (b) => hex(b[0] ?? 0, 2), (b) => b[0] !== sum(frame))) c.take(1, 'end', 'end', () => '', (b) => b[0] !== 0x16);
}

/** The functions of DL/T 645 that read; what others carry is never shown. */
const READS = new Set([0x11, 0x12, 0x13, 0x01]);

function head645(c: Cursor): boolean {
  let control = 0;
  let length = 0;
  const ok = c.take(1, 'start', 'start')
    && c.take(6, 'address', 'address', digits)
    && c.take(1, 'start', 'start', () => '', (b) => b[0] !== 0x68)
    && c.take(1, 'function', 'control', (b) => hex((control = b[0] ?? 0), 2))
    && c.take(1, 'length', 'bytes', (b) => String((length = b[0] ?? 0)), (b) => (b[0] ?? 0) > 200);
  if (!ok) return false;
  const code = control & 0x1f;
  if (!(control & 0x80) && !READS.has(code) && code !== 0x08) return c.take(length, 'secret', 'secret');
  if (control & 0x40) return c.take(length, 'data', 'errorbits', (b) => hexOf(b.map((v) => (v - 0x33) & 0xff)));
  const item = code === 0x01 ? 2 : 4;
  if (!READS.has(code) || code === 0x13 || length < item) return c.take(length, 'data', 'data');
  return c.take(item, 'item', 'identifier', (b) => digits(b.map((v) => (v - 0x33) & 0xff))) && c.take(length - item, 'data', 'data', (b) => hexOf(b.map((v) => (v - 0x33) & 0xff)));
}

function head188(c: Cursor): boolean {
  let length = 0;
  let control = 0;
  const ok = c.take(1, 'start', 'start')
    && c.take(1, 'header', 'type', (b) => hex(b[0] ?? 0, 2))
    && c.take(7, 'address', 'address', digits)
    && c.take(1, 'function', 'control', (b) => hex((control = b[0] ?? 0), 2))
    && c.take(1, 'length', 'bytes', (b) => String((length = b[0] ?? 0)));
  if (!ok) return false;
  if (control & 0x40 || length < 3) return c.take(length, 'data', 'data');
  return c.take(2, 'item', 'identifier', (b) => hexOf(b)) && c.take(1, 'header', 'sequence', (b) => String(b[0])) && c.take(length - 3, 'data', 'data');
}
