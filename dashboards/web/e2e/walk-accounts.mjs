// Walks the accounts: sets up the administrator, enters and invites somebody, who redeems the
// invitation in another browser and has the rights of their role and no others; tokens, the
// audit log, pauses, and the way out.
//
//   node e2e/walk-accounts.mjs URL FOLDER
//
// SETUP_CODE is the one-time code that a new hub prints; on a hub that has been set up a sample
// administrator signs in (PEOPLE and PASSPHRASE, see lib.mjs).
import { readFile } from 'node:fs/promises';
import { axe, contextOf, noOverflow, people, settled, until, VIEWS, walk, watch } from './lib.mjs';

const ROOT = { id: 'walk.root', password: 'four green bicycles at night' };
const refused = (text) => /status of (401|403|404|409|422|429)/.test(text);

/** One person at one browser. */
async function open({ browser, view, url, problems }, name) {
  const context = await browser.newContext({ ...contextOf(view), acceptDownloads: true });
  const page = await context.newPage();
  watch(page, url, `${view.name} ${name}`, problems, refused);
  return { context, page };
}

const shows = (page, selector) => page.locator(selector).first().waitFor({ state: 'visible' });

async function check(page, at, problems) {
  await settled(page);
  await noOverflow(page, at, problems);
  await axe(page, at, problems);
}

/** Sets the hub up, or signs in where that has been done; returns who. */
async function administrator(t, page) {
  const { state } = await (await page.request.get(`${t.url}/api/v1/session`)).json();
  await page.goto(`${t.url}/admin`);
  await page.waitForURL(/\/signin\?to=%2Fadmin/);
  if (state !== 'set_up') {
    const sample = people().find((p) => p.roles.includes('admin'));
    const who = sample ? { id: sample.id, password: process.env.PASSPHRASE ?? '' } : ROOT;
    await shows(page, '#signin-form');
    await check(page, `${t.view.name} sign-in`, t.problems);
    await t.shoot(page, 'signin');
    await signIn(page, who.id, who.password);
    return;
  }
  await shows(page, '#setup-form');
  await check(page, `${t.view.name} set-up`, t.problems);
  const set = (name, text) => page.fill(`#setup-form [name=${name}]`, text);
  await set('id', ROOT.id);
  await set('code', 'ABCD-EFGH');
  await set('password', ROOT.password);
  await page.click('#setup-form button[type=submit]');
  await shows(page, '#setup-form .problem');
  await t.shoot(page, 'set-up');
  await set('code', process.env.SETUP_CODE ?? '');
  await set('password', 'abcabcabcabc');
  await page.click('#setup-form button[type=submit]');
  await shows(page, '#setup-form .field.wrong');
  await set('password', ROOT.password);
  await page.click('#setup-form button[type=submit]');
}

async function signIn(page, name, password) {
  await page.fill('#signin-form [name=name]', name);
  await page.fill('#signin-form [name=password]', password);
  await page.click('#signin-form button[type=submit]');
}

/** Enters somebody, gives them another role, and returns the code of their invitation. */
async function invite(t, page, id, name) {
  await page.waitForURL(/\/admin/);
  await shows(page, '#people');
  await page.click('#add-person');
  await page.fill('#add-form [name=id]', id);
  await page.fill('#add-form [name=name]', name);
  await page.check('#add-form [value=department]');
  await page.locator('#add-form [name=department]').fill('water-works');
  await check(page, `${t.view.name} add a person`, t.problems);
  await t.shoot(page, 'add');
  await page.click('#add-form button[type=submit]');
  const row = page.locator(`[data-person="${id}"]`);
  await row.waitFor();
  await row.locator('.acts button').nth(0).click();
  await page.uncheck('#edit-form [value=department]');
  await page.check('#edit-form [value=viewer]');
  await page.click('#edit-form button[type=submit]');
  await page.locator('#edit-form').waitFor({ state: 'detached' });
  await row.locator('.acts button').nth(1).click();
  await shows(page, '#code');
  await check(page, `${t.view.name} invitation`, t.problems);
  const code = await page.textContent('#code');
  await page.keyboard.press('Escape');
  await page.locator('#code').waitFor({ state: 'detached' });
  await check(page, `${t.view.name} people`, t.problems);
  await t.shoot(page, 'people');
  return code;
}

/** Redeems an invitation, signs in, and finds the rights of a viewer and no others. */
async function colleague(t, page, id, code) {
  const password = 'seven slow trains in the rain';
  await page.goto(`${t.url}/signin?to=/admin#redeem`);
  await shows(page, '#redeem-form');
  await check(page, `${t.view.name} redeem`, t.problems);
  await page.fill('#redeem-form [name=code]', ` ${code.toLowerCase().replaceAll('-', ' ')} `);
  await page.fill('#redeem-form [name=password]', password);
  await t.shoot(page, 'redeem');
  await page.click('#redeem-form button[type=submit]');
  await shows(page, '#note');
  await signIn(page, id, 'not it at all');
  await shows(page, '#signin-form .problem');
  await signIn(page, id, password);
  await page.waitForURL(/\/admin$/);
  await shows(page, '#me');
  if ((await page.locator('.parts button').count()) !== 2) t.problems.push(`${t.view.name}: a viewer sees the administration`);
  for (const path of ['meters', 'accounts/people', 'accounts/audit', 'ledger/me', 'cases']) {
    const { status } = await page.evaluate(async (p) => ({ status: (await fetch(`/api/v1/${p}`)).status }), path);
    if (status !== 403) t.problems.push(`${t.view.name}: a viewer asks for ${path}: ${status}`);
  }
  return password;
}

/** Changes the password, ends the other sessions, and draws and revokes a token. */
async function ownAccount(t, page, password) {
  await shows(page, '#sessions');
  await check(page, `${t.view.name} own account`, t.problems);
  await t.shoot(page, 'me');
  await page.fill('#password-form [name=old]', 'not it at all');
  await page.fill('#password-form [name=fresh]', 'nine loud geese over water');
  await page.click('#password-form button[type=submit]');
  await shows(page, '#password-form .problem');
  await page.fill('#password-form [name=old]', password);
  await page.click('#password-form button[type=submit]');
  await until(page, 'the new password', () => document.querySelector('#password-form [name=old]').value === '');
  await page.goto(`${t.url}/admin#tokens`);
  await page.click('#add-token');
  await page.fill('#token-form [name=name]', 'board of the lobby');
  if ((await page.locator('#token-form .roles input').count()) !== 1) t.problems.push(`${t.view.name}: a viewer may draw tokens with other roles`);
  await page.check('#token-form [value=viewer]');
  await check(page, `${t.view.name} token form`, t.problems);
  await page.click('#token-form button[type=submit]');
  await shows(page, '#token');
  const token = await page.textContent('#token');
  await t.shoot(page, 'token');
  await page.keyboard.press('Escape');
  const state = async () => (await page.evaluate(async (x) => (await fetch('/api/v1/session', { credentials: 'omit', headers: { Authorization: `Bearer ${x}` } })).json(), token)).state;
  if ((await state()) !== 'signed_in') t.problems.push(`${t.view.name}: the new token does not work`);
  if ((await page.content()).includes(token)) t.problems.push(`${t.view.name}: the token is shown a second time`);
  await page.locator('#tokens tbody button').first().click();
  await page.click('#revoke');
  await shows(page, '#tokens .tag.revoked');
  await check(page, `${t.view.name} tokens`, t.problems);
  if ((await state()) === 'signed_in') t.problems.push(`${t.view.name}: a revoked token works`);
}

/** Reads the log, checks its chain and takes it away as a file. */
async function audit(t, page, name) {
  await page.goto(`${t.url}/admin#audit`);
  await until(page, 'the audit log', () => document.querySelectorAll('#audit tbody tr').length > 5);
  await page.click('#check');
  await shows(page, '#verdict.hint');
  await check(page, `${t.view.name} audit log`, t.problems);
  await t.shoot(page, 'audit');
  const [file] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
  const text = await readFile(await file.path(), 'utf8');
  if (!text.startsWith('\ufeff') || !text.includes(name) || text.split('\r\n').length < 6) t.problems.push(`${t.view.name}: the file of the log: ${text.slice(0, 200)}`);
}

/** Keeps the colleague out and forgets them. */
async function partWays(t, page, other, id) {
  await page.goto(`${t.url}/admin#people`);
  const row = page.locator(`[data-person="${id}"]`);
  await row.locator('.acts button').nth(2).click();
  await row.locator('.tag.disabled').waitFor();
  await other.reload();
  await other.waitForURL(/\/signin/);
  await row.locator('.acts button.danger').click();
  await page.fill('#forget-form [name=typed]', 'somebody else');
  if (await page.isEnabled('#forget-form button[type=submit]')) t.problems.push(`${t.view.name}: forgets without confirmation`);
  await page.fill('#forget-form [name=typed]', id);
  await check(page, `${t.view.name} forget`, t.problems);
  await page.click('#forget-form button[type=submit]');
  await row.waitFor({ state: 'detached' });
}

/** Guesses until the hub wants a pause, which the page counts down. */
async function guesses(t, page) {
  await page.goto(`${t.url}/signin`);
  await shows(page, '#signin-form');
  for (let n = 0; n < 30 && !(await page.locator('#pause').isVisible()); n++) {
    const answer = page.waitForResponse((r) => r.url().endsWith('/api/v1/session') && r.request().method() === 'POST');
    await signIn(page, `guess-${t.view.name}`, 'not it at all');
    await answer;
    await until(page, 'the refusal', () => document.querySelector('#signin-form .problem') !== null);
  }
  await shows(page, '#pause');
  await t.shoot(page, 'pause');
  await check(page, `${t.view.name} pause`, t.problems);
  await until(page, 'the end of the pause', () => !document.querySelector('#signin-form button[type=submit]').disabled);
}

async function leave(t, page) {
  await page.goto(`${t.url}/admin#me`);
  await shows(page, '#me');
  const before = await page.title();
  await page.click('#lang');
  await until(page, 'the other language', (was) => document.title !== was, before);
  await check(page, `${t.view.name} the other language`, t.problems);
  await page.click('#who summary');
  await page.click('#signout');
  await page.waitForURL(/\/signin/);
  const status = await page.evaluate(async () => (await fetch('/api/v1/accounts/people')).status);
  if (status !== 401 && status !== 403) t.problems.push(`${t.view.name}: after signing out: ${status}`);
}

async function visit(t) {
  const id = `wei-${t.view.name}`;
  const name = `王伟 ${t.view.name}`;
  const root = await open(t, 'administrator');
  const other = await open(t, 'colleague');
  await administrator(t, root.page);
  const code = await invite(t, root.page, id, name);
  const password = await colleague(t, other.page, id, code);
  await ownAccount(t, other.page, password);
  await audit(t, root.page, name);
  await partWays(t, root.page, other.page, id);
  await leave(t, root.page);
  if (!t.view.name.startsWith('wall')) await guesses(t, other.page);
  await root.context.close();
  await other.context.close();
}

// The wall comes first and does not guess: the guesses of two views are what the hub allows one address.
await walk('accounts', visit, { views: [VIEWS[2], VIEWS[0], VIEWS[1]] });
