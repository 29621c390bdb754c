// The table of quantities, with their names in both languages.

import { signal } from '@preact/signals';
import { ask } from './api.ts';
import type { QuantityJSON } from './openapi.ts';
import { lang } from './words.ts';

export const quantities = signal<ReadonlyMap<string, QuantityJSON>>(new Map());

/** The name of a quantity in the language of the page; its id while the table is not there. */
export function quantityName(id: string): string {
  const info = quantities.value.get(id);
  if (!info) return id;
  return lang.value === 'zh-CN' ? info.zh : info.en;
}

/** Reads the table, again and again until the hub answers. */
export async function loadQuantities(): Promise<void> {
  try {
    const list = await ask<QuantityJSON[]>('/api/v1/quantities');
    quantities.value = new Map(list.map((q) => [q.quantity, q]));
  } catch {
    setTimeout(() => void loadQuantities(), 5000); // until then ids stand for names
  }
}
