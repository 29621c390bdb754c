// What classes of components and events are called in the language of the page. The records
// of the hub have the name that a list had when they were made, which is Chinese.

import { signal } from '@preact/signals';
import { ask } from './api.ts';
import type { CodeClassPage } from './openapi.ts';
import { lang } from './words.ts';

const english = signal<ReadonlyMap<string, string>>(new Map());
let asked = false;

async function load(): Promise<void> {
  const names = new Map<string, string>();
  for (let offset = 0, total = 1; offset < total; ) {
    const page = await ask<CodeClassPage>('/api/v1/codes/classes', { limit: 1000, offset });
    for (const c of page.rows) names.set(c.ref, c.en);
    total = page.rows.length > 0 ? page.total : 0;
    offset += page.rows.length;
  }
  english.value = names;
}

/** The name of a class: as the list of today has it in English, else as the record has it; the code where there is none. */
export function className(of: { class: string; class_name?: string }): string {
  if (lang.value === 'en' && !asked) {
    asked = true;
    load().catch(() => undefined); // the names of the records stay
  }
  return (lang.value === 'en' && english.value.get(of.class)) || of.class_name || of.class;
}
