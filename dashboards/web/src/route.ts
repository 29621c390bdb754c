// The address of what is on screen: #meter=...&quantity=...&range=... for a
// meter, #medium=...&q=... for the list. Back and bookmarks work by it.

export const RANGES = { '15m': 900, '1h': 3600, '24h': 86_400, '7d': 604_800 } as const;
export type Range = keyof typeof RANGES;

export const SORTS = ['meter', '-taken_at', 'taken_at', '-value', 'value', 'quality'] as const;
export type Sort = (typeof SORTS)[number];

export const MEDIA = ['water', 'power', 'gas'] as const;

export interface Route {
  meter: string;
  quantity: string;
  range: Range;
  medium: string;
  q: string;
  state: string;
  sort: Sort;
  cursor: string;
}

export const HOME: Route = {
  meter: '', quantity: '', range: '1h', medium: '', q: '', state: '', sort: 'meter', cursor: '',
};

const STATES = ['', 'answering', 'late', 'failing'];

/** Reads an address; what it does not know, or cannot be, is left at its default. */
export function parseRoute(hash: string): Route {
  const p = new URLSearchParams(hash.replace(/^#/, ''));
  const pick = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const v = p.get(name) as T | null;
    return v !== null && allowed.includes(v) ? v : fallback;
  };
  const meter = p.get('meter') ?? '';
  return {
    meter: /^[0-9A-Za-z_-]{1,32}$/.test(meter) ? meter : '',
    quantity: (p.get('quantity') ?? '').slice(0, 64),
    range: pick('range', Object.keys(RANGES) as Range[], HOME.range),
    medium: pick('medium', ['', ...MEDIA], ''),
    q: (p.get('q') ?? '').slice(0, 64),
    state: pick('state', STATES, ''),
    sort: pick('sort', SORTS, HOME.sort),
    cursor: (p.get('cursor') ?? '').slice(0, 400),
  };
}

/** Writes an address; defaults are left out. */
export function formatRoute(r: Route): string {
  const p = new URLSearchParams();
  for (const name of Object.keys(HOME) as (keyof Route)[]) {
    if (r[name] === HOME[name]) continue;
    if ((name === 'quantity' || name === 'range') && !r.meter) continue;
    p.set(name, r[name]);
  }
  const s = p.toString();
  return s ? `#${s}` : '#';
}

/** The selection that the list and the stream are asked with. */
export function selection(r: Route, limit: number): Record<string, string> {
  const s: Record<string, string> = { limit: String(limit) };
  for (const name of ['medium', 'q', 'state', 'cursor'] as const) if (r[name]) s[name] = r[name];
  if (r.sort !== 'meter') s.sort = r.sort;
  return s;
}
