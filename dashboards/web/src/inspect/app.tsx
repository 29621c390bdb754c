// The frame of the inspector's page: what is at hand for one thumb is at the bottom.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { session, signInAddress } from '../shared/session.ts';
import { Toasts } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { notKept } from './draft.ts';
import { MapView } from './mapview.tsx';
import { More } from './more.tsx';
import { Records } from './records.tsx';
import { ReportView } from './reportview.tsx';
import { route } from './route.ts';
import { away, online, person, refusedCount, touring, unsentCount } from './state.ts';
import { sending } from './sync.ts';
import { TaskView } from './taskview.tsx';
import { Today } from './today.tsx';
import { newer, takeNewer } from './worker.ts';
import { t } from './words.ts';

export function App(): JSX.Element {
  const r = route.value;
  const l = lang.value;
  const writing = r.view === 'report' || r.view === 'task';
  useEffect(() => {
    document.title = `${t('title')} · citygrid`;
  }, [l]);
  return (
    <div class={`inspect ${writing ? 'writing' : ''}`}>
      <Head back={writing} />
      <Notices writing={writing} />
      <main id="content" tabIndex={-1}>
        <Outlet />
      </main>
      {!writing && <Bar />}
      <Toasts />
    </div>
  );
}

function Outlet(): JSX.Element {
  const r = route.value;
  if (!person.value && !touring.value) return <Nobody />;
  switch (r.view) {
    case 'report':
      return <ReportView key={r.id + r.component} id={r.id} component={r.component} />;
    case 'task':
      return <TaskView key={r.kind + r.id} kind={r.kind} id={r.id} />;
    case 'map':
      return <MapView />;
    case 'records':
      return <Records />;
    case 'more':
      return <More />;
    default:
      return <Today />;
  }
}

/** Somebody who is no inspector, or a hub without accounts. */
function Nobody(): JSX.Element {
  const s = session.value?.state;
  const text = s === 'open' ? 'nobody.open' : s === 'signed_in' ? 'nobody.role' : 'nobody.offline';
  return (
    <div class="empty">
      <h1>{t('title')}</h1>
      <p>{t(text)}</p>
      {s !== 'open' && <a class="button main" href={signInAddress()}>{t('signin')}</a>}
    </div>
  );
}

function Head({ back }: { back: boolean }): JSX.Element {
  return (
    <header class="head">
      {back ? (
        <button type="button" class="icon" aria-label={t('back')} onClick={() => (history.length > 1 ? history.back() : (location.hash = ''))}>
          ←
        </button>
      ) : (
        <img src="/icon.svg" alt="" width="28" height="28" />
      )}
      {touring.value ? <a class="name" id="touring" href={signInAddress()}>{t('tour.who')}</a> : <span class="name">{person.value?.name ?? t('title')}</span>}
      {(person.value || unsentCount.value > 0) && <Travel />}
    </header>
  );
}

/** What is on its way, always in sight. */
function Travel(): JSX.Element {
  const n = unsentCount.value;
  const text = n === 0 ? t('unsent.none') : t('unsent.some', { n });
  return (
    <a class={`travel ${refusedCount.value > 0 ? 'bad' : n > 0 ? 'some' : ''}`} href="#records" id="unsent" aria-live="polite" data-count={n}>
      <span class={`net ${online.value ? 'on' : 'off'}`} aria-hidden="true" />
      <span>{online.value ? (sending.value && n > 0 ? t('sending') : text) : n === 0 ? t('offline') : t('offline.some', { n })}</span>
    </a>
  );
}

function Notice({ children, tone = '', id }: { children: ComponentChildren; tone?: string; id: string }): JSX.Element {
  return (
    <div class={`banner ${tone}`} role={tone === 'bad' ? 'alert' : 'status'} id={id}>
      {children}
    </div>
  );
}

function Notices({ writing }: { writing: boolean }): JSX.Element {
  return (
    <>
      {notKept.value && <Notice tone="bad" id="notkept">{t('notkept')}</Notice>}
      {touring.value && (
        <Notice id="tour">
          {t('tour')} <a href={signInAddress()}>{t('tour.signin')}</a>
        </Notice>
      )}
      {away.value && online.value && (
        <Notice tone="warn" id="away">
          {session.value?.person ? t('away.other', { name: person.value?.name ?? '' }) : t('away')} <a href={signInAddress()}>{t('signin')}</a>
        </Notice>
      )}
      {newer.value && !writing && (
        <Notice id="newer">
          {t('newer')} <button type="button" onClick={takeNewer}>{t('newer.take')}</button>
        </Notice>
      )}
    </>
  );
}

const PLACES = [['today', '#'], ['map', '#map'], ['records', '#records'], ['more', '#more']] as const;

const SIGNS: Record<string, string> = {
  today: 'M4 5h16v15H4zM8 3v4M16 3v4M4 10h16M8 15l3 2 5-4',
  map: 'M12 21s-6-6-6-11a6 6 0 0 1 12 0c0 5-6 11-6 11zM12 8v4',
  records: 'M5 4h14v16H5zM8 9h8M8 13h8M8 17h5',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
};

function Bar(): JSX.Element {
  return (
    <nav class="bar" aria-label={t('nav')}>
      {PLACES.map(([view, href]) => (
        <a key={view} href={href} aria-current={route.value.view === view ? 'page' : undefined}>
          <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
            <path d={SIGNS[view]} />
          </svg>
          <span>{t(`nav.${view}`)}</span>
          {view === 'records' && unsentCount.value > 0 && <span class="count" aria-hidden="true">{unsentCount.value}</span>}
        </a>
      ))}
    </nav>
  );
}
