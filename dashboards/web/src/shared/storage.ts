// Small choices that a browser remembers. Where storage is forbidden they last as
// long as the page.

const memory = new Map<string, string>();

/** The remembered choice, or "". */
export function recall(name: string): string {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return memory.get(name) ?? '';
  }
}

/** Remembers a choice. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    memory.set(name, value);
  }
}
