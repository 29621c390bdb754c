// The address of what is on screen: #meter=...&quantity=...&range=... for a
// meter, #medium=...&q=...&area=... for the list, #view=collectors&collector=... for
// the collectors. ?area=... of a link from elsewhere counts too. Back and bookmarks
// work by it.

export const RANGES = { '15m': 900, '1h': 3600, '24h': 86_400, '7d': 604_800, '30d': 2_592_000, '1y': 31_536_000 } as const;
export type Range = keyof typeof RANGES;

export const SORTS = ['meter', '-taken_at', 'taken_at', '-value', 'value', 'quality'] as const;
export type Sort = (typeof SORTS)[number];

export const MEDIA = ['water', 'power', 'gas'] as const;

export const BARS = ['hour', 'day'] as const;
export type Bars = (typeof BARS)[number];

export interface Route {
  view: '' | 'collectors';
  meter: string;
  collector: string;
  quantity: string;
  range: Range;
  /** Whether the period before is drawn, too. */
  compare: '' | '1';
  bars: Bars;
  medium: string;
  area: string;
  q: string;
  state: string;
  sort: Sort;
  cursor: string;
}

export const HOME: Route = {
  view: '', meter: '', collector: '', quantity: '', range: '1h', compare: '', bars: 'hour',
  medium: '', area: '', q: '', state: '', sort: 'meter', cursor: '',
};

const STATES = ['', 'answering', 'late', 'failing'];
/** What belongs to a meter, and is left out of other addresses. */
const OF_METER: readonly (keyof Route)[] = ['quantity', 'range', 'compare', 'bars'];

/** Reads an address; what it does not know, or cannot be, is left at its default. */
export function parseRoute(hash: string, search = ''): Route {
  const p = new URLSearchParams(hash.replace(/^#/, ''));
  const pick = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const v = p.get(name) as T | null;
    return v !== null && allowed.includes(v) ? v : fallback;
  };
  const form = (text: string | null, pattern: RegExp): string => (text !== null && pattern.test(text) ? text : '');
  const id = (name: string): string => form(p.get(name), /^[0-9A-Za-z_-]{1,32}$/);
  return {
    view: pick('view', ['', 'collectors'], ''),
    meter: id('meter'),
    collector: id('collector'),
    quantity: (p.get('quantity') ?? '').slice(0, 64),
    range: pick('range', Object.keys(RANGES) as Range[], HOME.range),
    compare: pick('compare', ['', '1'], ''),
    bars: pick('bars', BARS, HOME.bars),
    medium: pick('medium', ['', ...MEDIA], ''),
    area: form(p.get('area') ?? new URLSearchParams(search).get('area'), /^[0-9A-Z]{1,15}$/),
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
    if (r[name] === HOME[name] || (OF_METER.includes(name) && !r.meter)) continue;
    p.set(name, r[name]);
  }
  const s = p.toString();
  return s ? `#${s}` : '#';
}

/** The selection that the list and the stream are asked with. */
export function selection(r: Route, limit: number): Record<string, string> {
  const s: Record<string, string> = { limit: String(limit) };
  for (const name of ['medium', 'area', 'q', 'state', 'cursor'] as const) if (r[name]) s[name] = r[name];
  if (r.sort !== 'meter') s.sort = r.sort;
  return s;
}
