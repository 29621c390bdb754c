// Walks the meters' pages: the list and its filters, a meter with its past, its bars and a gap, a
// meter that fails with the bytes of its line, the collectors, keyboard, language and print.
//
//   node e2e/walk-meters.mjs URL FOLDER
import { axe, contextOf, noOverflow, PATIENCE, people, signIn, until, walk, watch } from './lib.mjs';

const value = (page, read, arg) => page.evaluate(read, arg);

/** Asks the hub as the page would. */
async function hub(context, url, path) {
  const answer = await context.request.get(`${url}/api/v1/${path}`);
  if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}

/** The diagnosis of the first meter that good is true of; null when there is none. */
async function find(context, url, query, good) {
  const { rows } = await hub(context, url, `meters?limit=50&${query}`);
  for (const row of rows) {
    const d = await hub(context, url, `meters/${row.id}/diagnosis`);
    if (good(d)) return d;
  }
  return null;
}

async function visit({ browser, view, url, problems, shoot }) {
  const context = await browser.newContext({ ...contextOf(view), acceptDownloads: true });
  context.setDefaultTimeout(PATIENCE);
  if (people().length > 0) await signIn(context, url, 'admin'); // else as a visitor of the tour
  const page = await context.newPage();
  watch(page, url, view.name, problems);
  const step = async (what) => {
    await noOverflow(page, `${view.name}: ${what}`, problems);
    await axe(page, `${view.name}: ${what}`, problems);
    await shoot(page, what);
  };
  const w = { page, context, view, url, problems, step };
  await theList(w);
  await theArea(w);
  await aMeter(w);
  await theGap(w);
  await aFailure(w);
  await theCollectors(w);
  await context.close();
}

async function theList({ page, view, url, step, problems }) {
  await page.goto(`${url}/meters`);
  await until(page, 'a live connection', () => document.querySelector('#connection')?.dataset.connection === 'live');
  await until(page, 'a meter with a value', () => document.querySelector('[data-meter] .value b') !== null);
  await until(page, 'points in the store', () => /[1-9]/.test(document.querySelector('[data-step=store] .sub')?.textContent ?? ''));
  const texts = () => [...document.querySelectorAll('[data-step=store], [data-meter] .value')].map((e) => e.textContent).join();
  const before = await value(page, texts);
  await until(page, 'a value to change', (old) => [...document.querySelectorAll('[data-step=store], [data-meter] .value')].map((e) => e.textContent).join() !== old, before);
  await until(page, 'the health of a meter', async () => {
    if (document.querySelector('[data-health] .rate b') !== null) return true;
    const collectors = await (await fetch('/api/v1/collectors')).json();
    return collectors.every((c) => c.health.length === 0);
  });
  for (const text of await value(page, () => [...document.querySelectorAll('[data-health] .rate b')].map((e) => e.textContent))) {
    if (!/^(\d{1,3}(\.\d)?%|–)$/.test(text)) problems.push(`${view.name}: a success rate reads ${text}`);
  }
  await step('list');
}

/** A link from the city's map shows the meters of one cell. */
async function theArea({ page, context, view, url, problems }) {
  const d = await find(context, url, 'state=answering', (one) => Boolean(one.place?.cell));
  if (!d) return; // this hub keeps no register
  await page.goto(`${url}/meters?area=${d.place.cell}`);
  await until(page, 'the meters of a cell', (id) => document.querySelector(`[data-meter="${id}"]`) !== null, d.id);
  const { total } = await hub(context, url, `meters?area=${d.place.cell}`);
  await until(page, 'only the meters of that cell', (n) => document.querySelectorAll('[data-meter]').length === Math.min(n, 50), total);
  await page.locator('#area').click();
  await until(page, 'all meters again', (n) => document.querySelectorAll('[data-meter]').length > n, Math.min(total, 49));
  if (page.url().includes('area=')) problems.push(`${view.name}: the area stays in the address: ${page.url()}`);
}

/** Whether the chart of a range is there, and not that of the range before it. */
const drawn = (range) => {
  const there = range === undefined || document.querySelector('#past .pastfoot')?.dataset.range === range;
  return there && Number(document.querySelector('#past .plot[data-points]')?.dataset.points) > 0 && document.querySelector('#past .plot canvas') !== null;
};

async function aMeter({ page, context, view, url, step, problems }) {
  await page.goto(`${url}/meters#medium=water`);
  await until(page, 'a water meter with a value', () => document.querySelector('[data-meter]:has(.value b) a') !== null);
  await page.locator('[data-meter]:has(.value b) a').first().focus();
  await page.keyboard.press('Enter');
  await until(page, 'a chart', drawn);
  await until(page, 'the success rates', () => document.querySelectorAll('#success .rate .big').length === 2);
  await until(page, 'bars', () => document.querySelector('#consumption .plot canvas') !== null);
  for (const id of ['installed', 'failure', 'verdicts']) await until(page, `the part ${id}`, (one) => document.getElementById(one) !== null, id);
  const tabs = page.locator('#past .pasthead .tabs button');
  for (let i = 0; i < (await tabs.count()); i++) {
    await tabs.nth(i).click();
    await until(page, `range ${i}`, (n) => document.querySelectorAll('#past .pasthead .tabs button')[n]?.getAttribute('aria-pressed') === 'true', i);
    await until(page, `a chart or its absence of range ${i}`, () => document.querySelector('#past .plot canvas, #past .empty') !== null);
  }
  await tabs.nth(2).click();
  await until(page, 'the chart of a day', drawn, '24h');
  await page.locator('#compare').check();
  await until(page, 'the comparison in the address', () => location.hash.includes('compare=1'));
  await step('meter');
  await page.locator('#compare').uncheck();
  await theFiles(page, view, problems);
  await page.locator('#consumption .tabs button').nth(1).click();
  await until(page, 'the bars of days', () => location.hash.includes('bars=day') && document.querySelector('#consumption .plot canvas') !== null);
  await page.locator('#consumption').scrollIntoViewIfNeeded();
  await step('bars');
  await page.locator('#lang').click();
  await until(page, 'the other language', (zh) => document.documentElement.lang === (zh ? 'en' : 'zh-CN'), view.locale === 'zh-CN');
  await noOverflow(page, `${view.name}: meter in the other language`, problems);
  await page.locator('#lang').click();
}

/** Where a meter had no value the line has a gap, and the table says so: never zero. */
async function theGap({ page, context, view, url, problems }) {
  const lately = (d, v) => v.quality === 'missing' && Date.parse(d.at) - Date.parse(v.last) < 3 * 60_000;
  const end = Date.now() + PATIENCE;
  let d = null;
  while (d === null && Date.now() < end) d = await find(context, url, 'state=answering', (one) => one.verdicts.some((v) => lately(one, v)));
  if (!d) {
    problems.push(`${view.name}: no meter was without a value lately; start the demo with --no-value 0.05`);
    return;
  }
  const { quantity } = d.verdicts.find((v) => lately(d, v));
  await page.goto(`${url}/meters#meter=${d.id}&quantity=${quantity}&range=15m`);
  await until(page, 'the chart of the gap', drawn, '15m');
  await until(page, 'the verdicts', () => document.querySelector('[data-verdict]') !== null);
  await page.locator('#twin').click();
  await until(page, 'a gap in the table', () => [...document.querySelectorAll('#past .twin tbody tr')].some((tr) => /缺失|缺测|无数据|missing|no data/i.test(tr.textContent) && !/\d/.test(tr.children[1].textContent)));
  await page.locator('#twin').locator('xpath=preceding-sibling::button').click();
  await until(page, 'the chart again', drawn, '15m');
}

async function theFiles(page, view, problems) {
  for (const id of ['csv', 'bars-csv']) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator(`#${id}`).click()]);
    const stream = await file.createReadStream();
    let text = '';
    for await (const chunk of stream) text += chunk;
    if (!text.startsWith('\ufeff') || !text.includes('\r\n') || text.split('\r\n').length < 3) problems.push(`${view.name}: ${id}: no file for a spreadsheet: ${text.slice(0, 80)}`);
  }
}

const digits = (id) => document.querySelector(`.hex[data-sent="${id}"] .bytes`)?.getAttribute('aria-label')?.replaceAll(' ', '').toLowerCase() ?? '';

/** A meter that fails shows the very bytes that the hub knows, and what they mean. */
async function aFailure({ page, context, view, url, step, problems }) {
  const d = await find(context, url, 'state=failing', (one) => one.failure?.exchange);
  if (!d) {
    problems.push(`${view.name}: no failing meter has frames; start the demo with --faults dead=5%`);
    return;
  }
  await page.goto(`${url}/meters#meter=${d.id}`);
  await until(page, 'the bytes of the failure', () => document.querySelector('.hex[data-sent="true"] .bytes') !== null);
  // The meter is asked again and again, and a later failure may have come meanwhile.
  const { failure } = await hub(context, url, `meters/${d.id}/diagnosis`);
  const on = await page.evaluate(digits, 'true');
  if (![d.failure.exchange.sent, failure.exchange?.sent].includes(on)) problems.push(`${view.name}: ${d.id}: the page shows ${on}, the hub knows ${failure.exchange?.sent}`);
  if ((await value(page, () => document.querySelector('#failure .plain')?.textContent ?? '')) === '') problems.push(`${view.name}: ${d.id}: no plain word for ${d.failure.cause}`);
  await page.locator('.hex[data-sent="true"] summary').click();
  await until(page, 'the fields of the request', () => document.querySelectorAll('.hex[data-sent="true"] tbody tr').length > 2);
  const marked = await value(page, () => document.querySelectorAll('.hex[data-sent="true"] .bytes .address').length);
  if (marked === 0) problems.push(`${view.name}: ${d.id}: no address is marked in ${on}`);
  await page.locator('#failure').scrollIntoViewIfNeeded();
  await step('failure');
  await page.emulateMedia({ media: 'print' });
  if (await page.locator('.top nav').isVisible()) problems.push(`${view.name}: the navigation is printed`);
  await page.emulateMedia({ media: null });
}

async function theCollectors({ page, context, view, url, step, problems }) {
  await page.goto(`${url}/meters`);
  await page.locator('#view-collectors').click();
  await until(page, 'a collector', () => document.querySelector('[data-collector] a') !== null);
  await step('collectors');
  const [first] = await hub(context, url, 'collectors');
  await page.locator('[data-collector] a').first().click();
  await until(page, 'its lines', () => document.querySelector('#lines') !== null);
  if (first.lines.length > 0) await until(page, 'a line', () => document.querySelector('[data-line]') !== null);
  await step('collector');
  const failing = page.locator('[data-failing] a').first();
  if ((await failing.count()) > 0) {
    await failing.click();
    await until(page, 'the failing meter', () => document.querySelector('#meter-title') !== null);
    await page.goBack();
  }
  await page.goBack();
  await until(page, 'the collectors after Back', () => document.querySelector('[data-collector]') !== null);
  if (!page.url().includes('view=collectors')) problems.push(`${view.name}: Back went to ${page.url()}`);
}

await walk('meters', visit);
