// The map of the round: moved with a finger, zoomed with two or with the buttons.

import type { Signal } from '@preact/signals';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { dark } from '../shared/theme.ts';
import { metres } from './geo.ts';
import type { LonLat } from './geo.ts';
import type { Scene, View } from './map.ts';
import { draw, moved, toPlace, whole, zoomed } from './map.ts';
import { here } from './place.ts';
import { away, clock, round, waiting } from './state.ts';
import { toneOf } from './tasklist.ts';
import { t } from './words.ts';

interface Props {
  pin?: LonLat | null;
  chosen?: string;
  label: string;
  onPlace?: (at: LonLat) => void;
  onTask?: (key: string) => void;
  onComponent?: (id: string) => void;
}

export function RoundMap(p: Props): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSignal<[number, number]>([0, 0]);
  const view = useSignal<View | null>(null);
  const fit = useRef(false); // what there is has been brought into sight once
  useEffect(() => {
    const el = canvas.current!;
    const watch = new ResizeObserver(() => (size.value = [el.clientWidth, el.clientHeight]));
    watch.observe(el);
    return () => watch.disconnect();
  }, []);
  const scene: Scene = {
    cells: round.value.cells, components: round.value.components, here: here.value, pin: p.pin ?? null, chosen: p.chosen ?? '',
    tasks: waiting.value.flatMap((one) => (one.case.position ? [{ at: one.case.position, tone: toneOf(one, clock.value), key: `${one.kind}/${one.case.id}` }] : [])),
  };
  const [width, height] = size.value;
  useEffect(() => {
    if (!canvas.current || width === 0) return;
    const fitted = scene.cells.length > 0 || p.pin;
    if (!view.value || (fitted && !fit.current)) view.value = p.pin ? { lon: p.pin.lon, lat: p.pin.lat, scale: 0.4 } : whole(scene.cells, width, height, here.value);
    fit.current ||= Boolean(fitted);
    const ratio = devicePixelRatio || 1;
    canvas.current.width = width * ratio;
    canvas.current.height = height * ratio;
    draw(canvas.current.getContext('2d')!, view.value, scene, width, height, ratio);
  }, [width, height, view.value, round.value, here.value, p.pin, p.chosen, waiting.value, dark.value, away.value]);
  const tap = (x: number, y: number): void => {
    const at = toPlace(view.value!, width, height, x, y);
    const reach = 24 * view.value!.scale;
    const one = nearest(scene.tasks, (s) => s.at, at, reach);
    if (one && p.onTask) return p.onTask(one.key);
    const component = nearest(scene.components.filter((c) => c.at), (c) => ({ lon: c.at![0]!, lat: c.at![1]! }), at, reach);
    if (component && p.onComponent) return p.onComponent(component.id);
    p.onPlace?.(at);
  };
  const zoom = (factor: number): void => void (view.value && (view.value = zoomed(view.value, width, height, factor)));
  return (
    <div class="roundmap">
      <canvas ref={canvas} role="img" aria-label={p.label} {...gestures(view, () => [width, height], tap)} />
      <div class="tools">
        <button type="button" aria-label={t('map.in')} onClick={() => zoom(0.6)}>+</button>
        <button type="button" aria-label={t('map.out')} onClick={() => zoom(1 / 0.6)}>−</button>
        <button type="button" aria-label={t('map.all')} onClick={() => (view.value = whole(round.value.cells, width, height, here.value))}>▢</button>
        <button type="button" aria-label={t('map.me')} disabled={!here.value} onClick={() => here.value && (view.value = { lon: here.value.lon, lat: here.value.lat, scale: 0.4 })}>◎</button>
      </div>
    </div>
  );
}

function nearest<T>(list: readonly T[], place: (v: T) => LonLat, at: LonLat, reach: number): T | undefined {
  let best: T | undefined;
  let least = reach;
  for (const v of list) {
    const far = metres(place(v), at);
    if (far <= least) [best, least] = [v, far];
  }
  return best;
}

type On<E extends Event> = (e: E) => void;
interface Handlers {
  onPointerDown: On<PointerEvent>;
  onPointerMove: On<PointerEvent>;
  onPointerUp: On<PointerEvent>;
  onPointerCancel: On<PointerEvent>;
  onWheel: On<WheelEvent>;
}

const fingers = new Map<number, [number, number]>();
let travelled = 0;

/** Drag, pinch and wheel move the view; a touch that stays is a tap. */
function gestures(view: Signal<View | null>, size: () => [number, number], tap: (x: number, y: number) => void): Handlers {
  const spot = (e: PointerEvent | WheelEvent): [number, number] => {
    const r = (e.currentTarget as Element).getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  return {
    onPointerDown: (e) => {
      (e.currentTarget as Element).setPointerCapture(e.pointerId);
      fingers.set(e.pointerId, spot(e));
      if (fingers.size === 1) travelled = 0;
    },
    onPointerMove: (e) => {
      const from = fingers.get(e.pointerId);
      if (!from || !view.value) return;
      const to = spot(e);
      const other = [...fingers.entries()].find(([id]) => id !== e.pointerId)?.[1];
      fingers.set(e.pointerId, to);
      travelled += Math.hypot(to[0] - from[0], to[1] - from[1]);
      if (travelled < 6) return;
      const share = other ? 0.5 : 1;
      view.value = moved(view.value, ...size(), (to[0] - from[0]) * share, (to[1] - from[1]) * share);
      if (!other) return;
      const gap = (p: [number, number]): number => Math.max(10, Math.hypot(p[0] - other[0], p[1] - other[1]));
      view.value = zoomed(view.value, ...size(), gap(from) / gap(to), (to[0] + other[0]) / 2, (to[1] + other[1]) / 2);
    },
    onPointerUp: (e) => {
      const alone = fingers.size === 1 && fingers.delete(e.pointerId);
      fingers.delete(e.pointerId);
      if (alone && travelled < 6) tap(...spot(e));
    },
    onPointerCancel: (e) => void fingers.delete(e.pointerId),
    onWheel: (e) => {
      e.preventDefault();
      if (view.value) view.value = zoomed(view.value, ...size(), e.deltaY > 0 ? 1.2 : 1 / 1.2, ...spot(e));
    },
  };
}
