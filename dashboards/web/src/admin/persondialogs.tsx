// The dialogs of the list of people.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../shared/api.ts';
import { send } from '../shared/api.ts';
import { formatTime } from '../shared/format.ts';
import type { AccountPersonJSON, CodeJSON } from '../shared/openapi.ts';
import { Dialog, Problem } from '../shared/ui.tsx';
import { rights, ROLES } from './data.ts';
import { Buttons, Line, Roles, Secret } from './parts.tsx';
import { t, words } from './words.ts';

/** Which dialog is open. */
export type Asked =
  | { what: 'add' }
  | { what: 'edit'; p: AccountPersonJSON }
  | { what: 'forget'; p: AccountPersonJSON }
  | { what: 'invited'; p: AccountPersonJSON; code: CodeJSON };

/** Sends once at a time, and keeps what was refused for the dialog to show. */
function useSend(): { busy: boolean; error: ApiError | null; run: (e: Event, act: () => Promise<void>) => void } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = (e: Event, act: () => Promise<void>): void => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    act().catch((err: unknown) => {
      setBusy(false);
      setError(err as ApiError);
    });
  };
  return { busy, error, run };
}

function RightsFields(p: { roles: string[]; department: string; setRoles: (r: string[]) => void; setDepartment: (d: string) => void }): JSX.Element {
  return (
    <>
      <Roles of={ROLES} value={p.roles} onChange={p.setRoles} />
      {p.roles.includes('department') && <Line label={t('person.department')} hint={t('person.department.hint')} name="department" value={p.department} onInput={p.setDepartment} />}
    </>
  );
}

export function AddPerson({ onClose, done }: { onClose: () => void; done: (name: string) => void }): JSX.Element {
  const [id, setID] = useState('');
  const [name, setName] = useState('');
  const [roles, setRoles] = useState<string[]>([]);
  const [department, setDepartment] = useState('');
  const { busy, error, run } = useSend();
  const go = async (): Promise<void> => {
    const added = await send<AccountPersonJSON>('POST', '/api/v1/accounts/people', { id: id.trim(), ...(name.trim() && { name: name.trim() }), ...rights(roles, department) });
    done(added.name);
  };
  return (
    <Dialog title={t('people.add')} onClose={onClose}>
      <form id="add-form" onSubmit={(e) => run(e, go)}>
        <Line label={t('person.id')} hint={t('person.id.hint')} name="id" value={id} onInput={setID} />
        <Line label={t('person.name')} hint={t('person.name.hint')} name="name" value={name} onInput={setName} required={false} />
        <RightsFields roles={roles} department={department} setRoles={setRoles} setDepartment={setDepartment} />
        <Problem error={error} words={words} />
        <Buttons go={t('people.add')} onClose={onClose} busy={busy} disabled={roles.length === 0} />
      </form>
    </Dialog>
  );
}

export function EditPerson({ p, onClose, done }: { p: AccountPersonJSON; onClose: () => void; done: () => void }): JSX.Element {
  const [roles, setRoles] = useState<string[]>(p.roles);
  const [department, setDepartment] = useState(p.department);
  const { busy, error, run } = useSend();
  const go = async (): Promise<void> => {
    await send('PUT', `/api/v1/accounts/people/${p.key}`, rights(roles, department));
    done();
  };
  return (
    <Dialog title={`${p.name} · ${t('act.roles')}`} onClose={onClose}>
      <form id="edit-form" onSubmit={(e) => run(e, go)}>
        <RightsFields roles={roles} department={department} setRoles={setRoles} setDepartment={setDepartment} />
        <Problem error={error} words={words} />
        <Buttons go={t('act.roles')} onClose={onClose} busy={busy} disabled={roles.length === 0} />
      </form>
    </Dialog>
  );
}

export function ForgetPerson({ p, onClose, done }: { p: AccountPersonJSON; onClose: () => void; done: () => void }): JSX.Element {
  const [typed, setTyped] = useState('');
  const { busy, error, run } = useSend();
  const go = async (): Promise<void> => {
    await send('POST', `/api/v1/accounts/people/${p.key}/forget`);
    done();
  };
  return (
    <Dialog title={t('forget.title', { name: p.name })} onClose={onClose}>
      <form id="forget-form" onSubmit={(e) => run(e, go)}>
        <p>{t('forget.text')}</p>
        <Line label={t('forget.type', { id: p.id })} name="typed" value={typed} onInput={setTyped} />
        <Problem error={error} words={words} />
        <Buttons go={t('act.forget')} onClose={onClose} busy={busy} disabled={typed !== p.id} danger />
      </form>
    </Dialog>
  );
}

export function Invited({ p, code, onClose }: { p: AccountPersonJSON; code: CodeJSON; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('invite.title', { name: p.name })} onClose={onClose}>
      <Secret id="code" text={code.code} />
      <p>{t('invite.text', { until: formatTime(Date.parse(code.ends_at)) })}</p>
      <p class="quiet">{t('invite.where', { url: `${location.origin}/signin#redeem` })}</p>
    </Dialog>
  );
}
