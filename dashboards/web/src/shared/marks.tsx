// Small marks that say a state by shape and word, never by colour alone.

import type { ComponentChildren, JSX } from 'preact';
import { common } from './common.ts';

export type Tone = 'ok' | 'warn' | 'bad' | 'none';

/** A filled disc, a triangle, a square or a dash. */
export function Mark({ tone }: { tone: Tone }): JSX.Element {
  return (
    <svg class={`mark ${tone}`} viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
      {tone === 'ok' && <circle cx="5" cy="5" r="4" />}
      {tone === 'warn' && <path d="M5 .8 9.4 9H.6Z" />}
      {tone === 'bad' && <rect x="1" y="1" width="8" height="8" rx="1" />}
      {tone === 'none' && <rect x="1" y="4" width="8" height="2" rx="1" />}
    </svg>
  );
}

/** A mark with its word. */
export function State({ tone, children }: { tone: Tone; children: ComponentChildren }): JSX.Element {
  return (
    <span class={`state ${tone}`}>
      <Mark tone={tone} />
      {children}
    </span>
  );
}

export type Quality = 'good' | 'suspect' | 'missing' | 'none';
const QUALITY: Record<Quality, Tone> = { good: 'ok', suspect: 'warn', missing: 'bad', none: 'none' };

export function QualityMark({ quality }: { quality: Quality }): JSX.Element {
  return <State tone={QUALITY[quality]}>{common.t(`quality.${quality}`)}</State>;
}

const DROPS: Record<string, string> = {
  water: 'M8 1.6c2.6 3.2 4.4 5.4 4.4 7.9a4.4 4.4 0 0 1-8.8 0C3.6 7 5.4 4.8 8 1.6Z',
  power: 'M9.4 1 3.4 9.2h3.8L6.4 15l6.2-8.4H8.7Z',
  gas: 'M8.6 1c.4 2.6 3.9 4.2 3.9 8.1A4.4 4.4 0 0 1 8 13.9a4.4 4.4 0 0 1-4.5-4.6c0-1.9 1-3 1.9-4 .2 1 .6 1.6 1.2 2C6.5 5 7 2.6 8.6 1Z',
};

/** The sign of a medium; its name stands beside it or is read out. */
export function Medium({ id, named }: { id: string; named?: boolean }): JSX.Element {
  const name = common.word('medium', id);
  return (
    <span class={`medium ${id}`} title={name}>
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <path d={DROPS[id] ?? 'M3 3h10v10H3Z'} />
      </svg>
      <span class={named ? '' : 'sr'}>{name}</span>
    </span>
  );
}
