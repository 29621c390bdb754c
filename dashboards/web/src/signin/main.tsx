// The door of the hub: sign in, redeem an invitation, set up the first administrator.

import type { JSX } from 'preact';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { loadSession, session } from '../shared/session.ts';
import type { Session } from '../shared/session.ts';
import { Tools } from '../shared/shell.tsx';
import { startTheme } from '../shared/theme.ts';
import { Problem } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { Note, sentBack } from './fields.tsx';
import { Redeem, SetUp, SignIn } from './forms.tsx';
import { t, words } from './words.ts';
import { home, localPage, viewOf } from './where.ts';
import './style.css';

const query = new URLSearchParams(location.search);

/** Goes to the page that the person came from, or to their workplace. */
function enter(s: Session): void {
  location.replace(localPage(query.get('to'), location.origin) || home(s.person?.roles ?? []));
}

function Door(): JSX.Element {
  const s = session.value;
  const state = s?.state ?? 'signed_out';
  const [view, setView] = useState(viewOf(location.hash, state));
  const [note, setNote] = useState('');
  const l = lang.value;
  useEffect(() => {
    const follow = (): void => setView(viewOf(location.hash, state));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [state]);
  useEffect(() => {
    document.title = `${t('title')} · citygrid`;
  }, [l]);
  const redeemed = (): void => {
    setNote(t('redeem.done'));
    location.hash = '#signin';
  };
  const failed = query.get('error');
  if (state === 'open') return <Open />;
  return (
    <>
      {!isSecureContext && <Note bad id="insecure">{t('insecure')}</Note>}
      {failed && view === 'signin' && !note && <Note bad id="sent-back">{sentBack(failed)}</Note>}
      {view === 'signin' && <SignIn done={enter} note={note} />}
      {view === 'redeem' && <Redeem done={redeemed} />}
      {view === 'set-up' && <SetUp done={enter} />}
      <Ways view={view} />
    </>
  );
}

/** The other ways in. */
function Ways({ view }: { view: string }): JSX.Element {
  const s = session.value;
  const to = localPage(query.get('to'), location.origin) || '/';
  return (
    <nav class="ways" aria-label={t('other')}>
      {view === 'signin' && s?.oidc && (
        <a class="button" id="oidc" href={`/api/v1/session/oidc/start?to=${encodeURIComponent(to)}`}>
          {t('oidc', { name: s.oidc.name })}
        </a>
      )}
      {view === 'signin' && s?.state === 'tour' && (
        <a class="button" id="look" href={to} title={t('tour.hint')}>
          {t('tour')}
        </a>
      )}
      {view === 'signin' ? (
        <a class="button" id="have-code" href="#redeem">
          {t('have.code')}
        </a>
      ) : (
        <a class="button" id="back" href="#signin">
          {t('back')}
        </a>
      )}
    </nav>
  );
}

function Open(): JSX.Element {
  return (
    <>
      <h1>{t('title')}</h1>
      <p>{t('open')}</p>
      <nav class="ways" aria-label={t('other')}>
        <a class="button" href="/">
          {t('open.go')}
        </a>
      </nav>
    </>
  );
}

function Frame({ children }: { children: JSX.Element }): JSX.Element {
  return (
    <div class="door">
      <header>
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="36" height="36" />
          <span>
            {common.t('brand')}
            <small>{common.t('brand.long')}</small>
          </span>
        </a>
        <Tools />
      </header>
      <main id="content">
        <div class="panel">
          <div class="body">{children}</div>
        </div>
      </main>
    </div>
  );
}

async function start(): Promise<void> {
  startTheme();
  const box = document.getElementById('app')!;
  try {
    await loadSession();
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    render(<Frame><Problem error={err} words={words} /></Frame>, box);
    setTimeout(() => void start(), 3000);
    return;
  }
  if (session.value?.state === 'signed_in' && !['#redeem', '#set-up'].includes(location.hash)) {
    enter(session.value);
    return;
  }
  render(<Frame><Door /></Frame>, box);
}

void start();
