// The wall: the map and the figures that matter, large, by themselves.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatClock, formatTime } from '../shared/format.ts';
import { Mark } from '../shared/marks.tsx';
import { lang } from '../shared/words.ts';
import { CityMap } from './citymap.tsx';
import type { Figure } from './kpis.tsx';
import { figures } from './kpis.tsx';
import { go, heard, now, painted, paintError, route } from './state.ts';
import { useSummary } from './summary.ts';
import { choose, CHOICES, chosen } from './toolbar.tsx';
import type { Tree } from './tree.ts';
import { t, words } from './words.ts';
import { metricName } from './figures.ts';

/** How long each metric is shown. */
export const TURN = 20_000;
/** After so long without a touch a pause ends by itself: nobody stands before the wall. */
const IDLE = 300_000;
/** Figures that are older are not live, even where the hub is still heard. */
const LATE = 30_000;

export function Wall({ tree }: { tree: Tree }): JSX.Element {
  const { area } = route.value;
  const { s } = useSummary(area);
  const [paused, setPaused] = useState(0);
  useTurns(s?.consumption.map((c) => c.medium) ?? [], paused > 0);
  useEffect(() => {
    if (!paused) return undefined;
    const timer = setTimeout(() => setPaused(0), IDLE);
    return () => clearTimeout(timer);
  }, [paused]);
  useEffect(() => {
    document.title = `${t('map.wall')} · citygrid`;
    const leave = (e: KeyboardEvent): void => {
      if (e.key === 'Escape' && !document.fullscreenElement) go({ wall: false });
    };
    addEventListener('keydown', leave);
    return () => removeEventListener('keydown', leave);
  }, [lang.value]);
  const { connection, skew } = heard.value;
  const at = s ? Date.parse(s.at) : heard.value.at;
  const old = connection === 'stale' || paintError.value !== null || (s !== null && now.value - skew - at > LATE);
  const p = painted.value;
  return (
    <main class={`wall ${old ? 'old' : ''}`} id="content" onPointerDown={() => setPaused(Date.now())}>
      <header>
        <h1>{area ? tree.name(area) : t('city')}</h1>
        <p class="now" aria-live="off">{p ? metricName(p.metric, p.medium) : ''}</p>
        <p class="clock" id="connection" data-connection={old ? 'stale' : connection}>
          <Mark tone={old ? 'bad' : connection === 'live' ? 'ok' : 'none'} />
          {old ? formatClock(at) : formatTime(now.value - skew).slice(0, 16)} {t(old ? 'conn.stale' : `conn.${connection}`)}
        </p>
        <div class="tools" onPointerDown={(e) => e.stopPropagation()}>
          {paused > 0 && <span role="status">{t('wall.paused')}</span>}
          <button type="button" id="pause" aria-pressed={paused > 0} onClick={() => setPaused(paused ? 0 : Date.now())}>{t(paused ? 'wall.go' : 'wall.pause')}</button>
          <button type="button" onClick={() => void full()}>{t('wall.full')}</button>
          <button type="button" id="leave" onClick={() => void leaveWall()}>{t('wall.leave')}</button>
        </div>
      </header>
      {old && <p class="alert" role="alert">{t('wall.stale', { time: formatTime(at) })}</p>}
      <CityMap tree={tree} open={(code) => go({ area: code }, false)} scale={wallScale()} />
      <aside>
        {s && figures(s).map((f) => <Big key={f.id} f={f} on={f.shows === chosen()} />)}
        {s && s.alarms.length > 0 && (
          <ol class="latest" aria-label={t('alarms')}>
            {s.alarms.slice(0, 4).map((a) => (
              <li key={a.id}>
                <Mark tone="bad" /> {words.word('kind', a.kind)} <span>{tree.name(a.cell)}</span>
              </li>
            ))}
          </ol>
        )}
      </aside>
    </main>
  );
}

function Big({ f, on }: { f: Figure; on: boolean }): JSX.Element {
  return (
    <div class={`big ${on ? 'on' : ''}`} data-kpi={f.id}>
      <span class="name">{f.name}</span>
      <span class="figure">{f.value === null ? '\u2013' : <b>{f.value}</b>} <span class="unit">{f.value === null ? '' : f.unit}</span></span>
      <span class={`sub ${f.tone ?? ''}`}>{f.sub}</span>
      <span class="note">{f.note}</span>
    </div>
  );
}

/** Lines and names on the map grow with the screen, as the figures do. */
function wallScale(): number {
  return Math.max(1, Math.min(3, innerWidth / 1600));
}

/** Shows one metric after another; those of media without meters are left out. */
function useTurns(media: readonly string[], paused: boolean): void {
  const present = media.join();
  useEffect(() => {
    if (paused) return undefined;
    const timer = setInterval(() => {
      const turns = CHOICES.filter((c) => !c.medium || present.split(',').includes(c.medium));
      const at = turns.findIndex((c) => c.key === chosen());
      const next = turns[(at + 1) % turns.length];
      if (next) choose(next, false);
    }, TURN);
    return () => clearInterval(timer);
  }, [paused, present]);
}

async function full(): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen().catch(() => undefined); // a browser may forbid it; the wall works without
}

async function leaveWall(): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  go({ wall: false });
}
