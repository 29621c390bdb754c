// Amounts in the capitals of printed papers (大写), by the same rules as hub/ledger/capital.go
// and held to the same amounts.

const DIGITS = '零壹贰叁肆伍陆柒捌玖';
const UNITS: readonly (readonly [bigint, string])[] = [
  [100_000_000n, '亿'],
  [10_000n, '万'],
  [1000n, '仟'],
  [100n, '佰'],
  [10n, '拾'],
];

/** Whole fen in words: 12345n is "人民币壹佰贰拾叁元肆角伍分". */
export function capital(fen: bigint): string {
  const size = fen < 0n ? -fen : fen;
  const [whole, jiao, rest] = [size / 100n, (size / 10n) % 10n, size % 10n];
  let out = `人民币${fen < 0n ? '负' : ''}`;
  if (whole > 0n || size === 0n) out += `${digits(whole)}元`;
  if (whole > 0n && jiao + rest > 0n && (whole % 10n === 0n || jiao === 0n)) out += '零';
  if (jiao > 0n) out += `${digits(jiao)}角`;
  return out + (rest > 0n ? `${digits(rest)}分` : '整');
}

function digits(n: bigint): string {
  for (const [size, name] of UNITS) {
    if (n < size) continue;
    const rest = n % size;
    const head = digits(n / size) + name;
    if (rest === 0n) return head;
    return head + (rest < size / 10n ? '零' : '') + digits(rest);
  }
  return DIGITS.charAt(Number(n));
}
