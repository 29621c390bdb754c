// A small still map of a cell, drawn from its outline: no tiles, no other host.

import type { JSX } from 'preact';
import type { GeometryJSON } from '../shared/openapi.ts';
import type { Point } from './geo.ts';
import { barOf, corners, pathOf, planOf } from './geo.ts';
import { t } from './words.ts';

/** Something at a place. */
export interface Dot extends Point {
  id: string;
  kind: 'here' | 'like' | 'thing';
  label: string;
}

interface Props {
  outline?: GeometryJSON | undefined;
  dots: readonly Dot[];
  alt: string;
  height?: number;
  /** Called with the place that was clicked. */
  onPick?: (p: Point) => void;
  onDot?: (d: Dot) => void;
}

const WIDTH = 360;

export function SmallMap({ outline, dots, alt, height = 220, onPick, onDot }: Props): JSX.Element | null {
  const plan = planOf([...corners(outline), ...dots], WIDTH, height);
  if (!plan) return null;
  const bar = barOf(plan, 90);
  const pick = (e: MouseEvent): void => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    onPick?.(plan.back(((e.clientX - box.left) / box.width) * WIDTH, ((e.clientY - box.top) / box.height) * height));
  };
  return (
    <svg class={`smallmap ${onPick ? 'pickable' : ''}`} viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={alt} onClick={pick}>
      {outline && <path class="cell" d={pathOf(outline, plan)} />}
      {dots.map((d) => {
        const [x, y] = plan.at(d);
        return (
          <g key={d.kind + d.id} class={d.kind} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`} onClick={(e) => { if (onDot && d.kind === 'thing') { e.stopPropagation(); onDot(d); } }}>
            <title>{d.label}</title>
            {d.kind === 'here' ? <path d="M0 0c-5-7-8-9.500-8-13.500a8 8 0 0 1 16 0C8-9.500 5-7 0 0Z" /> : d.kind === 'like' ? <rect x="-4.500" y="-4.500" width="9" height="9" /> : <circle r="3.500" />}
          </g>
        );
      })}
      <g class="bar" transform={`translate(10 ${height - 10})`}>
        <path d={`M0-4V0H${bar.pixels.toFixed(1)}V-4`} />
        <text x={bar.pixels + 6} y="0">{bar.metres >= 1000 ? `${bar.metres / 1000} km` : `${bar.metres} m`}</text>
      </g>
      <text class="north" x={WIDTH - 18} y="20">{t('north')}</text>
    </svg>
  );
}
