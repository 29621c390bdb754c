// Names of departments and people, read once.

import { signal } from '@preact/signals';
import { ask } from '../shared/api.ts';
import type { DepartmentJSON, GridPersonJSON } from '../shared/openapi.ts';

/** The departments of the register, by their ids. */
export const departments = signal<ReadonlyMap<string, DepartmentJSON>>(new Map());

/** The people of the register, by their ids. */
export const people = signal<ReadonlyMap<string, GridPersonJSON>>(new Map());

interface Page<T> {
  rows: T[];
  next?: string;
}

async function all<T>(path: string): Promise<T[]> {
  const list: T[] = [];
  for (let after = ''; ; ) {
    const page = await ask<Page<T>>(path, { limit: 1000, after });
    list.push(...page.rows);
    if (!page.next || list.length >= 10_000) return list;
    after = page.next;
  }
}

/** Reads the names; without an answer ids stand for them. */
export async function loadNames(): Promise<void> {
  const [d, p] = await Promise.allSettled([all<DepartmentJSON>('/api/v1/departments'), all<GridPersonJSON>('/api/v1/people')]);
  if (d.status === 'fulfilled') departments.value = new Map(d.value.map((one) => [one.id, one]));
  if (p.status === 'fulfilled') people.value = new Map(p.value.map((one) => [one.id, one]));
}

/** The name of a department, or its id. */
export function departmentName(id: string): string {
  return departments.value.get(id)?.name || id;
}

/** The name of a person, or the id. */
export function personName(id: string): string {
  return people.value.get(id)?.name || id;
}

/** Those who may be sent to look at things. */
export function inspectors(): GridPersonJSON[] {
  return [...people.value.values()].filter((p) => p.roles.includes('inspector') && !p.disabled);
}
