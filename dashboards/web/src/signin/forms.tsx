// Signing in, setting a password with a code, and setting up the administrator.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, send } from '../shared/api.ts';
import type { Session } from '../shared/session.ts';
import { Form, Note, Password, refusalIn, Text, weakness } from './fields.tsx';
import { t } from './words.ts';

interface Props {
  /** Called with who has signed in. */
  done: (s: Session) => void;
}

async function signIn(name: string, password: string): Promise<Session> {
  return send<Session>('POST', '/api/v1/session', { name: name.trim(), password });
}

export function SignIn({ done, note }: Props & { note: string }): JSX.Element {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<ApiError | null>(null);
  const go = async (): Promise<void> => {
    setError(null);
    try {
      done(await signIn(name, password));
    } catch (err) {
      setPassword('');
      setError(refusalIn(err));
    }
  };
  return (
    <>
      <h1>{t('title')}</h1>
      {note && <Note id="note">{note}</Note>}
      <Form id="signin-form" go={t('go')} error={error} send={go} disabled={!isSecureContext}>
        <Text label={t('name')} name="name" value={name} onInput={setName} autocomplete="username" />
        <Password label={t('password')} value={password} onInput={setPassword} />
      </Form>
      <p class="quiet">{t('forgot')}</p>
    </>
  );
}

export function Redeem({ done }: { done: () => void }): JSX.Element {
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<ApiError | null>(null);
  const go = async (): Promise<void> => {
    setError(null);
    try {
      await send('POST', '/api/v1/invitations/redeem', { code, password });
      done();
    } catch (err) {
      setError(refusalIn(err));
    }
  };
  return (
    <>
      <h1>{t('redeem.title')}</h1>
      <p class="quiet">{t('redeem.intro')}</p>
      <Form id="redeem-form" go={t('redeem.title')} error={error} send={go} disabled={!isSecureContext}>
        <Text label={t('code')} name="code" value={code} onInput={setCode} autocomplete="one-time-code" hint={t('code.hint')} code />
        <Password label={t('new.password')} value={password} onInput={setPassword} fresh error={weakness(error)} />
      </Form>
    </>
  );
}

export function SetUp({ done }: Props): JSX.Element {
  const [v, setV] = useState({ code: '', id: '', name: '', password: '' });
  const [error, setError] = useState<ApiError | null>(null);
  const set = (key: keyof typeof v) => (text: string): void => setV({ ...v, [key]: text });
  const go = async (): Promise<void> => {
    setError(null);
    try {
      const id = v.id.trim();
      await send('POST', '/api/v1/set-up', { code: v.code, id, name: v.name.trim(), password: v.password });
      done(await signIn(id, v.password));
    } catch (err) {
      setError(refusalIn(err));
    }
  };
  return (
    <>
      <h1>{t('setup.title')}</h1>
      <p class="quiet">{t('setup.intro')}</p>
      <Form id="setup-form" go={t('setup.go')} error={error} send={go} disabled={!isSecureContext}>
        <Text label={t('code')} name="code" value={v.code} onInput={set('code')} autocomplete="one-time-code" hint={t('setup.hint')} code />
        <Text label={t('setup.id')} name="id" value={v.id} onInput={set('id')} autocomplete="username" hint={t('setup.id.hint')} />
        <Text label={t('setup.name')} name="name" value={v.name} onInput={set('name')} autocomplete="name" hint={t('setup.name.hint')} required={false} />
        <Password label={t('new.password')} value={v.password} onInput={set('password')} fresh error={weakness(error)} />
      </Form>
    </>
  );
}
