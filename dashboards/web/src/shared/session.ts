// Who works at this page, and what they may do. The hub decides; this only shows
// what it would refuse.

import { computed, signal } from '@preact/signals';
import { ask, send, signedOut } from './api.ts';

export type Role =
  | 'viewer' | 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department' | 'admin'
  | 'clerk' | 'reviewer' | 'approver';

export interface SessionPerson {
  id: string;
  name: string;
  roles: Role[];
  department?: string;
}

export interface Session {
  /** open: this hub has no accounts; tour: anybody may look. */
  state: 'set_up' | 'signed_out' | 'signed_in' | 'tour' | 'open';
  person: SessionPerson | null;
  read_only: boolean;
  ends_at?: string;
  oidc?: { name: string };
}

/** The session; null until the hub has answered once. */
export const session = signal<Session | null>(null);

/** False for visitors of a tour and for nobody: buttons that change something are not shown. */
export const mayChange = computed(() => session.value?.state === 'open' || (session.value?.person != null && !session.value.read_only));

/** True when the person has one of roles. On a tour one sees what each role sees. */
export function has(...roles: Role[]): boolean {
  const s = session.value;
  if (!s) return false;
  if (s.state === 'tour' || s.state === 'open') return true;
  return s.person?.roles.some((r) => roles.includes(r)) ?? false;
}

/** True when the person has one of roles and may change something. */
export function can(...roles: Role[]): boolean {
  return mayChange.value && has(...roles);
}

/** Asks the hub who works here. Without an answer (no network) the last known session stays. */
export async function loadSession(): Promise<void> {
  session.value = await ask<Session>('/api/v1/session');
  signedOut.value = false;
}

/** Ends the session and goes to the sign-in. */
export async function signOut(): Promise<void> {
  await send('DELETE', '/api/v1/session');
  location.assign('/signin');
}

/** The address of the sign-in that comes back to this page. */
export function signInAddress(): string {
  return `/signin?to=${encodeURIComponent(location.pathname + location.search + location.hash)}`;
}
