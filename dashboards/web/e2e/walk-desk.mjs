// The reconciliation desk: yesterday's files, the run, a difference, a second and a third person, the statement.
//
//   SETTLEMENT=FOLDER PEOPLE=FILE PASSPHRASE=WORDS node e2e/walk-desk.mjs URL FOLDER
//
// SETTLEMENT is the demo's folder "settlement", with "yesterday" and "with-errors" in it. The first
// view does the day, the others look at what has become of it.
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { axe, contextOf, noOverflow, people, signIn, until, walk, watch } from './lib.mjs';

const fen = (yuan) => {
  const m = /^(-?)(\d+)\.(\d{2})$/.exec(yuan);
  if (!m) throw new Error(`no amount: ${yuan}`);
  return BigInt(m[1] + m[2] + m[3]);
};

/** The fen of an amount as the page writes it. */
const shownFen = (text) => fen(text.replaceAll(',', '').replace('\u2212', '-').replace('+', ''));

async function ask(context, url, question) {
  const answer = await context.request.get(`${url}/api/v1/ledger/${question}`);
  if (!answer.ok()) throw new Error(`${question}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}

async function openAs(browser, view, url, role, problems) {
  const context = await browser.newContext({ ...contextOf(view), acceptDownloads: true });
  if (!(await signIn(context, url, role))) throw new Error('the walk of the desk takes a hub with accounts');
  const page = await context.newPage();
  watch(page, url, `${view.name} ${role}`, problems);
  return { context, page };
}

async function at(page, url, hash) {
  await page.goto(`${url}/desk${hash}`);
  await until(page, `the desk at ${hash}`, () => document.querySelector('.desk') !== null && document.querySelector('.skeleton') === null);
}

/** Lets files fall on the page, as a person would. */
async function dropFiles(page, folder, names) {
  const files = await Promise.all(names.map(async (name) => ({ name, text: await readFile(path.join(folder, name), 'utf8') })));
  const data = await page.evaluateHandle((list) => {
    const d = new DataTransfer();
    for (const f of list) d.items.add(new File([f.text], f.name, { type: 'text/csv' }));
    return d;
  }, files);
  await page.dispatchEvent('.drop', 'dragover', { dataTransfer: data });
  await page.dispatchEvent('.drop', 'drop', { dataTransfer: data });
}

/** Drags files from outside over the view on screen and lets go, by the browser's own hand: what the page does not take, the browser opens. */
async function dragIn({ context, page, problems, view, shoot }, folder, names) {
  const hand = await context.newCDPSession(page);
  const data = { items: [], files: names.map((n) => path.resolve(folder, n)), dragOperationsMask: 1 };
  const move = (type) => hand.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  await move('dragEnter');
  await move('dragOver');
  await until(page, 'the hint while files are dragged', () => document.querySelector('.dropveil') !== null);
  await shoot(page, 'drag');
  await move('drop');
  await until(page, 'the import view after the drop', (n) => location.hash === '#import' && document.querySelectorAll('.upload').length === n, names.length);
  if ((await page.$('.dropveil')) !== null) problems.push(`${view.name}: the hint stays after the drop`);
  await hand.detach();
}

const settled = () => [...document.querySelectorAll('.upload')].every((e) => ['checked', 'imported', 'failed'].includes(e.dataset.stage));

async function importDay(w) {
  const { page, url, problems, shoot, view } = w;
  const root = process.env.SETTLEMENT;
  const [good, bad] = await Promise.all(['yesterday', 'with-errors'].map(async (n) => (await readdir(path.join(root, n))).sort()));
  await at(page, url, '#days');
  await dragIn(w, path.join(root, 'with-errors'), bad);
  await until(page, 'the check of the files with mistakes', (n) => document.querySelectorAll('.upload.wrong').length === n, bad.length);
  const lines = await page.$$eval('.upload .mistakes tbody th', (list) => list.map((e) => e.textContent));
  if (lines.length < 2 || lines.some((l) => !/^\d+$/.test(l))) problems.push(`${view.name}: mistakes are not told by line: ${lines}`);
  if ((await page.$('#import-all:enabled')) !== null) problems.push(`${view.name}: files with mistakes can be imported`);
  await shoot(page, 'errors');
  await axe(page, `${view.name} import`, problems);
  await page.setInputFiles('#files', good.map((n) => path.join(root, 'yesterday', n)));
  await until(page, 'the check of the good files', (n) => document.querySelectorAll('.upload.new').length === n, good.length);
  await page.click('#import-all');
  await until(page, 'the import', (n) => document.querySelectorAll('.upload[data-stage=imported]').length === n, good.length);
  await until(page, 'the end of it', settled);
  await shoot(page, 'imported');
  await dropFiles(page, path.join(root, 'yesterday'), good.slice(0, 1));
  await until(page, 'the file that comes twice', () => document.querySelectorAll('.upload.imported').length === 1);
  await at(page, url, '#days');
  await until(page, 'the days that wait for their run', () => document.querySelectorAll('.waits a.main').length === 3 && document.querySelector('.strip .cell.next') !== null);
  await axe(page, `${view.name} days that wait`, problems);
  await shoot(page, 'waits');
  await at(page, url, '#import');
  await page.click('#open-day');
  await until(page, 'the day of the files', () => document.querySelector('#run') !== null && document.querySelector('#run-all') !== null);
  await axe(page, `${view.name} day that waits`, problems);
  await shoot(page, 'not-run');
  return page.evaluate(() => new URLSearchParams(location.hash.split('?')[1]).get('day'));
}

/** Runs water by itself, then the others in order, and looks at each. */
async function runDays(w, day) {
  const { page, url } = w;
  await at(page, url, `#day?utility=water&day=${day}`);
  await page.click('#run');
  await ran(page, 'water');
  await until(page, 'the way to the next utility', () => /utility=power/.test(document.querySelector('#next-utility')?.getAttribute('href') ?? ''));
  await w.shoot(page, 'one-run');
  await page.click('#run-all');
  for (const utility of ['power', 'gas']) await ran(page, utility);
  await until(page, 'the end of what waits', () => document.querySelector('#run-all') === null && document.querySelector('#next-utility') === null);
  const runs = {};
  for (const utility of ['water', 'power', 'gas']) runs[utility] = (await lookAtDay(w, utility, day)).line.run.id;
  return runs;
}

const ran = (page, utility) => until(page, `the run of ${utility}`, (u) => document.querySelector(`.making[data-utility=${u}] .good`) !== null, utility);

async function lookAtDay({ page, context, url, problems, view, shoot }, utility, day) {
  await at(page, url, `#day?utility=${utility}&day=${day}`);
  await until(page, `the balance of ${utility}`, () => document.querySelector('.equation .left.ok') !== null);
  const d = await ask(context, url, `day?utility=${utility}&day=${day}`);
  const roll = (await (await context.request.get(`${url}/api/v1/ledger/runs/${d.line.run.id}/statement?format=json`)).json()).statement.purchases;
  const shown = await page.$$eval('.equation > div:not(.left) dd > .yuan', (list) => list.map((e) => e.textContent));
  const told = ['opening', 'sold', 'transferred', 'undone', 'loaded', 'closing'].map((k) => roll[k].amount);
  told.forEach((v, n) => {
    if (fen(v) !== shownFen(shown[n])) problems.push(`${view.name}: the page shows ${shown[n]}, the statement says ${v}`);
  });
  if (shownFen(shown[0]) + shownFen(shown[1]) + shownFen(shown[2]) - shownFen(shown[3]) - shownFen(shown[4]) !== shownFen(shown[5])) problems.push(`${view.name}: the equation does not add up: ${shown}`);
  await shoot(page, `day-${utility}`);
  return d;
}

/** Takes the step action of the difference that is open, with its first frequent reason. */
async function decide(page, action, shoot) {
  await page.click(`#act-${action}`);
  if (action === 'explain') await shoot(page, 'explain');
  await page.click('dialog .reasons button');
  await page.click('#decide-do');
  await until(page, `the step ${action}`, () => document.querySelector('dialog[open]') === null);
}

const linkOf = (key) => `#case?key=${encodeURIComponent(key)}`;

/** One difference from its finding to its end, by three people. */
async function threePeople(w, browser, item) {
  const { page, url, problems, view, shoot } = w;
  await at(page, url, linkOf(item.key));
  await axe(page, `${view.name} dossier`, problems);
  await decide(page, 'explain', shoot);
  if ((await page.$('#act-adjust')) !== null) problems.push(`${view.name}: a clerk is offered to adjust`);
  const refused = await w.context.request.post(`${url}/api/v1/ledger/decisions`, { data: { key: item.key, action: 'adjust', why: 'x', amount: '0.00' } });
  if (refused.status() !== 403) problems.push(`${view.name}: the hub lets a clerk adjust: ${refused.status()}`);
  for (const [role, action] of [['reviewer', 'adjust'], ['approver', 'close']]) {
    const other = await openAs(browser, view, url, role, problems);
    await at(other.page, url, linkOf(item.key));
    if ((await other.page.$('#act-explain')) !== null) problems.push(`${view.name}: a ${role} is offered to explain`);
    await decide(other.page, action, shoot);
    await until(other.page, `the state after ${action}`, (n) => document.querySelectorAll('.timeline li.decision').length >= n, action === 'adjust' ? 2 : 3);
    if (action === 'close') await shoot(other.page, 'settled');
    const again = await other.context.request.post(`${url}/api/v1/ledger/decisions`, { data: { key: item.key, action: 'close', why: 'x' } });
    if (again.status() < 400) problems.push(`${view.name}: the ${role} could close as well: ${again.status()}`);
    await other.context.close();
  }
}

async function list(w) {
  const { page, context, url, problems, view, shoot } = w;
  await at(page, url, '#work');
  await until(page, 'differences', () => document.querySelectorAll('.work tbody tr').length > 0);
  await noOverflow(page, `${view.name} list`, problems);
  await axe(page, `${view.name} list`, problems);
  await shoot(page, 'list');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  const here = await page.$$eval('.work tbody tr', (rows) => rows.findIndex((r) => r.classList.contains('here')));
  if (here !== 0) problems.push(`${view.name}: j, j, k lead to row ${here}`);
  const told = await ask(context, url, 'work?limit=1000');
  const net = told.rows.reduce((sum, r) => sum + fen(r.amount), 0n);
  const shown = shownFen(await page.$eval('#sum-net', (e) => e.textContent));
  if (shown !== net || told.total !== told.rows.length) problems.push(`${view.name}: the page sums to ${shown} fen, the differences to ${net}`);
  await exports(w, net, told.total);
  return told.rows;
}

/** The files hold just what the filter picks, to the fen. */
async function exports({ page, problems, view, folder }, net, total) {
  for (const format of ['csv', 'xlsx']) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(`#export-${format}`)]);
    const to = path.join(folder, `desk-${view.name}.${format}`);
    await file.saveAs(to);
    const bytes = readFileSync(to);
    if (format === 'xlsx') {
      if (bytes.subarray(0, 2).toString() !== 'PK') problems.push(`${view.name}: the workbook is none`);
      continue;
    }
    const text = bytes.toString('utf8');
    const amounts = text.split('\r\n').slice(1).filter(Boolean).map((line) => line.match(/("([^"]|"")*"|[^,]*)(,|$)/g)[6].replace(/,$/, ''));
    const sum = amounts.reduce((s, v) => s + fen(v), 0n);
    if (!text.startsWith('\ufeff') || sum !== net || amounts.length !== total) problems.push(`${view.name}: the CSV has ${amounts.length} rows of ${sum} fen, want ${total} of ${net}`);
  }
}

/** The statement on its own page, and on paper. */
async function statement({ context, url, problems, view, folder }, run) {
  const page = await context.newPage();
  await page.goto(`${url}/api/v1/ledger/runs/${run}/statement?format=html&lang=${view.locale.startsWith('zh') ? 'zh-CN' : 'en'}`);
  const text = await page.textContent('body');
  if (!/[0-9a-f]{64}/.test(text)) problems.push(`${view.name}: the statement shows no digest`);
  const pdf = await page.pdf({ path: path.join(folder, `desk-statement-${view.name}.pdf`), format: 'A4' });
  if (pdf.length < 5000) problems.push(`${view.name}: the statement on paper has ${pdf.length} bytes`);
  await page.close();
}

async function closeDay(browser, view, url, problems, shoot, day) {
  const { page, context } = await openAs(browser, view, url, 'approver', problems);
  await at(page, url, `#day?utility=gas&day=${day}`);
  await page.click('#close-day');
  await page.fill('dialog textarea', 'looked at with the clerk');
  await shoot(page, 'close');
  await page.click('#close-confirm');
  await until(page, 'the closed day', () => document.querySelector('.daystate.closed') !== null);
  const again = await context.request.post(`${url}/api/v1/ledger/day-closings`, { data: { utility: 'gas', day } });
  if (again.status() !== 409) problems.push(`${view.name}: a day is closed twice: ${again.status()}`);
  await context.close();
}

let done = null; // the day, once the first view has done it

await walk('desk', async ({ browser, view, url, problems, shoot, folder }) => {
  if (people().length === 0 || !process.env.SETTLEMENT) throw new Error('PEOPLE, PASSPHRASE and SETTLEMENT name the people and the files of the demo');
  const { context, page } = await openAs(browser, view, url, 'clerk', problems);
  const w = { browser, view, url, problems, shoot, folder, context, page };
  await at(page, url, '#days');
  await noOverflow(page, `${view.name} days`, problems);
  await axe(page, `${view.name} days`, problems);
  await shoot(page, 'days');
  if (done === null) {
    const day = await importDay(w);
    done = { day, runs: await runDays(w, day) };
    await closeDay(browser, view, url, problems, shoot, day);
  }
  await at(page, url, `#day?utility=power&day=${done.day}`);
  await until(page, 'the balance', () => document.querySelector('.equation .left') !== null);
  await page.click('.ledger li button');
  await until(page, 'the rows of a ledger', () => document.querySelectorAll('.rows tbody tr').length > 0);
  await page.click('.rows button.link');
  await until(page, 'the line of the file', () => document.querySelector('dialog pre.raw') !== null);
  await shoot(page, 'source');
  await page.keyboard.press('Escape');
  await noOverflow(page, `${view.name} day`, problems);
  await axe(page, `${view.name} day`, problems);
  await statement(w, done.runs.power);
  const rows = await list(w);
  const item = rows.find((r) => r.state === 'open' && r.amount !== '0.00') ?? rows.find((r) => r.state === 'open');
  if (!item) throw new Error('nothing is open: the demo should have differences');
  await threePeople(w, browser, item);
  await at(page, url, linkOf(item.key));
  await noOverflow(page, `${view.name} dossier`, problems);
  await shoot(page, 'dossier');
  await context.close();
});
