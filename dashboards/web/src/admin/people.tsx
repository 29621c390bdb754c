// Everybody, and what an administrator does with them.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { send } from '../shared/api.ts';
import type { AccountPersonJSON, CodeJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { loadSession } from '../shared/session.ts';
import { Button, Problem, say, Skeleton } from '../shared/ui.tsx';
import { rolesText, stateOf } from './data.ts';
import { Panel, refusal } from './parts.tsx';
import type { Asked } from './persondialogs.tsx';
import { AddPerson, EditPerson, ForgetPerson, Invited } from './persondialogs.tsx';
import { t, words } from './words.ts';

const path = (p: AccountPersonJSON, act = ''): string => `/api/v1/accounts/people/${p.key}${act && `/${act}`}`;

export function People(): JSX.Element {
  const { data, error, again } = usePolled<AccountPersonJSON[]>('/api/v1/accounts/people', () => ({}), 0);
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = (): void => setAsked(null);
  const changed = (text: string): void => {
    close();
    say(text);
    again();
    loadSession().catch(() => undefined); // the own roles may be among what was changed; the next question tells a failure
  };
  const live = data?.filter((p) => !p.forgotten_at).length ?? 0;
  return (
    <Panel title={t('tab.people')} tools={<><span class="quiet">{t('people.count', { n: live })}</span><Button kind="main" id="add-person" onClick={() => setAsked({ what: 'add' })}>{t('people.add')}</Button></>}>
      <Problem error={error} words={words} />
      {!data && !error && <Skeleton lines={5} />}
      {data && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('tab.people')}>
          <table id="people">
            <thead>
              <tr>
                <th scope="col">{t('person.name')}</th>
                <th scope="col">{t('person.roles')}</th>
                <th scope="col">{t('person.state')}</th>
                <th scope="col">{t('person.acts')}</th>
              </tr>
            </thead>
            <tbody>
              {data.map((p) => (
                <Row key={p.key} p={p} ask={setAsked} changed={changed} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {asked?.what === 'add' && <AddPerson onClose={close} done={(name) => changed(t('done.add', { name }))} />}
      {asked?.what === 'edit' && <EditPerson p={asked.p} onClose={close} done={() => changed(t('done.roles', { name: asked.p.name }))} />}
      {asked?.what === 'forget' && <ForgetPerson p={asked.p} onClose={close} done={() => changed(t('done.forget'))} />}
      {asked?.what === 'invited' && <Invited p={asked.p} code={asked.code} onClose={close} />}
    </Panel>
  );
}

function Row({ p, ask, changed }: { p: AccountPersonJSON; ask: (a: Asked) => void; changed: (text: string) => void }): JSX.Element {
  const state = stateOf(p);
  if (state === 'forgotten') {
    return (
      <tr class="gone">
        <td colSpan={4}>{t('people.forgotten', { n: p.key })}</td>
      </tr>
    );
  }
  return (
    <tr data-person={p.id} class={state === 'disabled' ? 'gone' : ''}>
      <td>
        <strong>{p.name}</strong>
        {p.id !== p.name && <span class="code quiet"> {p.id}</span>}
      </td>
      <td>
        {rolesText(p.roles)}
        {p.department && <span class="quiet"> · {p.department}</span>}
      </td>
      <td>
        <span class={`tag ${state}`}>{t(`state.${state}`)}</span>
      </td>
      <td>
        <Acts p={p} ask={ask} changed={changed} />
      </td>
    </tr>
  );
}

function Acts({ p, ask, changed }: { p: AccountPersonJSON; ask: (a: Asked) => void; changed: (text: string) => void }): JSX.Element {
  const act = (word: 'disable' | 'enable' | 'sign-out', key: 'disable' | 'enable' | 'signout') => async (): Promise<void> => {
    const done = t(`done.${key}`, { name: p.name });
    try {
      await send('POST', path(p, word));
    } catch (err) {
      say(refusal(err), true);
      return;
    }
    changed(done);
  };
  const invite = async (): Promise<void> => {
    try {
      ask({ what: 'invited', p, code: await send<CodeJSON>('POST', path(p, 'invite')) });
    } catch (err) {
      say(refusal(err), true);
    }
  };
  return (
    <div class="row acts">
      <Button onClick={() => ask({ what: 'edit', p })}>{t('act.roles')}</Button>
      {!p.disabled_at && <Button onClick={invite}>{t('act.invite')}</Button>}
      {p.disabled_at ? <Button onClick={act('enable', 'enable')}>{t('act.enable')}</Button> : <Button onClick={act('disable', 'disable')}>{t('act.disable')}</Button>}
      <Button onClick={act('sign-out', 'signout')}>{t('act.signout')}</Button>
      <Button kind="danger" onClick={() => ask({ what: 'forget', p })}>{t('act.forget')}</Button>
    </div>
  );
}
