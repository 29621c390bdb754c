import type { JSX } from 'preact';
import { Detail } from './detail.tsx';
import { formatClock } from './format.ts';
import { HealthList } from './health.tsx';
import { Mark } from './marks.tsx';
import { MeterList } from './meters.tsx';
import { River } from './river.tsx';
import type { Theme } from './state.ts';
import { lang, live, route, t, theme } from './state.ts';

export function App(): JSX.Element {
  return (
    <>
      <a class="skip" href="#meters" onClick={toMeters}>
        {t('skip')}
      </a>
      <Header />
      <Stale />
      <main>
        <River />
        {route.value.meter ? <Detail key={route.value.meter} id={route.value.meter} /> : <MeterList />}
        {!route.value.meter && <HealthList />}
      </main>
      <footer>
        <a href="/api/v1/openapi.yaml">OpenAPI</a>
        <a href="/readyz">/readyz</a>
        <span>citygrid</span>
      </footer>
    </>
  );
}

/** The address after # belongs to the view, so the link moves the focus itself. */
function toMeters(e: Event): void {
  e.preventDefault();
  document.getElementById('meters')?.focus();
}

function Header(): JSX.Element {
  const themes: Theme[] = ['auto', 'light', 'dark'];
  return (
    <header class="top">
      <div class="brand">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <h1>
          {t('title')} <small>{t('title.long')}</small>
        </h1>
      </div>
      <AsOf />
      <div class="tools">
        <label class="select">
          <span class="sr">{t('theme.label')}</span>
          <select value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
            {themes.map((v) => (
              <option key={v} value={v}>
                {t(`theme.${v}`)}
              </option>
            ))}
          </select>
        </label>
        <button type="button" id="lang" aria-label={t('lang.label')} onClick={() => (lang.value = lang.value === 'en' ? 'zh-CN' : 'en')}>
          {t('lang.other')}
        </button>
      </div>
    </header>
  );
}

function AsOf(): JSX.Element {
  const { connection, flow } = live.value;
  const tone = connection === 'live' ? 'ok' : connection === 'stale' ? 'bad' : 'none';
  return (
    <p class="asof">
      <span class={`state ${tone}`} role="status" id="connection" data-connection={connection}>
        <Mark tone={tone} />
        {t(`conn.${connection}`)}
      </span>
      {flow && (
        <span>
          {t('asof')} <time dateTime={flow.at}>{formatClock(Date.parse(flow.at))}</time> <span class="zone">{t('zone')}</span>
        </span>
      )}
    </p>
  );
}

function Stale(): JSX.Element | null {
  const { connection, flow, busy } = live.value;
  if (connection !== 'stale' || !flow) return null;
  return (
    <div class="banner" role="alert">
      <strong>{t('stale.title', { time: formatClock(Date.parse(flow.at)) })}</strong> {t(busy ? 'stale.busy' : 'stale.body')}
    </div>
  );
}
