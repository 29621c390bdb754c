// What the walks share: a browser, the sizes of screens, and what must never happen on any page.
//
//   node e2e/walk-NAME.mjs URL FOLDER
//
// CHROMIUM names the browser's program (/usr/bin/chromium), PEOPLE a file with the sample people
// (people.json of the demo), PASSPHRASE what they sign in with.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

/** How long a step may take before the walk gives up: long, because machines of tests are busy. */
export const PATIENCE = 60_000;

/** The sizes, languages and colours in which every workplace is walked. */
export const VIEWS = [
  { name: 'desktop-zh-light', width: 1280, height: 800, locale: 'zh-CN', colorScheme: 'light' },
  { name: 'phone-en-dark', width: 390, height: 844, locale: 'en-GB', colorScheme: 'dark', phone: true },
  { name: 'wall-en-light', width: 1920, height: 1080, locale: 'en-GB', colorScheme: 'light' },
];

/** Starts the browser. */
export function launch(args = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args],
  });
}

/** What a context of this view is made with. */
export function contextOf(view) {
  return {
    viewport: { width: view.width, height: view.height }, locale: view.locale, colorScheme: view.colorScheme,
    hasTouch: Boolean(view.phone), isMobile: Boolean(view.phone), deviceScaleFactor: view.phone ? 2 : 1,
  };
}

/** Waits until read(arg) answers something true in the page; says what was awaited. */
export async function until(page, what, read, arg) {
  await page.waitForFunction(read, arg, { timeout: PATIENCE }).catch((err) => {
    throw new Error(`waited ${PATIENCE / 1000} s for ${what}: ${err.message}`);
  });
}

/** Waits until fonts are there, what changes colour or place over a moment is done, and two frames were drawn. */
export async function settled(page) {
  await page.evaluate(async () => {
    await document.fonts.ready;
    const endless = (a) => a.effect?.getTiming().iterations === Infinity;
    await Promise.allSettled(document.getAnimations().filter((a) => !endless(a)).map((a) => a.finished));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  });
}

/** Notes console errors, script errors and questions to other hosts in problems. expected(text) forgives some. */
export function watch(page, url, name, problems, expected = () => false) {
  page.on('console', (m) => {
    if ((m.type() === 'error' || m.type() === 'warning') && !expected(m.text())) problems.push(`${name}: console: ${m.text()}`);
  });
  page.on('pageerror', (err) => problems.push(`${name}: ${err.message}`));
  page.on('request', (r) => {
    const to = new URL(r.url());
    if (to.protocol.startsWith('http') && to.origin !== new URL(url).origin) problems.push(`${name}: asked another host: ${r.url()}`);
  });
}

/** Notes whatever makes the page wider than the screen. */
export async function noOverflow(page, name, problems) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problems.push(`${name}: the page is ${wide} px wider than the screen`);
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Notes the serious and critical findings of axe-core. */
export async function axe(page, name, problems) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.map((v) => ({ id: v.id, impact: v.impact, nodes: v.nodes.map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).slice(0, 3) }));
  });
  for (const v of found) {
    if (v.impact === 'serious' || v.impact === 'critical') problems.push(`${name}: axe: ${v.id} (${v.impact}): ${v.nodes.join(' | ')}`);
  }
}

/** The sample people: [{id, roles, department, token}]. */
export function people() {
  return process.env.PEOPLE ? JSON.parse(readFileSync(process.env.PEOPLE, 'utf8')) : [];
}

/** Signs the context in as somebody with role; true when the hub has accounts. */
export async function signIn(context, url, role, department) {
  const { state } = await (await context.request.get(`${url}/api/v1/session`)).json();
  if (state === 'open') return false;
  // The demo's sample people have one role each, and only they have a password.
  const who = people().find((p) => p.roles.length === 1 && p.roles[0] === role && p.signs_in !== false && (!department || p.department === department));
  if (!who) throw new Error(`there is no sample person with the role ${role}; PEOPLE names people.json of the demo`);
  const answer = await context.request.post(`${url}/api/v1/session`, { data: { name: who.id, password: process.env.PASSPHRASE ?? '' } });
  if (!answer.ok()) throw new Error(`sign in as ${who.id}: ${answer.status()} ${await answer.text()}`);
  return true;
}

/** Runs the walk in each view, tells what was wrong, and sets the exit code. */
export async function walk(name, visit, { views = VIEWS, args = [] } = {}) {
  const [url, folder] = process.argv.slice(2);
  if (!url || !folder) {
    console.error(`usage: node e2e/walk-${name}.mjs URL FOLDER`);
    process.exit(2);
  }
  await mkdir(folder, { recursive: true });
  const problems = [];
  const browser = await launch(args);
  try {
    for (const view of views) {
      const shoot = (page, what) => page.screenshot({ path: path.join(folder, `${name}-${what}-${view.name}.png`) });
      await visit({ browser, view, url, problems, shoot, folder }).catch((err) => problems.push(`${view.name}: ${err.stack}`));
    }
  } finally {
    await browser.close();
  }
  for (const p of problems) console.error(p);
  console.log(problems.length === 0 ? `${name}: ${views.length} views good, screenshots in ${folder}` : `${name}: ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
