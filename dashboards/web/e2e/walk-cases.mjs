// Walks the cases: a report of the public and a leak that a sensor found go from inbox to inbox
// until they are closed, each person at a browser of their own; a return and an extension with
// approval, somebody who was faster, a bulk dispatch, the hint at a duplicate, photos, print,
// indicators, and what a tour may look at.
//
//   PEOPLE=people.json PASSPHRASE=... node e2e/walk-cases.mjs URL FOLDER
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { axe, contextOf, noOverflow, people, PATIENCE, settled, until, VIEWS, walk, watch } from './lib.mjs';

const refused = (text) => /status of (401|403|404|409|412|422)/.test(text);

/** Signs in as the sample person who has this role and no other, and says who that is. */
async function come(context, url, role, department) {
  const who = people().find((p) => p.roles.length === 1 && p.roles[0] === role && (!department || p.department === department));
  if (!who) throw new Error(`there is no sample person with the role ${role} alone; PEOPLE names people.json of the demo`);
  const answer = await context.request.post(`${url}/api/v1/session`, { data: { name: who.id, password: process.env.PASSPHRASE ?? '' } });
  if (!answer.ok()) throw new Error(`sign in as ${who.id}: ${answer.status()} ${await answer.text()}`);
  return who.id;
}

/** Somebody with a role at a browser of their own; without a role a visitor. */
async function enter(t, role, department) {
  const context = await t.browser.newContext({ ...contextOf(t.view), acceptDownloads: true });
  context.setDefaultTimeout(PATIENCE);
  const id = role ? await come(context, t.url, role, department) : '';
  const page = await context.newPage();
  watch(page, t.url, `${t.view.name} ${role ?? 'visitor'}`, t.problems, refused);
  const call = async (method, to, data) => {
    const answer = await context.request.fetch(`${t.url}/api/v1/${to}`, { method, ...(data ? { data } : {}) });
    const body = await answer.json().catch(() => null);
    return { status: answer.status(), body };
  };
  return { context, page, id, call, go: (hash) => page.goto(`${t.url}/cases${hash}`).then(() => settled(page)) };
}

async function check(t, who, what) {
  await settled(who.page);
  await noOverflow(who.page, `${t.view.name} ${what}`, t.problems);
  await axe(who.page, `${t.view.name} ${what}`, t.problems);
  await t.shoot(who.page, what);
}

/** Opens a case and waits until the page shows it with so many entries at least. */
async function open(who, id, entries = 1) {
  await who.go(`#case=${id}`);
  await who.page.reload();
  await until(who.page, `case ${id} with ${entries} entries`, (n) => Number(document.querySelector('.sheet')?.dataset.entries) >= n, entries);
}

const state = (page) => page.locator('.sheet').getAttribute('data-state');

/** Does an act by its form: fill(form) types what it needs. */
async function act(who, id, name, fill = async () => {}) {
  await open(who, id);
  await who.page.click(`[data-act=${name}]`);
  const form = who.page.locator('.actform');
  await form.waitFor();
  await fill(form);
  await form.locator('button[type=submit]').click();
  await form.waitFor({ state: 'detached' });
}

const reason = (text) => (form) => form.locator('textarea').first().fill(text);

/** The inspector who is sent is the one that has signed in. */
const send = (id) => (form) => form.locator('select').first().selectOption(id);

/** A manhole cover of a department, with a position; the limits file has its class. */
async function component(who, department, skip) {
  const { body } = await who.call('GET', `components?department=${department}&class=${encodeURIComponent('CJ/T 214-2007:component:0101')}&limit=200`);
  const list = body.rows.filter((c) => c.position && c.cell && c.authority === department);
  return list[skip % list.length];
}

/** A photo: a PNG of one colour [PNG 5]. */
function photo(name, red, green, blue) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  const [width, height] = [320, 240];
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([red, green, blue]))]);
  const buffer = Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(Array(height).fill(row)))), chunk('IEND', Buffer.alloc(0))]);
  return { name, mimeType: 'image/png', buffer };
}

/** Adds a photo to a form and waits until the hub has it. */
async function addPhoto(form, file) {
  await form.locator('input[type=file]').setInputFiles(file);
  await form.locator('.uploads li[data-done=true]').waitFor();
}

/** Takes a case down as the acceptor does at the telephone. */
async function report(t, who, thing, text) {
  await who.go('#new=1');
  const { page } = who;
  await page.locator('.newcase').waitFor();
  await page.locator('#place-take').locator('xpath=preceding-sibling::input').fill(thing.id);
  await page.click('#place-take');
  await page.locator('.chosen .tag').first().waitFor();
  await page.locator('.smallmap .here').waitFor();
  await page.locator('.newcase textarea').first().fill(text);
  return page;
}

async function save(page) {
  await page.locator('.submit .main').click();
  await page.waitForURL(/#case=/);
  await page.locator('.sheet').waitFor();
  return new URLSearchParams(new URL(page.url()).hash.slice(1)).get('case');
}

/** A whole life by the pages alone. */
async function life(t, staff) {
  const { acceptor, leader, dispatcher, department, inspector } = staff;
  const thing = await component(acceptor, 'D01', Date.now() % 150);
  let page = await report(t, acceptor, thing, 'Water comes out beside the lid');
  await check(t, acceptor, 'new');
  const id = await save(page);

  // The same again: the hint is there before it is saved, and the act that makes it a duplicate after.
  page = await report(t, acceptor, thing, 'Somebody else reports the same');
  await page.locator('.similar li').first().waitFor();
  await t.shoot(page, 'duplicate-hint');
  const twin = await save(page);
  await page.locator(`[data-duplicate="${id}"]`).click();
  await page.locator('.actform').waitFor();
  await page.locator('.actform button[type=submit]').click();
  await until(page, 'the duplicate to be rejected', () => document.querySelector('.sheet')?.dataset.state === 'rejected');

  // Nothing is lost at a refusal: a needed field that is empty is named where it is.
  await open(acceptor, id);
  await acceptor.page.click('[data-act=send_verify]');
  await acceptor.page.locator('.actform button[type=submit]').click();
  await acceptor.page.locator('.actform .field.wrong').waitFor();
  await acceptor.page.keyboard.press('Escape');
  await act(acceptor, id, 'send_verify', send(inspector.id));
  await act(inspector, id, 'answer_verify', async (form) => {
    await form.locator('input[value=yes]').check();
    await addPhoto(form, photo('before.png', 60, 90, 160));
  });
  await act(acceptor, id, 'accept');
  await act(leader, id, 'file', async (form) => {
    const first = await form.locator('datalist option').first().getAttribute('value'); // the limits file has it, so there is a limit
    await form.locator('input').first().fill(first);
  });

  // The inbox of the dispatcher has it; the department of the component is proposed.
  await dispatcher.go('#tab=filed');
  await dispatcher.page.locator(`[data-case="${id}"]`).waitFor();
  await check(t, dispatcher, 'inbox');
  await act(dispatcher, id, 'dispatch', async (form) => {
    if (!(await form.locator('input[value=D01]').isChecked())) t.problems.push('the department of the component was not proposed');
  });

  // Taken, given back with approval, sent out again.
  await act(department, id, 'take');
  await act(department, id, 'ask_return', reason('not ours'));
  await act(dispatcher, id, 'approve');
  await act(dispatcher, id, 'dispatch');
  await act(department, id, 'take');

  // More time, with approval; meanwhile somebody else is faster with a note.
  await act(department, id, 'ask_extension', async (form) => {
    await form.locator('input').first().fill('2');
    await form.locator('textarea').first().fill('the pipe is deep');
  });
  await open(dispatcher, id);
  await dispatcher.page.click('[data-act=note]');
  await dispatcher.page.locator('.actform textarea').fill('typed before the other note came');
  await department.call('POST', `cases/${id}/acts`, { act: 'note', text: 'we are on site' });
  await dispatcher.page.locator('.actform button[type=submit]').click();
  await dispatcher.page.locator('.meanwhile').waitFor();
  await t.shoot(dispatcher.page, 'meanwhile');
  const kept = await dispatcher.page.locator('.actform textarea').inputValue();
  if (kept !== 'typed before the other note came') t.problems.push(`what was typed was lost at the refusal: ${kept}`);
  await dispatcher.page.locator('.actform button[type=submit]').click();
  await dispatcher.page.locator('.actform').waitFor({ state: 'detached' });
  await act(dispatcher, id, 'approve');
  await open(department, id);
  if (!(await department.page.locator('.marks [data-kind=extended]').count())) t.problems.push('the extension does not show in the limits');

  await act(department, id, 'feed_back', async (form) => {
    await form.locator('textarea').first().fill('new seal, dry');
    await addPhoto(form, photo('after.png', 90, 140, 90));
  });
  await act(acceptor, id, 'send_check', send(inspector.id));
  await act(inspector, id, 'answer_check', (form) => form.locator('input[value=yes]').check());
  await act(leader, id, 'close');
  await until(leader.page, 'the end', () => document.querySelector('.sheet')?.dataset.state === 'closed');
  await check(t, leader, 'case');
  await viewer(t, leader);
  await leader.page.emulateMedia({ media: 'print' });
  await leader.page.screenshot({ path: path.join(t.folder, `cases-print-${t.view.name}.png`), fullPage: true });
  await leader.page.pdf({ path: path.join(t.folder, `cases-print-${t.view.name}.pdf`), preferCSSPageSize: true });
  await leader.page.emulateMedia({ media: 'screen' });
  return { id, twin };
}

/** The photos of an open case: larger, turned, side by side, by keys. */
async function viewer(t, who) {
  const { page } = who;
  await page.locator('.shot').last().click();
  const stage = page.locator('dialog.viewer figure');
  await stage.first().waitFor();
  await page.keyboard.press('+');
  await until(page, 'a larger picture', () => Number(document.querySelector('dialog.viewer figure')?.dataset.zoom) > 1);
  await page.keyboard.press('r');
  await until(page, 'a turned picture', () => document.querySelector('dialog.viewer figure')?.dataset.turn === '90');
  await page.keyboard.press('0');
  await page.keyboard.press('b');
  await until(page, 'two pictures side by side', () => document.querySelectorAll('dialog.viewer figure').length === 2);
  await t.shoot(page, 'viewer');
  const broken = await page.evaluate(() => [...document.querySelectorAll('dialog.viewer img')].filter((i) => i.complete && i.naturalWidth === 0).length);
  if (broken) t.problems.push(`${broken} pictures are broken and do not say so`);
  await page.keyboard.press('Escape');
  await page.locator('dialog.viewer').waitFor({ state: 'detached' });
}

/** The case that a sensor's event made: its event and its meter are named. */
async function sensor(t, staff) {
  const { dispatcher } = staff;
  for (const end = Date.now() + 2 * PATIENCE; ; ) {
    const { body } = await dispatcher.call('GET', 'cases?source=sensor&limit=20');
    const found = body.rows.find((c) => c.event);
    if (found) {
      await open(dispatcher, found.id);
      await dispatcher.page.locator('.events li').first().waitFor();
      await dispatcher.page.locator('.events a[href^="/meters#meter="]').first().waitFor();
      await t.shoot(dispatcher.page, 'sensor');
      return found.id;
    }
    if (Date.now() > end) throw new Error('no sensor has reported anything');
    await new Promise((done) => setTimeout(done, 2000));
  }
}

/** Two cases filed by the API go out together; a third that is not filed is told so by the bar. */
async function bulk(t, staff) {
  const { acceptor, leader, dispatcher, department } = staff;
  const ids = [];
  for (const n of [1, 2]) {
    const thing = await component(acceptor, 'D01', (Date.now() + 7 * n) % 150);
    const made = await acceptor.call('POST', 'cases', { report: { source: 'video', class: thing.class, component: thing.id, description: `bulk ${n}`, condition: '问题属实' } });
    const id = made.body.case;
    await acceptor.call('POST', `cases/${id}/acts`, { act: 'accept' });
    const filed = await leader.call('POST', `cases/${id}/acts`, { act: 'file' });
    if (filed.status !== 201) t.problems.push(`file ${id}: ${JSON.stringify(filed.body)}`);
    ids.push(id);
  }
  const { page } = dispatcher;
  await dispatcher.go('#tab=filed&q=bulk');
  await page.reload();
  for (const id of ids) await page.locator(`[data-case="${id}"] input[type=checkbox]`).check();
  await page.click('[data-bulk=dispatch]');
  await page.locator('dialog[open]').waitFor();
  await check(t, dispatcher, 'bulk');
  await page.click('#bulk-go');
  await page.locator('dialog .results li').nth(1).waitFor();
  if (await page.locator('dialog .results .bad').count()) t.problems.push(`bulk dispatch: ${await page.locator('dialog .results').innerText()}`);
  await page.keyboard.press('Escape');
  await department.go('#tab=dispatched&q=bulk');
  await department.page.reload();
  for (const id of ids) await department.page.locator(`[data-case="${id}"]`).waitFor();
}

/** Keys: down, select, open, back; and the list of keys. */
async function keyboard(t, who) {
  const { page } = who;
  await who.go('#tab=open');
  await page.reload();
  await page.locator('[data-case]').nth(1).waitFor();
  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.locator('.bulkbar').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForURL(/case=/);
  await page.locator('.sheet').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.inbox').waitFor();
}

async function indicators(t, who) {
  await who.go('#indicators=1&by=department');
  await who.page.locator('.indicators table, .indicators .empty').first().waitFor();
  await check(t, who, 'indicators');
  const [file] = await Promise.all([who.page.waitForEvent('download'), who.page.click('#csv')]);
  const text = await readFile(await file.path(), 'utf8');
  if (!text.startsWith('\ufeff')) t.problems.push('the CSV of the indicators has no byte order mark');
}

/** What a role may not do is not shown, and is refused by the hub. */
async function bounds(t, staff, id) {
  const { department, leader } = staff;
  await open(department, id);
  for (const name of ['close', 'file', 'dispatch']) if (await department.page.locator(`[data-act=${name}]`).count()) t.problems.push(`a department is offered ${name}`);
  const other = await department.call('POST', `cases/${id}/acts`, { act: 'close' });
  if (other.status !== 403) t.problems.push(`a department closes: ${other.status}`);
  if ((await leader.call('GET', 'inbox?role=dispatcher')).status !== 403) t.problems.push('a shift leader has the inbox of a dispatcher');
  const session = await (await leader.page.request.get(`${t.url}/api/v1/session`)).json();
  if (session.state !== 'signed_in') return;
  const visitor = await enter(t);
  const looks = await (await visitor.context.request.get(`${t.url}/api/v1/session`)).json();
  if (looks.state === 'tour') {
    await visitor.go('');
    await visitor.page.locator('.inbox').waitFor();
    const { body } = await visitor.call('GET', 'cases?open=true&state=reported,filed,handling&limit=1');
    if (body.rows.length) {
      await open(visitor, body.rows[0].id);
      const shown = await visitor.page.locator('.actbuttons button').count();
      const on = await visitor.page.locator('.actbuttons button:enabled').count();
      if (!shown || on) t.problems.push(`on a tour ${on} of ${shown} acts can be pressed`);
      if ((await visitor.call('POST', `cases/${body.rows[0].id}/acts`, { act: 'note', text: 'x' })).status !== 403) t.problems.push('a visitor writes a note');
      await check(t, visitor, 'tour');
    }
  }
  await visitor.context.close();
}

/** On the phone: cards, a case, its form. */
async function phone(t, staff) {
  const { acceptor } = staff;
  const thing = await component(acceptor, 'D01', 11);
  const made = await acceptor.call('POST', 'cases', { report: { source: 'hotline', class: thing.class, component: thing.id, description: 'from the phone' } });
  await acceptor.go('');
  await acceptor.page.locator(`.cards [data-case="${made.body.case}"]`).waitFor();
  await check(t, acceptor, 'inbox');
  await open(acceptor, made.body.case);
  await check(t, acceptor, 'case');
  await act(acceptor, made.body.case, 'reject', async (form) => {
    await form.locator('textarea').first().fill('a test');
    await check(t, acceptor, 'form');
  });
  if ((await state(acceptor.page)) !== 'rejected') await until(acceptor.page, 'the rejection', () => document.querySelector('.sheet')?.dataset.state === 'rejected');
  await acceptor.go('#new=1');
  await acceptor.page.locator('.newcase').waitFor();
  await check(t, acceptor, 'new');
}

async function visit(t) {
  const staff = {};
  for (const [name, role, department] of [['acceptor', 'acceptor'], ['leader', 'shift_leader'], ['dispatcher', 'dispatcher'], ['department', 'department', 'D01'], ['inspector', 'inspector']]) {
    if (t.view.phone && name !== 'acceptor') continue;
    staff[name] = await enter(t, role, department);
  }
  if (t.view.phone) await phone(t, staff);
  else if (t.view.width > 1300) {
    await bulk(t, staff);
    await keyboard(t, staff.leader);
    await indicators(t, staff.leader);
  } else {
    await sensor(t, staff);
    const { id } = await life(t, staff);
    await bounds(t, staff, id);
  }
  for (const who of Object.values(staff)) await who.context.close();
}

// VIEW=phone walks one view alone.
await walk('cases', visit, { views: VIEWS.filter((v) => v.name.startsWith(process.env.VIEW ?? '')) });
