// What the page shows, and as whom one works at it.

import { computed, signal } from '@preact/signals';
import type { Role } from '../shared/session.ts';
import { session } from '../shared/session.ts';
import type { View } from './hash.ts';
import { formatHash, parseHash } from './hash.ts';

/** What the page shows; the address says the same. */
export const view = signal<View>(parseHash(location.hash));
addEventListener('hashchange', () => (view.value = parseHash(location.hash)));

/** The address of a view that differs from the present one in some points. */
export function link(change: Partial<View>): string {
  return `#${formatHash({ ...view.value, ...change })}`;
}

/**
 * Goes to another view, at once: whoever changes the address before the browser tells of
 * this change finds the view left all the same. What one types (replace) leaves no step
 * for Back.
 */
export function go(change: Partial<View>, replace = false): void {
  const next = { ...view.value, ...change };
  const hash = `#${formatHash(next)}`;
  if (replace) history.replaceState(null, '', hash);
  else if (hash !== (location.hash || '#')) location.hash = hash;
  view.value = next;
}

/** The roles that act in cases, in the order of the work. */
export const WORKERS: readonly Role[] = ['acceptor', 'shift_leader', 'dispatcher', 'department', 'inspector'];

/** The roles in which one works here; who acts in no case may look at each. */
export const roles = computed<readonly Role[]>(() => {
  const own = session.value?.person?.roles ?? [];
  const list = WORKERS.filter((r) => own.includes(r));
  return list.length > 0 ? list : WORKERS;
});

/** True for people who act in cases. */
export const works = computed(() => WORKERS.some((r) => session.value?.person?.roles.includes(r)) && session.value?.state === 'signed_in');

/** The role of the inbox. */
export const role = computed<Role>(() => roles.value.find((r) => r === view.value.role) ?? roles.value[0] ?? 'acceptor');

/** Milliseconds since 1970, now and then: for countdowns. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 5000);

/** True on a screen as narrow as a phone's. */
const narrow = matchMedia('(max-width: 720px)');
export const phone = signal(narrow.matches);
narrow.addEventListener('change', () => (phone.value = narrow.matches));
