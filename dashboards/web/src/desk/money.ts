// Money in whole fen. Amounts come from the hub as decimals of yuan, are counted as
// big integers of fen and written again; no float is ever made of them.

/** Fen of an exact amount in yuan, such as "-1234.50". Anything else is an error: a wrong amount must not look like one. */
export function fen(yuan: string): bigint {
  const m = /^(-?)(\d+)(?:\.(\d{1,2}))?$/.exec(yuan);
  if (!m) throw new RangeError(`no amount in yuan: ${yuan}`);
  const value = BigInt(m[2] ?? '0') * 100n + BigInt((m[3] ?? '').padEnd(2, '0'));
  return m[1] ? -value : value;
}

/** Yuan of fen as the hub takes and gives it: 123450n is "1234.50". */
export function yuan(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(3, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** An amount as people read it: "1,234.50", with a real minus sign, a plus where asked for. */
export function formatYuan(amount: string | bigint, plus = false): string {
  const value = typeof amount === 'bigint' ? amount : fen(amount);
  const text = yuan(value < 0n ? -value : value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return (value < 0n ? '\u2212' : plus && value > 0n ? '+' : '') + text;
}

/** The sum of amounts in yuan. */
export function sum(amounts: Iterable<string>): bigint {
  let total = 0n;
  for (const one of amounts) total += fen(one);
  return total;
}

/** What somebody typed as an amount, in the hub's form; null where it is none. Signs are taken where asked for. */
export function typed(text: string, signed = false): string | null {
  const plain = text.trim().replace(/[,\uff0c\s\u00a5\uffe5]/g, '').replace('\u2212', '-');
  if (!(signed ? /^-?\d{1,15}(\.\d{1,2})?$/ : /^\d{1,15}(\.\d{1,2})?$/).test(plain)) return null;
  return yuan(fen(plain));
}

/** A volume of litres in m³ or of watt-hours in kWh: three digits are cut off as decimals, exactly. */
export function formatVolume(value: number, utility: string): string {
  const digits = Math.abs(value).toString().padStart(4, '0');
  const whole = digits.slice(0, -3).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return `${value < 0 ? '\u2212' : ''}${whole}.${digits.slice(-3)} ${utility === 'power' ? 'kWh' : 'm³'}`;
}

/** An amount with its unit as the hub writes it in a timeline, "50.00 CNY" or "1200 L", for people. */
export function formatCredit(text: string): string {
  const [value = '', unit = ''] = text.split(' ');
  if (unit === 'CNY') return formatYuan(value);
  if (unit === 'L') return formatVolume(Number(value), 'water');
  if (unit === 'Wh') return formatVolume(Number(value), 'power');
  return text;
}
