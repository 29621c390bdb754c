// The keyboard of the list of differences.

export type Command = 'down' | 'up' | 'first' | 'last' | 'open' | 'mark' | 'all' | 'decide' | 'assign' | 'search' | 'help' | 'back';

const KEYS: Record<string, Command> = {
  j: 'down', ArrowDown: 'down', k: 'up', ArrowUp: 'up', Home: 'first', End: 'last', Enter: 'open', x: 'mark', ' ': 'mark', '*': 'all',
  e: 'decide', a: 'assign', '/': 'search', '?': 'help', Escape: 'back',
};

interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  target: EventTarget | null;
}

/** The command of a key; null where the key belongs to a field, to an open dialog, to a button, or to the browser. */
export function commandOf(e: Pressed): Command | null {
  if (e.ctrlKey || e.metaKey || e.altKey) return null;
  const at = e.target as { tagName?: string; type?: string; closest?: (s: string) => unknown } | null;
  if (at?.closest?.('dialog, [contenteditable]')) return null;
  const tag = at?.tagName ?? '';
  const ticks = tag === 'INPUT' && at?.type === 'checkbox';
  if ((tag === 'INPUT' && !ticks) || tag === 'TEXTAREA' || tag === 'SELECT') return null;
  const own = e.key === 'Enter' || e.key === ' ';
  if (own && (ticks || tag === 'BUTTON' || tag === 'A' || tag === 'SUMMARY')) return null;
  return KEYS[e.key] ?? null;
}

/** Where the cursor goes in a list of n rows; -1: nowhere yet. */
export function move(at: number, command: Command, n: number): number {
  if (n === 0) return -1;
  switch (command) {
    case 'down':
      return Math.min(at + 1, n - 1);
    case 'up':
      return Math.max(at - 1, 0);
    case 'first':
      return 0;
    case 'last':
      return n - 1;
    default:
      return Math.min(at, n - 1);
  }
}
