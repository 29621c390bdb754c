// The map as a component: what is chosen goes in, what is clicked comes out. The
// library behind it can be changed in mapview.ts alone.

import type BaseLayer from 'ol/layer/Base.js';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dark } from '../shared/theme.ts';
import { lang } from '../shared/words.ts';
import type { TileLayer } from './api.ts';
import { noteOf, valueOf } from './figures.ts';
import { Legend } from './legend.tsx';
import type { MapView } from './mapview.ts';
import type { Projector } from './project.ts';
import { projector } from './project.ts';
import { painted, route, tiles } from './state.ts';
import type { Tree } from './tree.ts';
import { levelOf } from './tree.ts';
import { t } from './words.ts';

const code = import('./mapview.ts'); // at once, beside the rest of the page

/** A cell so wide on the screen is opened by a click itself; a smaller one by way of the area it is in. */
const FINGER = 13;

interface Tip {
  cell: number;
  x: number;
  y: number;
  lon: number;
  lat: number;
}

/** What others may ask of the map. */
export interface MapHandle {
  fit(code: string): void;
}

interface MapProps {
  tree: Tree;
  /** Called with a place that was clicked, and whether to go there. */
  open: (code: string, zoom: boolean) => void;
  /** How much larger lines and names are than at a desk. */
  scale?: number;
  handle?: { current: MapHandle | null };
}

export function CityMap({ tree, open, scale = 1, handle }: MapProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<MapView | null>(null);
  const act = useRef(open);
  act.current = open;
  const [tip, setTip] = useState<Tip | null>(null);
  const [ready, setReady] = useState(false);
  const [drawn, setDrawn] = useState(false);
  const drawnOnce = useRef(false);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let gone = false;
    void code.then(({ MapView }) => {
      if (gone || !box.current) return;
      view.current = new MapView(box.current, {
        onHover: (cell, [x, y], [lon, lat]) => setTip(cell < 0 ? null : { cell, x, y, lon, lat }),
        onPick: (cell, zoom, size) => act.current(target(cell, size), zoom),
      }, matchMedia('(prefers-reduced-motion: reduce)').matches, scale);
      if (handle) handle.current = { fit: (place) => view.current?.fit(place) };
      setReady(true);
    });
    return () => {
      gone = true;
      if (handle) handle.current = null;
      view.current?.dispose();
      view.current = null;
    };
  }, []);
  const layer = tiles.value;
  useEffect(() => {
    if (!ready) return undefined;
    let gone = false;
    setFailed(false);
    void drawing(layer, () => setFailed(true)).then(({ way, pictures }) => {
      if (gone || !view.current) return;
      view.current.show(tree.plan, way);
      view.current.lay(pictures);
      view.current.mark('selected', route.peek().area);
      if (route.peek().area) view.current.fit(route.peek().area, false);
      colours();
    });
    return () => {
      gone = true;
    };
  }, [ready, tree, layer]);
  const colours = (): void => {
    const p = painted.peek();
    if (!p || !view.current || p.data.version !== tree.plan.version) return;
    if (!view.current.colour(p.classes, p.scale.ramp, scale)) return;
    view.current.whenDrawn(() => {
      performance.mark(drawnOnce.current ? `city-coloured-${p.metric}` : 'city-drawn'); // e2e/speed-city.mjs reads them
      drawnOnce.current = true;
      setDrawn(true);
    });
  };
  useEffect(() => painted.subscribe(colours), [tree]);
  useEffect(() => view.current?.repaint(), [dark.value]);
  useEffect(() => {
    const print = (): void => view.current?.repaint();
    addEventListener('beforeprint', print);
    addEventListener('afterprint', print);
    return () => {
      removeEventListener('beforeprint', print);
      removeEventListener('afterprint', print);
    };
  }, []);
  const area = route.value.area;
  useEffect(() => {
    view.current?.mark('selected', area);
    if (levelOf(area) !== 'cell') view.current?.fit(area);
  }, [area]);
  const hover = tip ? target(tip.cell, view.current?.size() ?? FINGER) : '';
  useEffect(() => view.current?.mark('hover', hover), [hover]);

  function target(cell: number, size: number): string {
    const of = tree.plan.cells[cell]!.code;
    return size >= FINGER * scale ? of : tree.next(route.peek().area, of);
  }
  const keys = (e: KeyboardEvent): void => {
    if (e.key === 'Enter') view.current?.pickCentre(true);
    else if (e.key === 'Escape' && area) act.current(tree.parent(area), true);
    else return;
    e.preventDefault();
  };
  return (
    <div class="map" data-ready={drawn} data-cells={tree.plan.cells.length}>
      <div class="canvas" ref={box} tabIndex={0} role="application" aria-label={t('map.label')} onKeyDown={keys} />
      <span class="cross" aria-hidden="true" />
      <div class="zoom">
        <button type="button" aria-label={t('map.in')} title={t('map.in')} onClick={() => view.current?.zoom(1)}>+</button>
        <button type="button" aria-label={t('map.out')} title={t('map.out')} onClick={() => view.current?.zoom(-1)}>{'\u2212'}</button>
        <button type="button" id="all" aria-label={t('map.all')} title={t('map.all')} onClick={() => view.current?.fit('')}>
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" /></svg>
        </button>
      </div>
      {tip && <TipBox tip={tip} tree={tree} opens={hover} />}
      <Legend />
      {layer?.crs === 'GCJ-02' && <p class="shifted">{t('map.shifted')}</p>}
      {failed && <p class="shifted" role="status">{t('map.layer.failed')}</p>}
      {!drawn && <p class="wait" role="status">{t('map.drawing')}</p>}
    </div>
  );
}

/** How to draw over a layer; what that takes is loaded when it is asked for. */
async function drawing(layer: TileLayer | null, failed: () => void): Promise<{ way: Projector; pictures: BaseLayer | null }> {
  if (!layer) return { way: projector('EPSG:3857'), pictures: null };
  const { wayOf, picturesOf } = await import('./tiles.ts');
  return { way: await wayOf(layer), pictures: picturesOf(layer, failed) };
}

function TipBox({ tip, tree, opens }: { tip: Tip; tree: Tree; opens: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const cell = tree.plan.cells[tip.cell];
  const p = painted.value;
  useEffect(() => {
    const el = box.current;
    const room = el?.parentElement;
    if (!el || !room) return;
    const x = tip.x + 16 + el.offsetWidth > room.clientWidth ? tip.x - 12 - el.offsetWidth : tip.x + 16;
    const y = tip.y + 16 + el.offsetHeight > room.clientHeight ? tip.y - 12 - el.offsetHeight : tip.y + 16;
    el.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  });
  if (!cell) return <div />;
  return (
    <div class="tip" ref={box} aria-hidden="true">
      <b>{cell.name || cell.code}</b>
      <span class="big">{p ? valueOf(p, tip.cell, lang.value) : ''}</span>
      <span>{p ? noteOf(p) : ''}</span>
      {opens !== cell.code && <span>{t('tip.open', { name: tree.name(opens) })}</span>}
      <span class="at">{tip.lon.toFixed(5)}, {tip.lat.toFixed(5)} CGCS2000</span>
    </div>
  );
}
