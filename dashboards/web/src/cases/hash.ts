// What a link keeps: the address after # and what it says of the page.

/** The filters of an inbox, by the names of the hub's parameters. */
export const FILTERS = ['q', 'state', 'light', 'source', 'class', 'cell', 'department'] as const;
export type FilterName = (typeof FILTERS)[number];
export type Filters = Partial<Record<FilterName, string>>;

/** What the page shows. */
export interface View {
  page: 'inbox' | 'case' | 'new' | 'indicators';
  /** In which role; empty: the first that one acts in. */
  role: string;
  tab: string;
  filters: Filters;
  /** Number of the open case. */
  id: string;
  /** Of the indicators. */
  from: string;
  to: string;
  by: string;
}

export const START: View = { page: 'inbox', role: '', tab: 'waiting', filters: {}, id: '', from: '', to: '', by: '' };

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const ID = /^[0-9A-Za-z_-]{1,40}$/;

/** Reads the address after #. What is no value of a name is left out. */
export function parseHash(hash: string): View {
  const p = new URLSearchParams(hash.replace(/^#/, ''));
  const word = (name: string): string => (/^[a-z_.]{1,32}$/.test(p.get(name) ?? '') ? p.get(name)! : '');
  const day = (name: string): string => (DAY.test(p.get(name) ?? '') ? p.get(name)! : '');
  const filters: Filters = {};
  for (const name of FILTERS) {
    const value = p.get(name)?.slice(0, 128);
    if (value) filters[name] = value;
  }
  const id = p.get('case') ?? '';
  const view: View = { ...START, role: word('role'), tab: word('tab') || START.tab, filters, from: day('from'), to: day('to'), by: word('by') };
  if (ID.test(id)) return { ...view, page: 'case', id };
  if (p.has('new')) return { ...view, page: 'new' };
  if (p.has('indicators')) return { ...view, page: 'indicators' };
  return view;
}

/** The address after # of a view, without #; what is as usual is left out. */
export function formatHash(v: View): string {
  const p = new URLSearchParams();
  if (v.page === 'case') p.set('case', v.id);
  if (v.page === 'new') p.set('new', '1');
  if (v.page === 'indicators') p.set('indicators', '1');
  if (v.role) p.set('role', v.role);
  if (v.tab && v.tab !== START.tab) p.set('tab', v.tab);
  for (const name of FILTERS) if (v.filters[name]) p.set(name, v.filters[name]);
  if (v.page === 'indicators') for (const name of ['from', 'to', 'by'] as const) if (v[name]) p.set(name, v[name]);
  return p.toString();
}

/** What changes with the tab: the state is a filter of the tabs open and all alone. */
export function toTab(tab: string, filters: Filters): Pick<View, 'tab' | 'filters'> {
  const { state, ...rest } = filters;
  return { tab, filters: state && byState(tab) ? filters : rest };
}

/** True for the tabs that have cases of every state. */
export function byState(tab: string): boolean {
  return tab === 'open' || tab === 'all';
}

/** True when something is left out of the inbox. */
export function isFiltered(f: Filters): boolean {
  return FILTERS.some((name) => Boolean(f[name]));
}
