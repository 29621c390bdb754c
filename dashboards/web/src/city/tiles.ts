// Pictures of a map service under the cells. Loaded only when one is chosen.

import TileLayerOl from 'ol/layer/Tile.js';
import { addEquivalentProjections, addProjection, get } from 'ol/proj.js';
import Projection from 'ol/proj/Projection.js';
import TileWMS from 'ol/source/TileWMS.js';
import WMTS from 'ol/source/WMTS.js';
import XYZ from 'ol/source/XYZ.js';
import WMTSGrid from 'ol/tilegrid/WMTS.js';
import type { TileLayer } from './api.ts';
import type { Code, Projector } from './project.ts';
import { projector } from './project.ts';

/** EPSG:4490 is CGCS2000: the degrees of WGS 84 within a decimetre. */
function knowCgcs2000(): void {
  if (get('EPSG:4490')) return;
  const wgs = get('EPSG:4326')!;
  const own = new Projection({ code: 'EPSG:4490', units: 'degrees', axisOrientation: 'neu', global: true, extent: [-180, -90, 180, 90], metersPerUnit: wgs.getMetersPerUnit()! });
  addProjection(own);
  addEquivalentProjections([wgs, own]);
}

function codeOf(layer: TileLayer): Code {
  return layer.crs === 'EPSG:4490' || layer.crs === 'EPSG:4326' ? 'EPSG:4490' : 'EPSG:3857';
}

/** How everything is drawn over a layer: in its own projection, and shifted where it is. */
export async function wayOf(layer: TileLayer): Promise<Projector> {
  knowCgcs2000();
  if (layer.crs !== 'GCJ-02') return projector(codeOf(layer));
  const { default: gcoord } = await import('gcoord');
  return projector(
    'EPSG:3857',
    (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, gcoord.GCJ02),
    (lon, lat) => gcoord.transform([lon, lat], gcoord.GCJ02, gcoord.WGS84),
  );
}

/** The layer of pictures; failed is called when one of them does not come. */
export function picturesOf(layer: TileLayer, failed: () => void): TileLayerOl {
  const source = layer.kind === 'xyz' ? xyz(layer) : layer.kind === 'wms' ? wms(layer) : wmts(layer);
  source.on('tileloaderror', failed);
  return new TileLayerOl<XYZ | TileWMS | WMTS>({ source });
}

function xyz(layer: TileLayer): XYZ {
  return new XYZ({ url: withParameters(layer), projection: codeOf(layer), attributions: layer.attribution, minZoom: layer.min_zoom, maxZoom: layer.max_zoom });
}

function withParameters(layer: TileLayer): string {
  const more = new URLSearchParams(layer.parameters).toString();
  return more ? `${layer.url}${layer.url.includes('?') ? '&' : '?'}${more}` : layer.url;
}

function wms(layer: TileLayer): TileWMS {
  return new TileWMS({
    url: layer.url, projection: layer.crs === 'EPSG:4326' ? 'EPSG:4326' : codeOf(layer), attributions: layer.attribution,
    params: { LAYERS: layer.layer ?? '', STYLES: layer.style ?? '', FORMAT: layer.format ?? 'image/png', TILED: true, ...layer.parameters },
  });
}

/** Matrices by the usual numbers: of 3857 from one tile, of degrees from two beside each other, which some services call level 1. */
function wmts(layer: TileLayer): WMTS {
  const degrees = codeOf(layer) === 'EPSG:4490';
  const ids: string[] = [];
  const resolutions: number[] = [];
  for (let z = Math.max(layer.min_zoom, degrees ? 1 : 0); z <= layer.max_zoom; z++) {
    ids.push(String(z));
    resolutions.push(degrees ? 360 / 256 / 2 ** z : (2 * Math.PI * 6_378_137) / 256 / 2 ** z);
  }
  const half = Math.PI * 6_378_137;
  return new WMTS({
    url: withParameters(layer), layer: layer.layer ?? '', matrixSet: layer.matrix_set ?? '', style: layer.style ?? '', format: layer.format ?? 'image/png',
    projection: codeOf(layer), attributions: layer.attribution,
    tileGrid: new WMTSGrid({ origin: degrees ? [-180, 90] : [-half, half], resolutions, matrixIds: ids }),
  });
}
