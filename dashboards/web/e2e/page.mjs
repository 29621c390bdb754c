// Opens the page of a running hub in headless Chromium at desktop and phone
// width, waits until live values are shown and change, opens a meter and its
// chart, and takes screenshots. It fails on any error in the browser's console.
//
//   node e2e/page.mjs URL FOLDER
//
// CHROMIUM names the browser's program; /usr/bin/chromium when it is not set.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [url, folder] = process.argv.slice(2);
if (!url || !folder) {
  console.error('usage: node e2e/page.mjs URL FOLDER');
  process.exit(2);
}
const PATIENCE = 60_000;
const VIEWS = [
  { name: 'desktop-zh-light', width: 1280, height: 900, locale: 'zh-CN', colorScheme: 'light' },
  { name: 'desktop-en-dark', width: 1280, height: 900, locale: 'en-GB', colorScheme: 'dark' },
  { name: 'phone-zh-dark', width: 390, height: 844, locale: 'zh-CN', colorScheme: 'dark', phone: true },
  { name: 'phone-en-light', width: 390, height: 844, locale: 'en-GB', colorScheme: 'light', phone: true },
];

/** Waits until read() answers something true in the page; says what was awaited. */
async function until(page, what, read, arg) {
  await page.waitForFunction(read, arg, { timeout: PATIENCE }).catch((err) => {
    throw new Error(`waited ${PATIENCE / 1000} s for ${what}: ${err.message}`);
  });
}

async function visit(browser, view, problems) {
  const context = await browser.newContext({
    viewport: { width: view.width, height: view.height }, locale: view.locale, colorScheme: view.colorScheme,
    hasTouch: Boolean(view.phone), deviceScaleFactor: view.phone ? 2 : 1,
  });
  const page = await context.newPage();
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') problems.push(`${view.name}: console: ${m.text()}`);
  });
  page.on('pageerror', (err) => problems.push(`${view.name}: ${err.message}`));
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== new URL(url).origin && !r.url().startsWith('blob:')) {
      problems.push(`${view.name}: asked another host: ${r.url()}`);
    }
  });
  const shoot = (name) => page.screenshot({ path: path.join(folder, `${view.name}-${name}.png`), fullPage: Boolean(view.phone) });

  await page.goto(url);
  await checkList(page, view, problems);
  await checkHealth(page, view, problems);
  await shoot('list');
  await checkMeter(page);
  await shoot('meter');
  await page.locator('#lang').click();
  await until(page, 'the other language', (zh) => document.documentElement.lang === (zh ? 'en' : 'zh-CN'), view.locale === 'zh-CN');
  await page.goBack();
  await until(page, 'the list after Back', () => document.querySelector('[data-meter]') !== null);
  await context.close();
}

async function checkList(page, view, problems) {
  await until(page, 'a live connection', () => document.querySelector('#connection')?.dataset.connection === 'live');
  await until(page, 'a meter with a value', () => document.querySelector('[data-meter] .value b') !== null);
  await until(page, 'points in the store', () => /[1-9]/.test(document.querySelector('[data-step=store] .sub')?.textContent ?? ''));
  const before = await page.evaluate(() => [...document.querySelectorAll('[data-step=store], [data-meter] .value')].map((e) => e.textContent).join());
  await until(page, 'a value to change', (old) => {
    const now = [...document.querySelectorAll('[data-step=store], [data-meter] .value')].map((e) => e.textContent).join();
    return now !== old;
  }, before);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problems.push(`${view.name}: the page is ${wide} px wider than the screen`);
}

/** Whatever the collectors tell of their meters' health is on the page. */
async function checkHealth(page, view, problems) {
  // The list follows the meters: what it held a moment ago may be gone.
  await until(page, 'the health of a meter', async () => {
    if (document.querySelector('[data-health] .rate b') !== null) return true;
    const collectors = await (await fetch('/api/v1/collectors')).json();
    return collectors.every((c) => c.health.length === 0);
  });
  const texts = await page.evaluate(() => [...document.querySelectorAll('[data-health] .rate b')].map((e) => e.textContent));
  for (const text of texts) {
    if (!/^(\d{1,3}(\.\d)?%|–)$/.test(text)) problems.push(`${view.name}: a success rate reads ${text}`);
  }
}

async function checkMeter(page) {
  await page.locator('[data-meter]:has(.value b) a').first().click();
  await until(page, 'a chart', () => Number(document.querySelector('.plot[data-points]')?.dataset.points) > 0 && document.querySelector('.plot canvas') !== null);
  await page.locator('#twin').click();
  await until(page, 'the table of the chart', () => document.querySelector('.twin tbody tr') !== null);
  await page.locator('#twin').locator('xpath=preceding-sibling::button').click();
  await until(page, 'the chart again', () => document.querySelector('.plot canvas') !== null);
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const problems = [];
try {
  for (const view of VIEWS) await visit(browser, view, problems).catch((err) => problems.push(`${view.name}: ${err.message}`));
} finally {
  await browser.close();
}
for (const p of problems) console.error(p);
console.log(problems.length === 0 ? `page: ${VIEWS.length} views good, screenshots in ${folder}` : `page: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
