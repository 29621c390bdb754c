// Light, dark, or as the system has it.

import { effect, signal } from '@preact/signals';
import { recall, remember } from './storage.ts';

export type Theme = 'auto' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

const kept = recall('theme') as Theme;

export const theme = signal<Theme>(THEMES.includes(kept) ? kept : 'auto');

/** True while the page is dark, by choice or by the system. What is drawn on a canvas depends on it. */
export const dark = signal(false);

/** Puts the choice on the page; call it once. */
export function startTheme(): void {
  const asked = matchMedia('(prefers-color-scheme: dark)');
  const system = signal(asked.matches);
  asked.addEventListener('change', () => (system.value = asked.matches));
  effect(() => {
    dark.value = theme.value === 'dark' || (theme.value === 'auto' && system.value);
    document.documentElement.dataset.theme = dark.value ? 'dark' : 'light';
    remember('theme', theme.value);
  });
  addEventListener('beforeprint', () => (document.documentElement.dataset.theme = 'light')); // paper is white
  addEventListener('afterprint', () => (document.documentElement.dataset.theme = dark.value ? 'dark' : 'light'));
}

/** The value of a colour of style.css, such as "--accent", as the page has it now. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
