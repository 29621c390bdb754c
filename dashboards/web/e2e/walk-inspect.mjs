// Walks the inspector's page as on a phone: reports without network, survives a killed
// browser, loses answers on the way, and arrives exactly once.
//
//   node e2e/walk-inspect.mjs URL FOLDER
//
// PEOPLE and PASSPHRASE are those of the demo.
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { film, photo } from './camera.mjs';
import { PATIENCE, VIEWS, axe, contextOf, noOverflow, people, settled, signIn, until, watch } from './lib.mjs';

const [url, folder] = process.argv.slice(2);
if (!url || !folder) {
  console.error('usage: node e2e/walk-inspect.mjs URL FOLDER');
  process.exit(2);
}
const problems = [];
const views = [
  { ...VIEWS[0], name: 'phone-zh-light', width: 390, height: 844, phone: true },
  { ...VIEWS[1], name: 'desktop-en-dark', width: 1280, height: 800, phone: false },
  { ...VIEWS[2], looks: true }, // on a wall it is only looked at
];

/** Asks the hub as one of the sample people, by their token. */
async function as(role, method, address, body, department) {
  const who = people().find((p) => p.roles.length === 1 && p.roles[0] === role && p.token && (!department || p.department === department));
  if (!who) throw new Error(`people.json has nobody with the role ${role}`);
  const headers = { Authorization: `Bearer ${who.token}` };
  if (body) headers['Content-Type'] = 'application/json';
  const answer = await fetch(url + address, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${role}: ${method} ${address}: ${answer.status} ${text}`);
  return { ...JSON.parse(text), department: who.department };
}

function must(good, what) {
  if (!good) throw new Error(what);
}

/** One phone: a browser with a folder of its own, which outlives its process. */
class Phone {
  constructor(view, home, clip) {
    Object.assign(this, { view, home, clip, at: { longitude: 120, latitude: 30, accuracy: 8 } });
  }

  async start({ offline = false } = {}) {
    this.context = await chromium.launchPersistentContext(this.home, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', ...contextOf(this.view), offline,
      permissions: ['geolocation', 'camera'], geolocation: this.at, acceptDownloads: true, timeout: PATIENCE,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
        '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${this.clip}`],
    });
    this.context.setDefaultTimeout(PATIENCE);
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    // A network that is cut, and answers that are lost on purpose, are told in the console.
    watch(this.page, url, this.view.name, problems, (text) => /net::ERR_|status of (401|503)/.test(text));
  }

  async open(hash = '') {
    await this.page.goto(`${url}/inspect${hash}`);
    await this.page.waitForSelector('#unsent');
  }

  /** Ends the browser as a dead battery does: the process and all its children, at once. */
  async kill() {
    const closed = new Promise((done) => this.context.once('close', done));
    for (const pid of (await readdir('/proc')).filter((n) => /^\d+$/.test(n))) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      if (line.includes(`--user-data-dir=${this.home}`) && !line.includes('--type=')) process.kill(Number(pid), 'SIGKILL');
    }
    await closed;
    await rm(path.join(this.home, 'SingletonLock'), { force: true });
  }

  unsent() {
    return this.page.locator('#unsent').getAttribute('data-count').then(Number);
  }

  async look(what) {
    const name = `${this.view.name} ${what}`;
    await settled(this.page);
    await this.page.screenshot({ path: path.join(folder, `inspect-${what}-${this.view.name}.png`) });
    await noOverflow(this.page, name, problems);
    await axe(this.page, name, problems);
  }
}

/** Completes what is written; the page goes on to what waits. */
async function save(page) {
  await page.click('#save');
  await page.waitForSelector('#do-report');
}

/** All records of the phone, as they are kept. */
function records(page) {
  return page.evaluate(() => new Promise((done, failed) => {
    const open = indexedDB.open('citygrid-inspect');
    open.onerror = () => failed(open.error);
    open.onsuccess = () => {
      const all = open.result.transaction('records').objectStore('records').getAll();
      all.onsuccess = () => {
        done(all.result);
        open.result.close();
      };
    };
  }));
}

/** A report by camera, with two photos, while there is no network. */
async function report(phone, component, words) {
  const { page } = phone;
  await page.evaluate(() => (location.hash = '#report'));
  await page.click('#scan');
  await page.waitForSelector('#component');
  must((await page.textContent('#component')).includes(component.id), `the camera showed ${component.id}, the page has ${await page.textContent('#component')}`);
  must((await page.locator('.classes .chip[aria-pressed=true]').count()) === 1, 'no class was suggested by the component');
  for (const n of [1, 2]) {
    await page.setInputFiles('.take input', { name: `${n}.jpg`, mimeType: 'image/jpeg', buffer: await photo(page, n + words.length) });
    await page.waitForFunction((k) => document.querySelectorAll('.thumb img').length === k, n);
  }
  await page.fill('#description', words);
  await phone.look('report');
  await save(page);
  await until(page, 'the report to wait', () => document.querySelector('#unsent')?.getAttribute('data-count') === '1');
}

/** What the hub has of a report: one case with one entry that reports, and two photos. */
async function once(id, words, component) {
  const done = await as('acceptor', 'GET', `/api/v1/uploads/${id}`);
  const list = await as('acceptor', 'GET', `/api/v1/cases?component=${component.id}&limit=1000`);
  const mine = list.rows.filter((c) => c.description === words);
  must(mine.length === 1 && mine[0].id === done.case, `the hub has ${mine.length} cases of "${words}", want one`);
  const journal = Object.values(await as('acceptor', 'GET', `/api/v1/cases/${done.case}/journal`)).filter((e) => e && e.act === 'report');
  must(journal.length === 1 && journal[0].client_id === id, `the journal of ${done.case} has ${journal.length} reports`);
  const photos = journal[0].media ?? [];
  must(photos.length === 2 && photos[0].sm3 !== photos[1].sm3, `the report has ${photos.length} photos, want two`);
  must(journal[0].position?.crs === 'WGS84', 'the report does not say where the inspector stood');
  const token = people().find((p) => p.roles[0] === 'acceptor').token;
  for (const p of photos) {
    const bytes = Buffer.from(await (await fetch(`${url}/api/v1/media/${p.sm3}`, { headers: { Authorization: `Bearer ${token}` } })).arrayBuffer());
    must(bytes.length > 20_000 && !bytes.includes('Exif'), `photo ${p.sm3} of ${bytes.length} bytes still says where the camera was`);
  }
  return done.case;
}

/** Without network: open, report, write half of another, die, and come back. */
async function offline(phone, component, words) {
  const { page } = phone;
  await phone.context.setOffline(true);
  await page.evaluate(() => (location.hash = '#'));
  await page.reload();
  await page.waitForSelector('#do-report');
  await report(phone, component, words);
  await page.evaluate(() => (location.hash = '#report'));
  await page.fill('#description', 'half a sente');
  await page.locator('#description').pressSequentially('nce');
  await page.waitForSelector('#kept[data-kept=true]');
  await phone.kill();
  await phone.start({ offline: true });
  await phone.open();
  must((await phone.unsent()) === 1, 'the report did not survive the killed browser');
  await phone.page.waitForSelector('.today .line:has-text("half a sentence")');
  await phone.look('offline');
}

/** Network again, but the first answers are lost after the hub has stored the record. */
async function arrive(phone, component, words) {
  const { page, context } = phone;
  const { id } = (await records(page)).find((e) => e.state !== 'draft' && e.state !== 'sent');
  let tries = 0;
  let uploads = 0;
  await context.route('**/api/v1/reports/**', async (route) => {
    tries++;
    if (tries > 2) return route.continue();
    const stored = await route.fetch();
    must(stored.ok(), `the hub refused try ${tries}: ${stored.status()} ${await stored.text()}`);
    if (tries === 1) return route.abort('connectionreset');
    return route.fulfill({ status: 503, contentType: 'text/html', body: '<html>busy</html>' });
  });
  await context.route('**/api/v1/media/*', (route) => {
    if (route.request().method() === 'PUT' && ++uploads === 1) return route.abort('connectionreset');
    return route.continue();
  });
  // A browser keeps cookies for half a minute before it writes them: killed sooner, it has forgotten the session.
  await signIn(context, url, 'inspector');
  // Which case it has become is said once; it stands for some seconds.
  const told = page.waitForFunction(() => [...document.querySelectorAll('.toasts p')].map((p) => p.textContent).find((text) => /\d{3}/.test(text)), undefined, { timeout: 2 * PATIENCE }).then((h) => h.jsonValue());
  told.catch(() => undefined); // awaited below
  await context.setOffline(false);
  await until(page, 'the report to arrive', () => document.querySelector('#unsent')?.getAttribute('data-count') === '0');
  await context.unroute('**/api/v1/reports/**');
  await context.unroute('**/api/v1/media/*');
  must(tries === 3, `${tries} tries of the report, want three`);
  const number = await once(id, words, component);
  must((await told).includes(number), `the page said "${await told}" when case ${number} had arrived`);
  await page.evaluate(() => (location.hash = '#records'));
  await page.waitForSelector(`.record[data-case="${number}"][data-state=sent]`);
  await phone.look('records');
}

/** Somebody of the public reports something; the acceptor sends the inspector. */
async function toVerify(inspector, component, words) {
  const made = await as('acceptor', 'POST', '/api/v1/cases', { report: { source: 'hotline', class: component.class, component: component.id, description: words } });
  await as('acceptor', 'POST', `/api/v1/cases/${made.case}/acts`, { act: 'send_verify', inspector, text: 'have a look' });
  return made.case;
}

/** A case on its way from the verification to the check. */
async function toCheck(id, inspector) {
  const act = (role, body, department) => as(role, 'POST', `/api/v1/cases/${id}/acts`, body, department);
  await act('acceptor', { act: 'accept' });
  await act('shift_leader', { act: 'file', filing: { condition: 'missing' } });
  const { department } = people().find((p) => p.roles.length === 1 && p.roles[0] === 'department' && p.token);
  await act('dispatcher', { act: 'dispatch', departments: [department] });
  await act('department', { act: 'take' }, department);
  await act('department', { act: 'feed_back', text: 'new cover set' }, department);
  await act('acceptor', { act: 'send_check', inspector });
}

/** Opens a task that the hub has just made: it comes by itself, or when its reader asks for it. */
async function open({ page }, kind, id, asked = false) {
  await page.evaluate(() => (location.hash = '#'));
  if (asked) await page.click('#refresh');
  await page.click(`a[href="#task/${kind}/${id}"]`);
}

/** Answers a task with a photo and waits until the hub has it. */
async function answer(phone, kind, id, state) {
  const { page } = phone;
  await open(phone, kind, id, kind === 'check');
  await page.click('#answer-yes');
  await page.setInputFiles('.take input', { name: 'now.jpg', mimeType: 'image/jpeg', buffer: await photo(page, kind.length * 31) });
  await page.waitForSelector('.thumb img');
  must((await page.locator('#far').count()) === 0, `${kind}: a reason is asked of somebody who stands there`);
  await phone.look(kind);
  await save(page);
  await until(page, `the ${kind} to arrive`, () => document.querySelector('#unsent')?.getAttribute('data-count') === '0');
  const now = await as('acceptor', 'GET', `/api/v1/cases/${id}`);
  must(now.state === state, `case ${id} is ${now.state} after the ${kind}, want ${state}`);
}

/** Far from the place an answer needs a reason. */
async function far(phone, id) {
  const { page, context, at } = phone;
  await context.setGeolocation({ ...at, latitude: at.latitude + 0.002 });
  await open(phone, 'verify', id);
  await page.waitForSelector('#far');
  await page.click('#answer-yes');
  await page.click('#save');
  await page.waitForSelector('.finish .problem');
  const first = await page.evaluate(() => {
    const field = document.querySelector('#far');
    const { top, bottom } = field.getBoundingClientRect();
    const label = document.querySelector('label[for=far]').textContent;
    return { marked: field.getAttribute('aria-invalid'), focused: document.activeElement === field, named: document.querySelector('#lacks').textContent.includes(label), seen: top >= 0 && bottom <= document.querySelector('.finish').getBoundingClientRect().top };
  });
  must(first.marked === 'true' && first.focused && first.named && first.seen, `the field that is missing is not led to: ${JSON.stringify(first)}`);
  await phone.look('missing');
  await context.setGeolocation(at);
  await page.waitForSelector('#far', { state: 'detached' });
}

/** The session ends: the work goes on, and goes once its author is back. */
async function away(phone, words) {
  const { page, context } = phone;
  await context.clearCookies();
  await page.evaluate(() => (location.hash = '#report'));
  await page.click('#type');
  await page.fill('#code', phone.component.id.slice(0, -1));
  must(await page.locator('#code-note.bad').isVisible(), 'a digit too few is not told');
  await page.fill('#code', phone.component.id);
  await page.click('#take');
  await page.fill('#description', words);
  await save(page);
  await page.evaluate(() => (location.hash = '#records'));
  await page.waitForSelector('.record[data-state=held]');
  await page.waitForSelector('#away');
  await phone.look('signed-out');
  const [file] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
  const exported = JSON.parse(await readFile(await file.path(), 'utf8'));
  must(exported.records.some((e) => e.report?.description === words), 'the export lacks the unsent record');
  await signIn(context, url, 'inspector');
  await page.evaluate(() => (location.hash = '#'));
  await page.reload();
  await until(page, 'the held report to arrive', () => document.querySelector('#unsent')?.getAttribute('data-count') === '0');
}

/** Somebody who has not signed in sees that they only look around, and nobody's name. */
async function tour(phone, name) {
  const { page, context } = phone;
  const { state } = await (await context.request.get(`${url}/api/v1/session`)).json();
  if (state !== 'tour') return; // this hub shows nothing to strangers
  await page.goto(`${url}/inspect`);
  await page.waitForSelector('#touring');
  await page.waitForSelector('#tasks li');
  const head = await page.textContent('.head');
  must((await page.locator('#unsent').count()) === 0 && !head.includes(name), `a visitor is shown as somebody who works here: ${head}`);
  await phone.look('tour');
}

/** Draws the other views, and what a browser asks of a page that it installs. */
async function looks(phone) {
  const { page } = phone;
  for (const view of ['today', 'map', 'more']) {
    await page.evaluate((to) => (location.hash = to), `#${view}`);
    await page.waitForSelector(view === 'today' ? '#do-report' : `.inspect .${view === 'map' ? 'roundmap' : 'more'}`);
    await phone.look(view);
  }
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector('link[rel=manifest]').href;
    const m = await (await fetch(link)).json();
    const sizes = await Promise.all(m.icons.map(async (i) => {
      const bitmap = i.type === 'image/png' ? await createImageBitmap(await (await fetch(new URL(i.src, link))).blob()) : null;
      return bitmap === null || `${bitmap.width}x${bitmap.height}` === i.sizes;
    }));
    return { ...m, sizes };
  });
  must(manifest.start_url === '/inspect' && manifest.display === 'standalone' && manifest.sizes.every(Boolean), `the manifest does not let the page be installed: ${JSON.stringify(manifest)}`);
  const small = await page.evaluate(() => [...document.querySelectorAll('.inspect button, .inspect .bar a, .inspect select')].filter((b) => b.offsetParent && b.getBoundingClientRect().height < 44).map((b) => b.textContent));
  must(small.length === 0, `buttons that a thumb misses: ${small.join(', ')}`);
}

async function visit(view, home) {
  const token = people().find((p) => p.roles.length === 1 && p.roles[0] === 'inspector')?.token;
  must(token, 'people.json has no inspector; PEOPLE names it');
  const catalogue = await (await fetch(`${url}/api/v1/inspect/catalogue`, { headers: { Authorization: `Bearer ${token}` } })).json();
  const component = catalogue.components.find((c) => c.at && /^\d{16,17}$/.test(c.id));
  const clip = path.join(home, 'camera.y4m');
  await film(clip, `https://city.example/component/${component.id}`);
  const phone = new Phone(view, path.join(home, 'profile'), clip);
  phone.component = component;
  phone.at = { longitude: component.at[0] + 0.00005, latitude: component.at[1], accuracy: 8 };
  const words = `walk ${view.name} ${Date.now()}`;
  await phone.start();
  try {
    await tour(phone, catalogue.person.name);
    must(await signIn(phone.context, url, 'inspector'), 'the hub has no accounts: the inspector cannot sign in');
    await phone.open();
    await phone.page.waitForSelector('#tasks');
    await phone.page.evaluate(async () => void (await navigator.serviceWorker.ready));
    await until(phone.page, 'the service worker to take over', () => navigator.serviceWorker.controller !== null);
    await looks(phone);
    if (view.looks) return;
    await offline(phone, component, words);
    await arrive(phone, component, words);
    const id = await toVerify(catalogue.person.id, component, `${words} verify`);
    await far(phone, await toVerify(catalogue.person.id, component, `${words} far`));
    await answer(phone, 'verify', id, 'verified');
    await toCheck(id, catalogue.person.id);
    await answer(phone, 'check', id, 'checked');
    await as('shift_leader', 'POST', `/api/v1/cases/${id}/acts`, { act: 'close' });
    await away(phone, `${words} away`);
  } catch (err) {
    const held = await records(phone.page).catch(() => []);
    for (const e of held) problems.push(`${view.name}: record ${e.id}: ${e.state}, ${e.tries} tries, due in ${e.due - Date.now()} ms, ${JSON.stringify(e.trouble ?? e.done ?? '')}`);
    await phone.page.screenshot({ path: path.join(folder, `inspect-failed-${view.name}.png`) }).catch(() => undefined);
    throw err;
  } finally {
    await phone.context.close().catch(() => undefined);
  }
}

await mkdir(folder, { recursive: true });
for (const view of views) {
  const home = await mkdtemp(path.join(tmpdir(), 'citygrid-phone-'));
  await visit(view, home).catch((err) => problems.push(`${view.name}: ${err.stack}`));
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
}
for (const p of problems) console.error(p);
console.log(problems.length === 0 ? `inspect: ${views.length} views good, screenshots in ${folder}` : `inspect: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
