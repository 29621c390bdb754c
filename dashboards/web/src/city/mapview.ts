// The map itself, by OpenLayers: cells as a picture that pans and zooms without being
// drawn again, borders and outlines over it, names at a distance. It knows nothing of
// metrics: it paints classes.

import OlMap from 'ol/Map.js';
import View from 'ol/View.js';
import Feature from 'ol/Feature.js';
import type Geometry from 'ol/geom/Geometry.js';
import MultiLineString from 'ol/geom/MultiLineString.js';
import MultiPolygon from 'ol/geom/MultiPolygon.js';
import Point from 'ol/geom/Point.js';
import Polygon from 'ol/geom/Polygon.js';
import { defaults as interactions } from 'ol/interaction/defaults.js';
import type BaseLayer from 'ol/layer/Base.js';
import ImageLayer from 'ol/layer/Image.js';
import VectorLayer from 'ol/layer/Vector.js';
import VectorImageLayer from 'ol/layer/VectorImage.js';
import ScaleLine from 'ol/control/ScaleLine.js';
import Attribution from 'ol/control/Attribution.js';
import ImageCanvasSource from 'ol/source/ImageCanvas.js';
import VectorSource from 'ol/source/Vector.js';
import { unByKey } from 'ol/Observable.js';
import { drawCells } from './celldraw.ts';
import { NO_DATA } from './classes.ts';
import type { Ramp } from './classes.ts';
import type { Area, Outline, Plan } from './geometry.ts';
import { borders } from './geometry.ts';
import type { Box } from './ground.ts';
import { Ground } from './ground.ts';
import type { Paint } from './mapstyle.ts';
import { label, paintOf } from './mapstyle.ts';
import type { Projector } from './project.ts';
import { project, projector } from './project.ts';
import { levelOf } from './tree.ts';

/** What the map tells. Cells are indexes of the plan; -1 is none. */
export interface MapEvents {
  /** The cell under the pointer, and where: pixels of the map, degrees of CGCS2000. */
  onHover(cell: number, pixel: readonly [number, number], at: readonly [number, number]): void;
  /** A cell was clicked; zoom when twice. Size is how wide it is on the screen, in pixels. */
  onPick(cell: number, zoom: boolean, size: number): void;
}

type Shape = Polygon | MultiPolygon;

/** A cell so wide on the screen, in pixels, bears its name. */
const NAMED = 64;

export class MapView {
  private readonly map: OlMap;
  private readonly canvas = document.createElement('canvas');
  private readonly lines = new VectorSource();
  private readonly names = new VectorSource<Feature<Point>>();
  private readonly near = new VectorSource<Feature<Point>>();
  private readonly marks = new VectorSource();
  private readonly cellSource: ImageCanvasSource;
  private readonly cellLayer: ImageLayer<ImageCanvasSource>;
  private ground = new Ground([], projector('EPSG:3857'));
  private classes: Uint8Array = new Uint8Array(0);
  private paint: Paint;
  private plan: Plan | null = null;
  private way: Projector | null = null;
  private tiles: BaseLayer | null = null;
  private hovered = '';
  private selected = '';
  private coloured = false;
  private later = 0;
  private all: Box | null = null;

  constructor(private readonly box: HTMLElement, private readonly events: MapEvents, private readonly calm: boolean, scale: number) {
    this.paint = paintOf('h', scale);
    const ratio = imageRatio(box.clientWidth, box.clientHeight);
    this.cellSource = this.picture(ratio);
    this.cellLayer = new ImageLayer({ source: this.cellSource });
    const named = (source: VectorSource<Feature<Point>>): VectorLayer => new VectorLayer({
      source, declutter: true, style: (f, r) => label(String(f.get('code')), String(f.get('name')), r / this.ground.mean, this.paint),
    });
    this.map = new OlMap({
      target: box,
      pixelRatio: Math.min(devicePixelRatio, 2),
      interactions: interactions({ doubleClickZoom: false, altShiftDragRotate: false, pinchRotate: false }),
      controls: [new ScaleLine({ minWidth: 72 }), new Attribution({ collapsible: false })],
      layers: [
        this.cellLayer,
        new VectorImageLayer({ source: this.lines, imageRatio: ratio, style: (f, r) => this.paint.border(levelOf(String(f.get('code'))), r / this.ground.mean) }),
        named(this.near), named(this.names),
        new VectorLayer({ source: this.marks, style: (f) => this.paint.mark(String(f.get('kind'))) }),
      ],
    });
    this.listen();
  }

  /** The cells as one picture, larger than the map by ratio; it is drawn when the map rests. */
  private picture(ratio: number): ImageCanvasSource {
    return new ImageCanvasSource({
      ratio,
      canvasFunction: (extent, resolution, pixels, size) => {
        this.canvas.width = Math.round(size[0]!);
        this.canvas.height = Math.round(size[1]!);
        const c = this.canvas.getContext('2d');
        const [w, s, e, n] = [extent[0]!, extent[1]!, extent[2]!, extent[3]!];
        const inks = { ...this.paint.inks, width: this.paint.inks.width * pixels };
        if (c) drawCells(c, this.ground, this.classes, inks, { box: [w, s, e, n], resolution: resolution / pixels });
        return this.canvas;
      },
    });
  }

  private listen(): void {
    this.map.on('pointermove', (e) => {
      if (e.dragging) return;
      this.events.onHover(this.at(e.coordinate), [e.pixel[0]!, e.pixel[1]!], this.way?.from(e.coordinate[0]!, e.coordinate[1]!) ?? [0, 0]);
    });
    this.box.addEventListener('pointerleave', () => this.events.onHover(-1, [0, 0], [0, 0]));
    const pick = (zoom: boolean) => (e: { coordinate: number[] }): void => {
      const cell = this.at(e.coordinate);
      if (cell >= 0) this.events.onPick(cell, zoom, this.size());
    };
    this.map.on('click', pick(false));
    this.map.on('dblclick', pick(true));
    this.map.on('moveend', () => {
      this.nameCells();
      this.box.dataset.moves = String(Number(this.box.dataset.moves ?? 0) + 1);
    });
  }

  /** The cell at a coordinate of the view, or -1. */
  private at(coordinate: number[]): number {
    return this.ground.find(coordinate[0]!, coordinate[1]!);
  }

  /** How wide a cell is on the screen, in pixels. */
  size(): number {
    return this.ground.mean / (this.map.getView().getResolution() ?? Infinity);
  }

  /** Opens what is in the middle: for the keyboard. */
  pickCentre(zoom: boolean): void {
    const centre = this.map.getView().getCenter();
    const cell = centre ? this.at(centre) : -1;
    if (cell >= 0) this.events.onPick(cell, zoom, this.size());
  }

  /** Draws a city; the view goes to it when it is another, or drawn another way. */
  show(plan: Plan, way: Projector): void {
    const there = this.plan === null || this.way?.code !== way.code || this.way.shifted !== way.shifted;
    this.plan = plan;
    this.way = way;
    this.ground = new Ground(plan.cells.map((c) => c.outline), way);
    this.all = this.ground.around(0, plan.cells.length);
    this.classes = new Uint8Array(plan.cells.length).fill(NO_DATA);
    this.coloured = false;
    this.showAreas(plan, way);
    if (there) this.newView(way);
    this.mark('selected', this.selected);
    this.nameCells();
  }

  private newView(way: Projector): void {
    const [w, s, e, n] = this.all ?? [0, 0, 1, 1];
    const room = Math.max(e - w, n - s);
    this.map.getView().dispose();
    this.map.setView(new View({
      projection: way.code, enableRotation: false, showFullExtent: true, smoothExtentConstraint: true,
      extent: [w - room, s - room, e + room, n + room], minResolution: this.ground.mean / 800,
    }));
    this.fit('', false);
  }

  private showAreas(plan: Plan, way: Projector): void {
    this.lines.clear(true);
    this.names.clear(true);
    clearTimeout(this.later);
    const bare: Area[] = [];
    for (const a of plan.areas) {
      if (a.outline) this.lines.addFeature(new Feature({ geometry: shapeOf(a.outline, way), code: a.code }));
      else bare.push(a);
      const box = this.ground.around(a.first, a.last);
      if (box) this.names.addFeature(nameAt(box, a.code, a.name));
    }
    this.derive(plan, way, bare);
  }

  /** Borders that the register does not have are made from those of the cells, a few at a time, when the page has rest. */
  private derive(plan: Plan, way: Projector, areas: Area[]): void {
    if (areas.length === 0) return;
    this.later = window.setTimeout(() => {
      const until = performance.now() + 12;
      const made: Feature[] = [];
      while (areas.length > 0 && performance.now() < until) {
        const a = areas.pop()!;
        const flat = borders(plan.cells.slice(a.first, a.last).map((c) => c.outline));
        made.push(new Feature({ geometry: edges(project(way, flat)), code: a.code }));
      }
      this.lines.addFeatures(made);
      this.derive(plan, way, areas);
    }, this.coloured ? 16 : 250);
  }

  /** Puts names on the cells in sight, when they are large enough. */
  private nameCells(): void {
    this.near.clear(true);
    const view = this.map.getView();
    if (!this.plan || this.size() < NAMED * this.paint.scale) return;
    const [w, s, e, n] = view.calculateExtent(this.map.getSize() ?? [0, 0]);
    const sight: Box = [w!, s!, e!, n!];
    this.plan.cells.forEach((c, i) => {
      if (this.ground.meets(i, sight)) this.near.addFeature(nameAt(this.ground.around(i, i + 1)!, c.code, c.name));
    });
  }

  /** Colours the cells by their classes; false when they are so already. */
  colour(classes: Uint8Array, ramp: Ramp, scale: number): boolean {
    const same = this.coloured && ramp === this.paint.ramp && scale === this.paint.scale && classes.every((c, i) => c === this.classes[i]);
    if (same) return false;
    this.coloured = true;
    if (ramp !== this.paint.ramp || scale !== this.paint.scale) this.paint = paintOf(ramp, scale);
    this.classes = classes;
    this.cellSource.changed();
    return true;
  }

  /** Takes the colours of the page again: after light, dark or print. */
  repaint(): void {
    this.paint = paintOf(this.paint.ramp, this.paint.scale);
    for (const layer of this.map.getAllLayers()) layer.getSource()?.changed();
    this.map.renderSync();
  }

  /** Outlines a place: "hover" or "selected". */
  mark(kind: 'hover' | 'selected', code: string): void {
    if (kind === 'hover') {
      if (code === this.hovered) return;
      this.hovered = code;
    } else this.selected = code;
    for (const f of this.marks.getFeatures()) if (f.get('kind') === kind) this.marks.removeFeature(f);
    const geometry = this.shape(code);
    if (geometry) this.marks.addFeature(new Feature({ geometry, kind }));
  }

  private shape(code: string): Geometry | undefined {
    if (code === '') return undefined;
    const cell = this.plan && levelOf(code) === 'cell' ? this.plan.cells.find((c) => c.code === code) : undefined;
    if (cell && this.way) return shapeOf(cell.outline, this.way);
    const known = this.lines.getFeatures().find((f) => f.get('code') === code)?.getGeometry();
    const area = known || !this.way ? undefined : this.plan?.areas.find((a) => a.code === code);
    return known ?? (area && this.plan && this.way ? edges(project(this.way, borders(this.plan.cells.slice(area.first, area.last).map((c) => c.outline)))) : undefined);
  }

  /** Goes to a place; "" is the whole city. */
  fit(code: string, move = true): void {
    const extent = code === '' ? this.all : this.boxOf(code);
    if (!extent) return;
    this.map.updateSize();
    this.map.getView().fit([...extent], {
      // The legend stands at the left.
      padding: [24, 24, 24, this.box.clientWidth > 700 ? 264 : 24], duration: move && !this.calm ? 260 : 0,
      ...(levelOf(code) === 'cell' ? { minResolution: this.ground.mean / 220 } : {}),
    });
  }

  private boxOf(code: string): Box | null {
    const cells = this.plan?.cells ?? [];
    const first = cells.findIndex((c) => c.code.startsWith(code));
    let last = first;
    while (last >= 0 && cells[last]?.code.startsWith(code)) last++;
    return first < 0 ? null : this.ground.around(first, last);
  }

  zoom(by: number): void {
    this.map.getView().animate({ zoom: (this.map.getView().getZoom() ?? 0) + by, duration: this.calm ? 0 : 180 });
  }

  /** Lays pictures under the map, or none. */
  lay(tiles: BaseLayer | null): void {
    if (this.tiles) this.map.removeLayer(this.tiles);
    this.tiles = tiles;
    if (tiles) this.map.getLayers().insertAt(0, tiles);
    this.cellLayer.setOpacity(tiles ? 0.72 : 1);
  }

  /** Calls done once, when everything stands on the screen. */
  whenDrawn(done: () => void): () => void {
    const key = this.map.once('rendercomplete', done);
    return () => unByKey(key);
  }

  dispose(): void {
    clearTimeout(this.later);
    this.map.setTarget(undefined);
    this.map.dispose();
  }
}

/** How much larger than the map its picture is, so that panning shows no bare ground: less on very large screens. */
function imageRatio(width: number, height: number): number {
  const pixels = width * height * Math.min(devicePixelRatio, 2) ** 2;
  return Math.min(2, Math.max(1.15, Math.sqrt(7e6 / Math.max(1, pixels))));
}

function shapeOf(o: Outline, way: Projector): Shape {
  const flat = project(way, o.flat);
  return o.ends.length === 1 ? new Polygon(flat, 'XY', [...o.ends[0]!]) : new MultiPolygon(flat, 'XY', o.ends.map((e) => [...e]));
}

function nameAt(box: Box, code: string, name: string): Feature<Point> {
  return new Feature({ geometry: new Point([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]), code, name });
}

/** Pairs of corners as lines. */
function edges(flat: number[]): MultiLineString {
  const ends: number[] = [];
  for (let i = 4; i <= flat.length; i += 4) ends.push(i);
  return new MultiLineString(flat, 'XY', ends);
}
