// Room on the phone. New photos are refused before it is all used, so that words and
// what is on its way always find room.

import { signal } from '@preact/signals';

/** The part that may be used before new photos are refused. */
export const FULL = 0.8;

export interface Room {
  used: number;
  of: number;
  /** The browser promises not to clear it. */
  kept: boolean;
}

export const room = signal<Room | null>(null);

/** Measures the room; null where the browser does not say. */
export async function measure(): Promise<Room | null> {
  const e = await navigator.storage?.estimate?.().catch(() => null);
  if (!e?.quota) return null;
  room.value = { used: e.usage ?? 0, of: e.quota, kept: (await navigator.storage.persisted?.().catch(() => false)) ?? false };
  return room.value;
}

/** True when new photos are refused. */
export async function full(): Promise<boolean> {
  const r = await measure();
  return r !== null && r.used >= FULL * r.of;
}

/** Asks the browser to keep everything. */
export async function persist(): Promise<void> {
  await navigator.storage?.persist?.().catch(() => false);
  await measure();
}
