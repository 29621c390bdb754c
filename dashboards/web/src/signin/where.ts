// Where a person goes after signing in.

import type { Role } from '../shared/session.ts';

/** The page of this hub that to names; empty when it names none: a link must not lead elsewhere. */
export function localPage(to: string | null, origin: string): string {
  if (!to || !to.startsWith('/') || /[\\\s]/.test(to)) return '';
  let url: URL;
  try {
    url = new URL(to, origin);
  } catch {
    return '';
  }
  if (url.origin !== origin || url.pathname.startsWith('//') || url.pathname === '/signin') return '';
  return url.pathname + url.search + url.hash;
}

const LEDGER: readonly Role[] = ['clerk', 'reviewer', 'approver'];
const CASES: readonly Role[] = ['acceptor', 'shift_leader', 'dispatcher', 'department'];

/** The workplace of somebody with these roles. */
export function home(roles: readonly Role[]): string {
  if (roles.length > 0 && roles.every((r) => r === 'inspector')) return '/inspect';
  if (roles.length > 0 && roles.every((r) => LEDGER.includes(r))) return '/desk';
  if (roles.length > 0 && roles.every((r) => CASES.includes(r) || r === 'inspector')) return '/cases';
  return '/';
}

/** Which form the address asks for. */
export type View = 'signin' | 'redeem' | 'set-up';

export function viewOf(hash: string, state: string): View {
  if (hash === '#redeem') return 'redeem';
  if (hash === '#set-up') return state === 'signed_out' ? 'signin' : 'set-up';
  return state === 'set_up' && hash !== '#signin' ? 'set-up' : 'signin';
}
