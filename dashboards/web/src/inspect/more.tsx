// The rest: what is on the phone, language and light, and who works here.

import { signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { send } from '../shared/api.ts';
import { formatAge, formatBytes, formatPercent } from '../shared/format.ts';
import { session, signInAddress } from '../shared/session.ts';
import type { Theme } from '../shared/theme.ts';
import { THEMES, theme } from '../shared/theme.ts';
import { Button, Dialog, errorText, say } from '../shared/ui.tsx';
import { common } from '../shared/common.ts';
import { lang } from '../shared/words.ts';
import { noPlace } from './place.ts';
import { FULL, measure, persist, room } from './quota.ts';
import { away, catalogue, clock, person, round, tasks, touring, unsentCount, work } from './state.ts';
import { pull, trouble } from './sync.ts';
import { ready } from './worker.ts';
import { t, words } from './words.ts';

interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}
const install = signal<InstallEvent | null>(null);
globalThis.addEventListener?.('beforeinstallprompt', (e) => {
  e.preventDefault();
  install.value = e as InstallEvent;
});

export function More(): JSX.Element {
  useEffect(() => void measure(), []);
  return (
    <div class="more">
      <h1>{t('nav.more')}</h1>
      <Who />
      <section class="panel">
        <h2>{t('along')}</h2>
        <dl class="facts">
          <dt>{t('along.catalogue')}</dt>
          <dd>{catalogue.value ? `${formatAge(clock.value - catalogue.value.at, lang.value)} · ${t('round.of', { duty: round.value.person.duty.join(' '), cells: round.value.cells.length, components: round.value.components.length })}` : t('along.none')}</dd>
          <dt>{t('along.tasks')}</dt>
          <dd>{tasks.value ? formatAge(clock.value - tasks.value.at, lang.value) : t('along.none')}</dd>
          <dt>{t('along.page')}</dt>
          <dd>{t(ready.value ? 'along.ready' : 'along.online')}</dd>
        </dl>
        {trouble.value !== null && <p class="note">{errorText(trouble.value, words)}</p>}
        <Button id="again" onClick={pull}>{t('along.again')}</Button>
      </section>
      <Room />
      <section class="panel">
        <h2>{t('looks')}</h2>
        <div class="row">
          <button type="button" id="lang" onClick={() => (lang.value = lang.value === 'en' ? 'zh-CN' : 'en')}>{common.t('lang.other')}</button>
          <label class="select">
            <span class="label">{common.t('theme.label')}</span>
            <select id="theme" value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
              {THEMES.map((v) => <option key={v} value={v}>{common.t(`theme.${v}`)}</option>)}
            </select>
          </label>
          {install.value && <Button kind="main" onClick={async () => void (await install.value?.prompt())}>{t('install')}</Button>}
        </div>
      </section>
      <nav class="panel" aria-label={common.t('nav')}>
        <h2>{common.t('nav')}</h2>
        <div class="row">
          <a class="button" href="/">{common.t('nav.city')}</a>
          <a class="button" href="/cases">{common.t('nav.cases')}</a>
          <a class="button" href="/meters">{common.t('nav.meters')}</a>
        </div>
      </nav>
    </div>
  );
}

function Who(): JSX.Element {
  const asking = useSignal(false);
  const leave = async (): Promise<void> => {
    asking.value = false;
    try {
      await send('DELETE', '/api/v1/session');
    } catch (err) {
      return say(errorText(err, words), true); // without network the session would go on
    }
    await work(null);
    location.assign('/signin');
  };
  return (
    <section class="panel">
      <h2>{touring.value ? t('tour.who') : (person.value?.name ?? t('title'))}</h2>
      <p class="quiet">{away.value ? t('away') : session.value === null ? t('who.offline') : person.value ? t('who.in') : t('tour')}</p>
      <div class="row">
        {(away.value || !person.value) && <a class="button main" href={signInAddress()}>{t('signin')}</a>}
        {person.value && <Button onClick={() => (unsentCount.value > 0 ? void (asking.value = true) : leave())}>{common.t('who.signout')}</Button>}
      </div>
      {asking.value && (
        <Dialog title={common.t('who.signout')} onClose={() => (asking.value = false)}>
          <p>{t('leave.unsent', { n: unsentCount.value })}</p>
          <footer class="row">
            <Button onClick={() => void (asking.value = false)}>{common.t('cancel')}</Button>
            <Button kind="danger" onClick={leave}>{common.t('who.signout')}</Button>
          </footer>
        </Dialog>
      )}
    </section>
  );
}

function Room(): JSX.Element {
  const r = room.value;
  return (
    <section class="panel">
      <h2>{t('room')}</h2>
      {r ? (
        <>
          <meter min={0} max={1} high={FULL} value={r.used / r.of} aria-label={t('room')} />
          <p class="quiet">{t('room.of', { used: formatBytes(r.used, lang.value), of: formatBytes(r.of, lang.value), part: formatPercent(r.used / r.of, lang.value) })}</p>
          <p class="quiet">{t(r.kept ? 'room.kept' : 'room.lent')}</p>
          {!r.kept && <Button onClick={persist}>{t('room.ask')}</Button>}
        </>
      ) : (
        <p class="quiet">{t('room.unknown')}</p>
      )}
      {noPlace.value && <p class="note">{t(`noplace.${noPlace.value}`)}</p>}
    </section>
  );
}
