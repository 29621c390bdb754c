// Measures the city page of a running hub: first view, frames while the map is dragged and zoomed,
// recolouring, and what goes over the wire. Prints JSON.
//
//   node e2e/speed-city.mjs URL
//
// CHROMIUM names the browser's program, PEOPLE and PASSPHRASE sign in as in the walks. Chromium draws
// by software here: a machine with a graphics card is faster.
import { contextOf, launch, PATIENCE, signIn, until } from './lib.mjs';

const url = (process.argv[2] ?? '').replace(/\/$/, '');
if (!url) {
  console.error('usage: node e2e/speed-city.mjs URL');
  process.exit(2);
}
const VIEW = { width: 1280, height: 800, locale: 'zh-CN', colorScheme: 'light' };
const ROUNDS = 3;

/** Bytes over the wire of everything that the page loads, by what they are. */
async function weigh(context, page) {
  const cdp = await context.newCDPSession(page);
  const kinds = new Map();
  const sums = { page: 0, geometry: 0, values: 0, other: 0 };
  await cdp.send('Network.enable');
  cdp.on('Network.responseReceived', (e) => {
    const path = new URL(e.response.url).pathname;
    const kind = !path.startsWith('/api/') ? 'page' : path.startsWith('/api/v1/map/geometry') ? 'geometry' : path === '/api/v1/map/values' ? 'values' : 'other';
    kinds.set(e.requestId, kind);
  });
  cdp.on('Network.loadingFinished', (e) => {
    const kind = kinds.get(e.requestId);
    if (kind) sums[kind] += e.encodedDataLength;
  });
  return sums;
}

/** From the start of the navigation to the frame in which all cells have their colours. */
async function firstView(browser) {
  const context = await browser.newContext(contextOf(VIEW));
  const { state } = await (await context.request.get(`${url}/api/v1/session`)).json();
  if (state !== 'tour') await signIn(context, url, 'dispatcher');
  const page = await context.newPage();
  const wire = await weigh(context, page);
  await page.goto(url);
  await until(page, 'the map', () => document.querySelector('.map[data-ready=true]') !== null);
  const ms = await page.evaluate(() => performance.getEntriesByName('city-drawn')[0]?.startTime ?? 0);
  const cells = await page.evaluate(() => Number(document.querySelector('.map')?.dataset.cells));
  const marks = await page.evaluate(() => Object.fromEntries(performance.getEntriesByType('mark').map((m) => [m.name, Math.round(m.startTime)])));
  await page.waitForTimeout(1500); // the rest of the page loads
  return { context, page, ms, cells, marks, wire: { ...wire } };
}

/** The times between frames while act works, from the page's own clock. */
async function frames(page, act) {
  await page.evaluate(() => {
    globalThis.gaps = [];
    let last = performance.now();
    const step = (at) => {
      globalThis.gaps.push(at - last);
      last = at;
      globalThis.counting = requestAnimationFrame(step);
    };
    globalThis.counting = requestAnimationFrame(step);
  });
  await act();
  const gaps = await page.evaluate(() => {
    cancelAnimationFrame(globalThis.counting);
    return globalThis.gaps.slice(1);
  });
  gaps.sort((a, b) => a - b);
  const total = gaps.reduce((sum, v) => sum + v, 0);
  const at = (part) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] ?? 0);
  return { frames: gaps.length, per_second: Math.round((gaps.length * 10_000) / total) / 10, p95_ms: at(0.95), worst_ms: at(1) };
}

async function drag(page) {
  const box = await page.locator('.map .canvas').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let n = 0; n < 60; n++) {
    await page.mouse.move(x + 160 * Math.sin(n / 8), y + 120 * Math.sin(n / 6));
    await page.waitForTimeout(16);
  }
  await page.mouse.up();
  await page.waitForTimeout(400);
}

async function wheel(page) {
  const box = await page.locator('.map .canvas').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  for (let n = 0; n < 24; n++) {
    await page.mouse.wheel(0, n < 12 ? -120 : 120);
    await page.waitForTimeout(40);
  }
  await page.waitForTimeout(500);
}

/** From the press of a metric to the frame in which the map has its colours; the answer of the hub is part of it. */
async function recolour(page, tile, metric) {
  const mark = `city-coloured-${metric}`;
  const from = await page.evaluate(([name, old]) => {
    performance.clearMarks(old);
    const at = performance.now();
    document.querySelector(`[data-kpi=${name}]`).click();
    return at;
  }, [tile, mark]);
  await page.waitForFunction((name) => performance.getEntriesByName(name).length > 0, mark, { timeout: PATIENCE });
  return Math.round((await page.evaluate((name) => performance.getEntriesByName(name)[0].startTime, mark)) - from);
}

const browser = await launch();
try {
  const first = [];
  let last;
  for (let n = 0; n < ROUNDS; n++) {
    if (last) await last.context.close();
    last = await firstView(browser);
    first.push(Math.round(last.ms));
  }
  const { page } = last;
  const panning = await frames(page, () => drag(page));
  await page.waitForTimeout(500);
  const zooming = await frames(page, () => wheel(page));
  await page.waitForTimeout(500);
  const recolours = [await recolour(page, 'completeness', 'completeness'), await recolour(page, 'meters', 'offline'), await recolour(page, 'water', 'consumption')];
  const { page: own, geometry, values, other } = last.wire;
  console.log(JSON.stringify({
    cells: last.cells, first_view_ms: first, marks_ms: last.marks, panning, zooming, recolour_ms: recolours,
    wire_bytes: { page: own, values, other_answers: other, without_geometry: own + values + other, geometry },
  }, null, 2));
} finally {
  await browser.close();
}
