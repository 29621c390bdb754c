// The frame of every page: where one is, who one is, language and light.

import type { ComponentChildren, JSX } from 'preact';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { ApiError, signedOut } from './api.ts';
import { common } from './common.ts';
import { has, loadSession, session, signInAddress, signOut } from './session.ts';
import type { Role } from './session.ts';
import type { Theme } from './theme.ts';
import { startTheme, theme, THEMES } from './theme.ts';
import { errorText, Problem, say, Toasts } from './ui.tsx';
import { lang } from './words.ts';
import './style.css';

const { t } = common;

export type PageName = 'city' | 'meters' | 'cases' | 'desk' | 'inspect' | 'admin';

interface Place {
  page: PageName;
  href: string;
  /** Who works there; empty: everybody. */
  roles: readonly Role[];
}

const PLACES: readonly Place[] = [
  { page: 'city', href: '/', roles: [] },
  { page: 'meters', href: '/meters', roles: ['inspector', 'acceptor', 'shift_leader', 'dispatcher', 'department', 'admin', 'clerk', 'reviewer', 'approver'] },
  { page: 'cases', href: '/cases', roles: ['inspector', 'acceptor', 'shift_leader', 'dispatcher', 'department', 'admin'] },
  { page: 'inspect', href: '/inspect', roles: ['inspector'] },
  { page: 'desk', href: '/desk', roles: ['clerk', 'reviewer', 'approver', 'admin'] },
  { page: 'admin', href: '/admin', roles: ['admin'] },
];

/** Starts a page: asks who works here, then draws. A page that must work without network gives its own wait. */
export async function mount(draw: () => JSX.Element): Promise<void> {
  startTheme();
  const box = document.getElementById('app')!;
  try {
    await loadSession();
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    render(<Failed error={err} />, box);
    setTimeout(() => void mount(draw), 3000);
    return;
  }
  const state = session.value?.state;
  if (state === 'signed_out' || state === 'set_up') {
    location.replace(signInAddress());
    return;
  }
  render(draw(), box);
}

function Failed({ error }: { error: ApiError }): JSX.Element {
  return (
    <main id="content">
      <h1>{t('brand')}</h1>
      <Problem error={error} />
    </main>
  );
}

/** The frame. status is what the page says of itself at the top right: connection, as of. */
export function Shell(p: { page: PageName; title: string; status?: ComponentChildren; wide?: boolean; children: ComponentChildren }): JSX.Element {
  const l = lang.value;
  useEffect(() => {
    document.title = `${p.title} · citygrid`;
  }, [p.title, l]);
  return (
    <>
      <a class="skip" href="#content" onClick={toContent}>
        {t('skip')}
      </a>
      <header class="top">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>{t('brand')}</span>
        </a>
        <Nav page={p.page} />
        {p.status && <div class="asof">{p.status}</div>}
        <Tools />
      </header>
      <Notices />
      <main id="content" tabIndex={-1} class={p.wide ? 'wide' : ''}>
        {p.children}
      </main>
      <footer>
        <a href="/api/v1/openapi.yaml">{t('footer.api')}</a>
        <a href="/readyz">{t('footer.ready')}</a>
        <span>{t('zone')}</span>
      </footer>
      <Toasts />
    </>
  );
}

/** The address after # belongs to the view, so the link moves the focus itself. */
function toContent(e: Event): void {
  e.preventDefault();
  document.getElementById('content')?.focus();
}

function Nav({ page }: { page: PageName }): JSX.Element {
  const seen = PLACES.filter((one) => one.roles.length === 0 || has(...one.roles));
  return (
    <nav aria-label={t('nav')}>
      {seen.map((one) => (
        <a key={one.page} href={one.href} aria-current={one.page === page ? 'page' : undefined}>
          {t(`nav.${one.page}`)}
        </a>
      ))}
    </nav>
  );
}

/** Language, light, and who one is. */
export function Tools(): JSX.Element {
  return (
    <div class="tools">
      <label class="select">
        <span class="sr">{t('theme.label')}</span>
        <select id="theme" value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
          {THEMES.map((v) => (
            <option key={v} value={v}>
              {t(`theme.${v}`)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" id="lang" aria-label={`${t('lang.other')} · ${t('lang.label')}`} onClick={() => (lang.value = lang.value === 'en' ? 'zh-CN' : 'en')}>
        {t('lang.other')}
      </button>
      <Who />
    </div>
  );
}

function Who(): JSX.Element | null {
  const s = session.value;
  if (!s || s.state === 'open') return null;
  if (!s.person) {
    return (
      <a class="button" id="signin" href={signInAddress()}>
        {t('who.signin')}
      </a>
    );
  }
  const leave = (): void => void signOut().catch((err: unknown) => say(errorText(err), true));
  return (
    <details class="menu" id="who">
      <summary aria-label={t('who.menu', { name: s.person.name })}>{s.person.name}</summary>
      <div>
        <p class="quiet">{s.person.roles.map((r) => t(`role.${r}`)).join(lang.value === 'en' ? ', ' : '、')}</p>
        <a href="/admin#me">{t('who.account')}</a>
        <button type="button" id="signout" onClick={leave}>
          {t('who.signout')}
        </button>
      </div>
    </details>
  );
}

function Notices(): JSX.Element | null {
  if (signedOut.value) {
    return (
      <div class="banner bad" role="alert">
        {t('gone')} <a href={signInAddress()}>{t('gone.signin')}</a>
      </div>
    );
  }
  if (session.value?.state === 'tour') {
    return (
      <div class="banner" id="tour">
        {t('tour')} <a href={signInAddress()}>{t('tour.signin')}</a>
      </div>
    );
  }
  return null;
}
