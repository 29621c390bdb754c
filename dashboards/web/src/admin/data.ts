// What the hub tells about accounts, and what follows from it.

import { ask } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatOffsetTime } from '../shared/format.ts';
import type { AccountPersonJSON, AuditEntryJSON, ProgramTokenJSON } from '../shared/openapi.ts';
import type { Role } from '../shared/session.ts';
import { lang } from '../shared/words.ts';
import { t, words } from './words.ts';

export const ROLES: readonly Role[] = ['viewer', 'inspector', 'acceptor', 'shift_leader', 'dispatcher', 'department', 'clerk', 'reviewer', 'approver', 'admin'];

export type PersonState = 'active' | 'invited' | 'disabled' | 'forgotten';

export function stateOf(p: AccountPersonJSON): PersonState {
  if (p.forgotten_at) return 'forgotten';
  if (p.disabled_at) return 'disabled';
  return p.has_password ? 'active' : 'invited';
}

export type TokenState = 'live' | 'over' | 'revoked';

export function tokenState(one: ProgramTokenJSON, now: number): TokenState {
  if (one.revoked_at) return 'revoked';
  return one.ends_at && Date.parse(one.ends_at) <= now ? 'over' : 'live';
}

/** Roles as a list in the language of the page. */
export function rolesText(roles: readonly string[]): string {
  return roles.map((r) => common.word('role', r)).join(lang.value === 'en' ? ', ' : '、');
}

/** Roles and a department that go together: the department stays with its role. */
export function rights(roles: readonly string[], department: string): { roles: string[]; department?: string } {
  const list = ROLES.filter((r) => roles.includes(r));
  return list.includes('department') ? { roles: list, department: department.trim() } : { roles: list };
}

/** The name of a person in the log; their number when they were forgotten; empty for nobody. */
export function nameOf(people: readonly AccountPersonJSON[], key: number): string {
  if (key === 0) return '';
  return people.find((p) => p.key === key)?.name || t('audit.number', { n: key });
}

/** Who did it. What nobody known has done was tried by a stranger, unless no address stands there: then it was the hub. */
export function actorOf(people: readonly AccountPersonJSON[], e: AuditEntryJSON): string {
  if (e.actor !== 0) return nameOf(people, e.actor);
  return e.from ? '' : t('audit.hub');
}

/** The log as rows for a spreadsheet. */
export function auditRows(people: readonly AccountPersonJSON[], entries: readonly AuditEntryJSON[]): (string | number)[][] {
  const head = [t('audit.seq'), t('audit.at'), t('audit.actor'), t('audit.act'), t('audit.subject'), t('audit.detail'), t('audit.from'), t('audit.digest')];
  return [
    head,
    ...entries.map((e) => [e.seq, formatOffsetTime(Date.parse(e.at)), actorOf(people, e), words.word('did', e.act), nameOf(people, e.subject), e.detail, e.from, e.digest]),
  ];
}

/** The whole log, the newest first. */
export async function wholeAudit(page: (before: number) => Promise<AuditEntryJSON[]> = auditPage): Promise<AuditEntryJSON[]> {
  const all: AuditEntryJSON[] = [];
  for (let before = 0; ; ) {
    const some = await page(before);
    all.push(...some);
    const last = some.at(-1);
    if (!last || last.seq <= 1) return all;
    before = last.seq;
  }
}

function auditPage(before: number): Promise<AuditEntryJSON[]> {
  return ask<AuditEntryJSON[]>('/api/v1/accounts/audit', { before, limit: 1000 });
}

/** The last moment of a day of the calendar in Beijing, which a token is good until. */
export function endOfDay(day: string): string {
  return `${day}T23:59:59+08:00`;
}

/** The day that is n days after now, as a field for dates has it. */
export function dayAfter(now: number, n: number): string {
  return new Date(now + 8 * 3_600_000 + n * 86_400_000).toISOString().slice(0, 10);
}
