// Files that the page hands to the browser.

/** A field of CSV, quoted where it must be, and never a formula. */
export function field(v: string | number): string {
  let s = String(v);
  if (typeof v === 'string' && /^[=+@\t\r]|^-(?![\d.]+$)/.test(s)) s = `'${s}`;
  return /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}

/**
 * Rows as CSV for a spreadsheet: a byte-order mark (or Excel takes Chinese for
 * gibberish) and CRLF.
 */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  return '\ufeff' + rows.map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

/** Hands a file to the browser. */
export function download(name: string, content: string | Blob, type = 'text/csv;charset=utf-8'): void {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}
