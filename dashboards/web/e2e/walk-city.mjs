// Walks the city page: every metric, from the city down to a raw reading, the cell of the leak, the list,
// the charts, the keyboard, the wall, and what is said when the hub is gone.
//
//   node e2e/walk-city.mjs URL FOLDER
import { axe, contextOf, noOverflow, PATIENCE, signIn, until, walk, watch } from './lib.mjs';

const METRICS = ['open', 'overdue', 'offline', 'completeness'];

async function visit({ browser, view, url, problems, shoot }) {
  const context = await browser.newContext({ ...contextOf(view), acceptDownloads: true });
  await enter(context, url);
  await holdStreams(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  let cut = false; // the network is away, on purpose
  watch(page, url, view.name, problems, () => cut);
  const check = async (what) => {
    await noOverflow(page, `${view.name} ${what}`, problems);
    await axe(page, `${view.name} ${what}`, problems);
    await shoot(page, what);
  };
  await page.goto(url);
  await opened(page);
  await check('home');
  await metrics(page);
  const leak = await findLeak(page, view, problems);
  await check('leak');
  await drill(page, leak, view, problems);
  await check('cell');
  await toReading(page);
  await list(page, view, problems);
  await check('list');
  await charts(page);
  await check('charts');
  await keyboard(page);
  await language(page);
  await wall(page, view, check);
  cut = true;
  await offline(context, page, check);
  cut = false;
  await context.close();
}

/** A tour shows everything; elsewhere somebody has to sign in. */
async function enter(context, url) {
  const { state } = await (await context.request.get(`${url}/api/v1/session`)).json();
  if (state !== 'tour') await signIn(context, url, 'dispatcher');
}

const legend = (metric) => document.querySelector('.legend')?.dataset.metric === metric;

async function opened(page) {
  await until(page, 'the map with all cells', () => document.querySelector('.map[data-ready=true]') !== null);
  await until(page, 'a live connection', () => document.querySelector('#connection')?.dataset.connection === 'live');
  await until(page, 'the main figures', () => document.querySelectorAll('.kpi .figure b').length >= 4);
  await until(page, 'a chart', () => document.querySelector('.charts .plot canvas, .charts .empty') !== null);
}

/** Each metric has its legend, the address names it, and Back undoes it. */
async function metrics(page) {
  const tabs = page.locator('.metrics button');
  const n = await tabs.count();
  for (let i = 1; i < n; i++) {
    await tabs.nth(i).click();
    await until(page, `the legend of metric ${i}`, (want) => (document.querySelector('.legend')?.dataset.metric ?? '') === want, METRICS[i] ?? 'consumption');
    await until(page, 'legend lines', () => document.querySelectorAll('.legend li').length > 0);
  }
  await page.goBack();
  await until(page, 'the metric before after Back', () => document.querySelectorAll('.metrics button')[5]?.getAttribute('aria-pressed') === 'true');
  await tabs.first().click();
  await until(page, 'open cases', legend, 'open');
}

/** The alarm of a leak leads to its cell, and the cell shows the case. */
async function findLeak(page, view, problems) {
  await until(page, 'the alarm of a leak', () => document.querySelector('.alarms [data-kind=leak] .place button') !== null);
  const cell = await page.locator('.alarms [data-kind=leak]').first().getAttribute('data-alarm-cell');
  await page.locator('.alarms [data-kind=leak] .place button').first().click();
  await until(page, 'the cell of the leak', (code) => document.querySelector(`section[data-cell="${code}"] dl`) !== null, cell);
  const seen = await page.evaluate(async () => (await (await fetch('/api/v1/session')).json()).state !== 'open');
  if (seen) await until(page, 'the case of the leak', () => [...document.querySelectorAll('.cell [data-case]')].some((li) => li.dataset.event !== ''));
  if (!new URL(page.url()).hash.includes(`area=${cell}`)) problems.push(`${view.name}: the address does not say the cell of the leak: ${page.url()}`);
  return cell;
}

/** City, street, community, cell: by the list of what is further in; Back goes the way back. */
async function drill(page, cell, view, problems) {
  await page.locator('.crumbs a').first().click();
  await until(page, 'the city', () => document.querySelectorAll('.crumbs li').length === 1);
  const way = [cell.slice(0, 9), cell.slice(0, 12), cell];
  for (const code of way) {
    if ((await page.locator(`#further option[value="${code}"]`).count()) === 0) continue; // a register without this rank
    await page.locator('#further').selectOption(code);
    await until(page, `the place ${code}`, (area) => location.hash.includes(`area=${area}`), code);
  }
  const steps = await page.locator('.crumbs li').count();
  if (steps !== 4) problems.push(`${view.name}: the way to the cell has ${steps} steps, want 4`);
  await page.goBack();
  await until(page, 'the community after Back', (code) => new URLSearchParams(location.hash.slice(1)).get('area') === code, way[1]);
  await page.goForward();
  await until(page, 'the cell again', (code) => document.querySelector(`section[data-cell="${code}"] dl`) !== null, cell);
}

/** From the cell to a component, to its meter, to the meter's readings, and back. */
async function toReading(page) {
  const meter = page.locator('.cell [data-meter]').first();
  const id = await meter.getAttribute('data-meter');
  const classes = page.locator('.cell details.class');
  for (let n = 0; n < (await classes.count()); n++) {
    await classes.nth(n).locator('summary').click();
    await until(page, 'the components of a class', (i) => document.querySelectorAll('.cell details.class')[i]?.querySelector('[data-component]') !== null, n);
  }
  await page.locator('.cell [data-component*=meter]').first().click();
  await until(page, 'the component with its meter', (m) => document.querySelector(`section.component [data-meter="${m}"]`) !== null, id);
  await page.locator(`section.component [data-meter="${id}"]`).click();
  await until(page, 'a reading of the meter', (m) => location.pathname === '/meters' && location.hash.includes(m) && /\d/.test(document.querySelector('main .value b')?.textContent ?? ''), id);
  await page.goBack();
  await until(page, 'the component after Back', () => document.querySelector('section.component dl') !== null);
  await opened(page);
}

/** The list is the map for who cannot see it: sorted, by pages, as a file. */
async function list(page, view, problems) {
  await page.locator('.crumbs a').first().click();
  await page.locator('.right > .tabs button').nth(1).click();
  await until(page, 'the list of cells', () => document.querySelectorAll('#cells tbody tr[data-cell]').length > 0);
  const values = await page.evaluate(() => [...document.querySelectorAll('#cells tbody td.num')].map((td) => Number(td.textContent)));
  if (values.some((v, i) => i > 0 && v > values[i - 1])) problems.push(`${view.name}: the list is not sorted: ${values.join()}`);
  const first = await page.locator('#cells tbody tr').first().getAttribute('data-cell');
  await page.locator('.pages button').nth(1).click();
  await until(page, 'the next page', (code) => document.querySelector('#cells tbody tr')?.dataset.cell !== code, first);
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('.cells header button').click()]);
  if (!file.suggestedFilename().endsWith('.csv')) problems.push(`${view.name}: the file is called ${file.suggestedFilename()}`);
}

async function charts(page) {
  await page.locator('.right > .tabs button').first().click();
  await page.locator('.ranges .tabs button').nth(2).click();
  await until(page, 'a week of hours', () => Number(document.querySelector('.charts .plot[data-points]')?.dataset.points) > 100);
  await page.locator('#twin').click();
  await until(page, 'the table of the chart', () => document.querySelectorAll('.twin tbody tr').length > 100);
  await page.locator('#twin').click();
  await page.locator('.metrics button').nth(4).click();
  await until(page, 'consumption of the week', (at) => document.querySelector('.legend')?.dataset.metric === at, 'consumption');
}

/** The map by keys alone. */
async function keyboard(page) {
  const scale = () => page.locator('.ol-scale-line-inner').textContent();
  await page.locator('.map .canvas').focus();
  const before = await scale();
  for (const key of ['+', '+', '+', 'ArrowLeft']) {
    const moves = await page.locator('.map .canvas').evaluate((box) => box.dataset.moves ?? '0');
    await page.keyboard.press(key);
    await until(page, `the move of the map by ${key}`, (old) => document.querySelector('.map .canvas').dataset.moves !== old, moves);
  }
  await until(page, 'the zoom by keys', (old) => document.querySelector('.ol-scale-line-inner')?.textContent !== old, before);
  await page.keyboard.press('Enter');
  await until(page, 'a place opened by Enter', () => location.hash.includes('area='));
  const deep = await page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get('area').length);
  await page.keyboard.press('Escape');
  await until(page, 'the place above after Escape', (n) => (new URLSearchParams(location.hash.slice(1)).get('area') ?? '').length < n, deep);
}

async function language(page) {
  const before = await page.evaluate(() => document.documentElement.lang);
  await page.locator('#lang').click();
  await until(page, 'the other language', (old) => document.documentElement.lang !== old, before);
  await page.locator('#lang').click();
}

/** The wall turns by itself, and stops when it is touched. */
async function wall(page, view, check) {
  await page.locator('#wall').click();
  await until(page, 'the wall', () => document.querySelector('main.wall .map[data-ready=true]') !== null && document.querySelectorAll('.wall .big .figure b').length >= 4);
  await check('wall');
  if (view.name.startsWith('wall')) {
    const before = await page.evaluate(() => location.hash);
    await until(page, 'the next metric', (old) => location.hash !== old, before);
  }
  await page.locator('.wall aside').click({ position: { x: 20, y: 20 } });
  await until(page, 'the pause', () => document.querySelector('#pause')?.getAttribute('aria-pressed') === 'true');
  await page.locator('#leave').click();
  await until(page, 'the page again', () => document.querySelector('main.wall') === null && document.querySelector('.kpis') !== null);
}

/** Keeps hold of the page's streams: the browser's own switch to no network leaves an open stream alone. */
function holdStreams(context) {
  return context.addInitScript(() => {
    globalThis.EventSource = class extends EventSource {
      constructor(...args) {
        super(...args);
        (globalThis.streams ??= []).push(this);
      }
    };
  });
}

/** When the hub is gone the page says so, here and on the wall, and recovers. */
async function offline(context, page, check) {
  await context.route('**/api/**', (route) => route.abort());
  await page.evaluate(() => {
    for (const one of globalThis.streams) {
      one.close();
      one.dispatchEvent(new Event('error'));
    }
  });
  await until(page, 'the banner', () => document.querySelector('#stale') !== null && document.querySelector('#connection')?.dataset.connection === 'stale');
  await check('offline');
  await page.evaluate(() => {
    location.hash = 'wall=1';
  });
  await until(page, 'the wall that says that it is old', () => document.querySelector('main.wall.old .alert') !== null);
  await check('wall-offline');
  await context.unroute('**/api/**');
  await until(page, 'a live connection again', () => document.querySelector('.wall #connection')?.dataset.connection === 'live' && document.querySelector('.wall .alert') === null);
}

await walk('city', visit);
