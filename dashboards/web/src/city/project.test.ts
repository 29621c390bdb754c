import gcoord from 'gcoord';
import { fromLonLat } from 'ol/proj.js';
import proj4 from 'proj4';
import { expect, test } from 'vitest';
import { project, projector } from './project.ts';

const PLACES: readonly (readonly [number, number])[] = [[120.155, 30.274], [87.6, 43.8], [109.5, 18.2], [121.47, 31.23]];
const METRE = 1e-5; // in degrees

test.each(PLACES)('3857 as OpenLayers and proj4 have it, and back: %d %d', (lon, lat) => {
  const p = projector('EPSG:3857');
  const [x, y] = p.to(lon, lat);
  expect(x).toBeCloseTo(fromLonLat([lon, lat])[0]!, 5);
  expect(y).toBeCloseTo(fromLonLat([lon, lat])[1]!, 5);
  expect(y).toBeCloseTo(proj4('EPSG:4326', 'EPSG:3857', [lon, lat])[1]!, 3);
  expect(p.from(x, y)[0]).toBeCloseTo(lon, 9);
  expect(p.from(x, y)[1]).toBeCloseTo(lat, 9);
});

test('CGCS2000 is WGS 84 within a decimetre, as proj4 has them', () => {
  const [lon, lat] = PLACES[0]!;
  const there = proj4('+proj=longlat +ellps=GRS80 +no_defs', '+proj=longlat +datum=WGS84 +no_defs', [lon, lat]);
  expect(Math.hypot(there[0]! - lon, there[1]! - lat)).toBeLessThan(0.1 * METRE);
  expect(projector('EPSG:4490').to(lon, lat)).toEqual([lon, lat]);
});

test.each(PLACES)('over GCJ-02 everything is shifted by hundreds of metres, and a click comes back: %d %d', (lon, lat) => {
  const p = projector(
    'EPSG:3857',
    (a, b) => gcoord.transform([a, b], gcoord.WGS84, gcoord.GCJ02),
    (a, b) => gcoord.transform([a, b], gcoord.GCJ02, gcoord.WGS84),
  );
  const [x, y] = p.to(lon, lat);
  const [x0, y0] = projector('EPSG:3857').to(lon, lat);
  expect(Math.hypot(x - x0, y - y0)).toBeGreaterThan(200);
  const back = p.from(x, y);
  expect(Math.hypot(back[0] - lon, back[1] - lat)).toBeLessThan(0.1 * METRE);
  expect(p.shifted).toBe(true);
});

test('flat lists', () => {
  expect(project(projector('EPSG:4490'), [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
});
