// Takes a picture of each page, light and dark, on a desk, a wall and a phone.
//
//   make screenshots                             into screenshots/
//   node e2e/screenshots.mjs URL FOLDER [NAME]   of a running demo (see lib.mjs for what it needs)
//
// NAME takes only the pictures whose name begins so.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { contextOf, launch, signIn, until, watch } from './lib.mjs';

const [url, folder, only = ''] = process.argv.slice(2);
if (!url || !folder) {
  console.error('usage: node e2e/screenshots.mjs URL FOLDER [NAME]');
  process.exit(2);
}

const DESK = { width: 1280, height: 800 };
const WALL = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844, phone: true };

/** The first of a list of the API as somebody signed in, or undefined. */
const first = async (page, address, list) => page.evaluate(async ([a, l]) => (await (await fetch(a)).json())[l]?.[0], [address, list]);

const PAGES = [
  { name: 'signin', at: '/signin', as: '', sizes: [DESK, PHONE] },
  { name: 'meters', at: '/meters', as: 'dispatcher', sizes: [DESK, PHONE] },
  { name: 'meter', at: async (p) => `/meters#meter=${(await first(p, '/api/v1/meters?limit=1', 'rows')).id}`, as: 'dispatcher', sizes: [DESK, PHONE] },
  { name: 'cases', at: '/cases', as: 'dispatcher', sizes: [DESK, PHONE] },
  { name: 'case', at: async (p) => `/cases#case=${(await first(p, '/api/v1/cases?limit=1', 'rows')).id}`, as: 'dispatcher', sizes: [DESK, PHONE] },
  { name: 'desk', at: '/desk', as: 'clerk', sizes: [DESK, PHONE] },
  { name: 'inspect', at: '/inspect', as: 'inspector', sizes: [PHONE] },
  { name: 'admin', at: '/admin', as: 'admin', sizes: [DESK, PHONE] },
  { name: 'city', at: '/', as: 'dispatcher', sizes: [DESK, PHONE] },
  { name: 'wall', at: '/#wall=1', as: 'dispatcher', sizes: [WALL] },
];

/** Waits until nothing is being read any more. */
const settled = (page) => until(page, 'the page to have its data', () => {
  const main = document.querySelector('main');
  return main !== null && main.textContent.trim().length > 20 && document.querySelector('.skeleton, [aria-busy=true]') === null;
});

const kept = new Map(); // cookies by role: signing in is slow on purpose

/** A context of somebody with the role. */
async function contextAs(browser, role, options) {
  const context = await browser.newContext({ ...options, ...(kept.has(role) ? { storageState: kept.get(role) } : {}) });
  if (role && !kept.has(role)) {
    await signIn(context, url, role);
    kept.set(role, await context.storageState());
  }
  return context;
}

async function shoot(browser, one, size, colorScheme, locale, problems) {
  const name = `${one.name}-${size.width}-${locale.slice(0, 2)}-${colorScheme}`;
  const context = await contextAs(browser, one.as, contextOf({ ...size, colorScheme, locale }));
  try {
    const page = await context.newPage();
    watch(page, url, name, problems);
    await page.goto(url + (typeof one.at === 'string' ? one.at : '/meters'));
    if (typeof one.at !== 'string') {
      await page.goto(url + (await one.at(page)));
      await page.reload();
    }
    await settled(page);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 800)))); // charts and map have drawn
    await page.screenshot({ path: path.join(folder, `${name}.png`) });
  } finally {
    await context.close();
  }
}

await mkdir(folder, { recursive: true });
const browser = await launch();
const problems = [];
let taken = 0;
try {
  for (const one of PAGES.filter((p) => p.name.startsWith(only))) {
    for (const size of one.sizes) {
      for (const [colorScheme, locale] of [['light', 'zh-CN'], ['dark', 'en-GB']]) {
        await shoot(browser, one, size, colorScheme, locale, problems).then(() => taken++, (err) => problems.push(`${one.name}: ${err.message}`));
      }
    }
  }
} finally {
  await browser.close();
}
for (const p of problems) console.error(p);
console.log(`${taken} pictures in ${folder}, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
