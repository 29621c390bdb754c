// One's own account: who one is, the password, the sessions.

import type { JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import { send } from '../shared/api.ts';
import { formatTime } from '../shared/format.ts';
import type { OpenSessionJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import type { Session, SessionPerson } from '../shared/session.ts';
import { Button, Problem, say, Skeleton } from '../shared/ui.tsx';
import { rolesText } from './data.ts';
import { attempt, Panel, refusal } from './parts.tsx';
import { t, words } from './words.ts';

export function Me({ session, person }: { session: Session; person: SessionPerson }): JSX.Element {
  return (
    <>
      <Panel title={t('tab.me')}>
        <dl class="facts" id="me">
          <dt>{t('me.id')}</dt>
          <dd class="code">{person.id}</dd>
          <dt>{t('me.name')}</dt>
          <dd>{person.name}</dd>
          <dt>{t('me.roles')}</dt>
          <dd>{rolesText(person.roles)}</dd>
          {person.department && <dt>{t('me.department')}</dt>}
          {person.department && <dd>{person.department}</dd>}
          {session.ends_at && <dt>{t('me.ends')}</dt>}
          {session.ends_at && <dd>{formatTime(Date.parse(session.ends_at))}</dd>}
        </dl>
      </Panel>
      <div class="two">
        <Password />
        <Sessions />
      </div>
    </>
  );
}

function Password(): JSX.Element {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const id = useId();
  const go = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setError('');
    try {
      await send('POST', '/api/v1/accounts/password', { old, password: fresh });
      setOld('');
      setFresh('');
      say(t('password.done'));
    } catch (err) {
      setError(refusal(err));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title={t('password.title')}>
      <form id="password-form" onSubmit={(e) => void go(e)}>
        <div class="field">
          <label for={`${id}-old`}>{t('password.old')}</label>
          <input id={`${id}-old`} name="old" type="password" autocomplete="current-password" required maxLength={1024} value={old} onInput={(e) => setOld(e.currentTarget.value)} />
        </div>
        <div class="field">
          <label for={`${id}-new`}>{t('password.new')}</label>
          <input id={`${id}-new`} name="fresh" type="password" autocomplete="new-password" required maxLength={1024} value={fresh} aria-describedby={`${id}-hint`} onInput={(e) => setFresh(e.currentTarget.value)} />
          <p class="note" id={`${id}-hint`}>
            {t('password.hint')}
          </p>
        </div>
        {error && (
          <p class="problem" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="main" disabled={busy} aria-busy={busy}>
          {t('password.go')}
        </button>
      </form>
    </Panel>
  );
}

function Sessions(): JSX.Element {
  const { data, error, again } = usePolled<OpenSessionJSON[]>('/api/v1/accounts/sessions', () => ({}), 0);
  const end = async (): Promise<void> => {
    if (await attempt(() => send('DELETE', '/api/v1/accounts/sessions'), t('sessions.done'))) again();
  };
  const others = data?.some((s) => !s.this) ?? false;
  return (
    <Panel title={t('sessions.title')} tools={others && <Button id="end-others" onClick={end}>{t('sessions.end')}</Button>}>
      <Problem error={error} words={words} />
      {!data && !error && <Skeleton />}
      {data && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('sessions.title')}>
          <table id="sessions">
            <thead>
              <tr>
                <th scope="col">{t('sessions.seen')}</th>
                <th scope="col">{t('sessions.from')}</th>
                <th scope="col">{t('sessions.began')}</th>
                <th scope="col">{t('sessions.ends')}</th>
              </tr>
            </thead>
            <tbody>
              {data.map((s) => (
                <tr key={s.began_at + s.from}>
                  <td>{s.this ? <strong>{t('sessions.this')}</strong> : formatTime(Date.parse(s.seen_at))}</td>
                  <td>{s.from}</td>
                  <td>{formatTime(Date.parse(s.began_at))}</td>
                  <td>{formatTime(Date.parse(s.ends_at))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
