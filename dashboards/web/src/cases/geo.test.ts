import { expect, test } from 'vitest';
import { barOf, corners, metres, pathOf, planOf, pointOf } from './geo.ts';

const here = { lon: 120.1, lat: 30.2 };

test('metres on the ground', () => {
  expect(metres(here, here)).toBe(0);
  expect(metres(here, { lon: 120.1, lat: 30.201 })).toBeCloseTo(111.2, 0);
  expect(metres(here, { lon: 120.101, lat: 30.2 })).toBeCloseTo(96.1, 0);
});

test('a shifted position is not drawn as if it were not', () => {
  expect(pointOf({ ...here, crs: 'GCJ-02' })).toBeNull();
  expect(pointOf({ ...here, crs: 'WGS84' })).toEqual(here);
  expect(pointOf(undefined)).toBeNull();
});

test('a plan keeps north up, has room for all, and leads back', () => {
  const far = { lon: 120.104, lat: 30.203 };
  const plan = planOf([here, far], 300, 200)!;
  const [x0, y0] = plan.at(here);
  const [x1, y1] = plan.at(far);
  expect(x1).toBeGreaterThan(x0);
  expect(y1).toBeLessThan(y0);
  for (const v of [x0, x1]) expect(v >= 0 && v <= 300).toBe(true);
  for (const v of [y0, y1]) expect(v >= 0 && v <= 200).toBe(true);
  const back = plan.back(...plan.at(far));
  expect(metres(back, far)).toBeLessThan(0.001);
  expect(Math.hypot(x1 - x0, y1 - y0) * plan.scale).toBeCloseTo(metres(here, far), 0);
});

test('one point alone is a plan too, none is none', () => {
  expect(planOf([here], 300, 200)!.at(here)).toEqual([150, 100]);
  expect(planOf([], 300, 200)).toBeNull();
});

test('an outline becomes a path', () => {
  const g = { type: 'MultiPolygon' as const, coordinates: [[[[120.1, 30.2], [120.101, 30.2], [120.1, 30.201], [120.1, 30.2]]]] };
  const plan = planOf(corners(g), 300, 200)!;
  expect(pathOf(g, plan)).toMatch(/^M[\d. -]+(L[\d. -]+){3}Z$/);
  expect(barOf(plan, 80).metres).toBeGreaterThan(0);
  expect(barOf(plan, 80).pixels).toBeLessThanOrEqual(80);
});
