// Tokens of programs: drawn here, told once, revoked.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, send } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import type { AccountPersonJSON, DrawnTokenJSON, ProgramTokenJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import type { SessionPerson } from '../shared/session.ts';
import { Button, Dialog, Empty, Problem, Skeleton, Tabs } from '../shared/ui.tsx';
import { dayAfter, endOfDay, nameOf, rolesText, tokenState } from './data.ts';
import { attempt, Buttons, Line, Panel, Roles, Secret } from './parts.tsx';
import { t, words } from './words.ts';

/** The longest that the hub lets a token live, in whole days. */
const LONGEST = 365;

export function Tokens({ person }: { person: SessionPerson }): JSX.Element {
  const admin = person.roles.includes('admin');
  const [owner, setOwner] = useState<'me' | 'all'>('me');
  const { data, error, again } = usePolled<ProgramTokenJSON[]>('/api/v1/accounts/tokens', () => ({ owner }), 0, owner);
  const [asked, setAsked] = useState<'add' | ProgramTokenJSON | null>(null);
  const [drawn, setDrawn] = useState('');
  const close = (): void => setAsked(null);
  const tools = (
    <>
      {admin && <Tabs label={t('tokens.whose')} options={[['me', t('tokens.mine')], ['all', t('tokens.all')]] as const} value={owner} onChange={setOwner} />}
      <Button kind="main" id="add-token" onClick={() => setAsked('add')}>
        {t('tokens.add')}
      </Button>
    </>
  );
  return (
    <Panel title={t('tokens.title')} tools={tools}>
      <p class="quiet">{t('tokens.text')}</p>
      <Problem error={error} words={words} />
      {!data && !error && <Skeleton />}
      {data?.length === 0 && <Empty title={t('tokens.none')} />}
      {data && data.length > 0 && (owner === 'all' ? <Everybodys list={data} revoke={setAsked} /> : <List list={data} revoke={setAsked} people={null} />)}
      {asked === 'add' && <Draw person={person} onClose={close} done={(token) => { close(); setDrawn(token); again(); }} />}
      {asked && asked !== 'add' && <Revoke token={asked} onClose={close} done={() => { close(); again(); }} />}
      {drawn && (
        <Dialog title={t('token.shown')} onClose={() => setDrawn('')}>
          <Secret id="token" text={drawn} />
          <p>{t('token.shown.text')}</p>
        </Dialog>
      )}
    </Panel>
  );
}

function Everybodys({ list, revoke }: { list: ProgramTokenJSON[]; revoke: (one: ProgramTokenJSON) => void }): JSX.Element {
  const { data } = usePolled<AccountPersonJSON[]>('/api/v1/accounts/people', () => ({}), 0);
  return <List list={list} revoke={revoke} people={data ?? []} />;
}

function List({ list, revoke, people }: { list: ProgramTokenJSON[]; revoke: (one: ProgramTokenJSON) => void; people: AccountPersonJSON[] | null }): JSX.Element {
  const now = Date.now();
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t('tokens.title')}>
      <table id="tokens">
        <thead>
          <tr>
            <th scope="col">{t('token.name')}</th>
            {people && <th scope="col">{t('token.owner')}</th>}
            <th scope="col">{t('token.roles')}</th>
            <th scope="col">{t('token.ends')}</th>
            <th scope="col">{t('token.used')}</th>
            <th scope="col">{t('person.state')}</th>
            <th scope="col">{t('person.acts')}</th>
          </tr>
        </thead>
        <tbody>
          {list.map((one) => {
            const state = tokenState(one, now);
            return (
              <tr key={one.id} data-token={one.name} class={state === 'live' ? '' : 'gone'}>
                <td>{one.configured ? t('token.configured') : one.name}</td>
                {people && <td>{nameOf(people, one.owner)}</td>}
                <td>{rolesText(one.roles)}</td>
                <td>{one.ends_at ? formatTime(Date.parse(one.ends_at)) : t('token.never')}</td>
                <td>{one.used_at ? formatTime(Date.parse(one.used_at)) : t('token.unused')}</td>
                <td>
                  <span class={`tag ${state}`}>{t(`token.${state}`)}</span>
                </td>
                <td>{state === 'live' && <Button onClick={() => revoke(one)}>{t('token.revoke')}</Button>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Draw({ person, onClose, done }: { person: SessionPerson; onClose: () => void; done: (token: string) => void }): JSX.Element {
  const now = Date.now();
  const [name, setName] = useState('');
  const [roles, setRoles] = useState<string[]>([]);
  const [day, setDay] = useState(dayAfter(now, 90));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const go = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setError(null);
    try {
      done((await send<DrawnTokenJSON>('POST', '/api/v1/accounts/tokens', { name: name.trim(), roles, ends_at: endOfDay(day) })).token);
    } catch (err) {
      setBusy(false);
      setError(err as ApiError);
    }
  };
  return (
    <Dialog title={t('tokens.add')} onClose={onClose}>
      <form id="token-form" onSubmit={(e) => void go(e)}>
        <Line label={t('token.name')} name="name" value={name} onInput={setName} />
        <Roles of={person.roles} value={roles} onChange={setRoles} />
        <Line label={t('token.ends')} name="day" type="date" value={day} onInput={setDay} min={dayAfter(now, 0)} max={dayAfter(now, LONGEST)} />
        <Problem error={error} words={words} />
        <Buttons go={t('tokens.add')} onClose={onClose} busy={busy} disabled={roles.length === 0} />
      </form>
    </Dialog>
  );
}

function Revoke({ token, onClose, done }: { token: ProgramTokenJSON; onClose: () => void; done: () => void }): JSX.Element {
  const go = async (): Promise<void> => {
    if (await attempt(() => send('DELETE', `/api/v1/accounts/tokens/${token.id}`), t('token.done'))) done();
  };
  return (
    <Dialog title={t('token.revoke')} onClose={onClose}>
      <p>{t('token.sure', { name: token.name })}</p>
      <footer class="row end">
        <Button onClick={onClose}>{common.t('cancel')}</Button>
        <Button kind="danger" id="revoke" onClick={go}>
          {t('token.revoke')}
        </Button>
      </footer>
    </Dialog>
  );
}
