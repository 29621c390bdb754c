// Cases of a place: how many stand where, and the latest.

import type { JSX } from 'preact';
import { className } from '../shared/classname.ts';
import { formatAge, formatCount, formatTime } from '../shared/format.ts';
import type { Tone } from '../shared/marks.tsx';
import { State } from '../shared/marks.tsx';
import type { CaseJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { has, session } from '../shared/session.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { CasePage, Summary } from './api.ts';
import { heard, now, QUICK } from './state.ts';
import { t, words } from './words.ts';

/** The way of a case; each step is drawn whether or not a case is there. */
const STEPS = ['reported', 'verifying', 'verified', 'accepted', 'filed', 'dispatched', 'handling', 'suspended', 'fed_back', 'checking', 'checked'] as const;
/** Steps that are passed quickly, shown only when a case is there. */
const BRIEF = new Set(['verified', 'suspended', 'checked']);

const LIGHTS: Record<string, Tone> = { green: 'ok', yellow: 'warn', red: 'bad', none: 'none' };

/** Whether this person sees single cases. A hub without accounts shows them to tokens only. */
function sees(): boolean {
  return session.value?.state !== 'open' && has('inspector', 'acceptor', 'shift_leader', 'dispatcher', 'department', 'admin');
}

export function Flow({ s, area }: { s: Summary | null; area: string }): JSX.Element {
  const link = (more: Record<string, string>): string => `/cases#${new URLSearchParams({ ...more, ...(area ? { cell: area } : {}) })}`;
  const of = new Map(s?.cases.by_state.map((c) => [c.state, c.n]));
  const most = Math.max(1, ...of.values());
  return (
    <section class="panel flow" aria-labelledby="flow-title">
      <header>
        <h2 id="flow-title">{t('flow')}</h2>
        {s && <Lights s={s} />}
        {sees() && <a class="push" href={link({ tab: 'open' })}>{t('flow.all')}</a>}
      </header>
      {!s && <Skeleton lines={4} />}
      {s && s.cases.open === 0 && <p class="body quiet">{t('flow.none')}</p>}
      {s && s.cases.open > 0 && (
        <ol class="body">
          {STEPS.filter((state) => of.has(state) || !BRIEF.has(state)).map((state) => (
            <li key={state} data-state={state}>
              {sees() && of.has(state) ? <a href={link({ tab: 'open', state })}>{t(`state.${state}`)}</a> : <span>{t(`state.${state}`)}</span>}
              <meter min={0} max={most} value={of.get(state) ?? 0} aria-label={t(`state.${state}`)} />
              <b>{formatCount(of.get(state) ?? 0, lang.value)}</b>
            </li>
          ))}
        </ol>
      )}
      {sees() && <Latest area={area} />}
    </section>
  );
}

function Lights({ s }: { s: Summary }): JSX.Element {
  return (
    <ul class="lights row">
      {s.cases.by_light.filter((one) => one.n > 0).map((one) => (
        <li key={one.light}>
          <State tone={LIGHTS[one.light] ?? 'none'}>{words.word('light', one.light)} {formatCount(one.n, lang.value)}</State>
        </li>
      ))}
    </ul>
  );
}

function Latest({ area }: { area: string }): JSX.Element | null {
  const { data, error } = usePolled<CasePage>('/api/v1/cases', () => ({ open: true, cell: area, limit: 6 }), QUICK, area);
  if (error?.code === 'role_missing') return null;
  if (error && !data) return <div class="body"><Problem error={error} words={words} /></div>;
  if (!data || data.rows.length === 0) return null;
  return (
    <div class="body">
      <h3>{t('flow.latest')}</h3>
      <CaseRows rows={data.rows} />
    </div>
  );
}

/** Cases in short, each a link to itself. */
export function CaseRows({ rows }: { rows: readonly CaseJSON[] }): JSX.Element {
  const at = now.value - heard.value.skew;
  return (
    <ul class="cases-short">
      {rows.map((c) => (
        <li key={c.id} data-case={c.id} data-event={c.event} data-class={c.class}>
          <a href={`/cases#case=${encodeURIComponent(c.id)}`}>{className(c)}</a>
          <span class="quiet">{words.word('state', c.state)}</span>
          <State tone={LIGHTS[c.light] ?? 'none'}>{words.word('light', c.light)}</State>
          <time class="quiet" dateTime={c.reported} title={formatTime(Date.parse(c.reported))}>{formatAge(at - Date.parse(c.reported), lang.value)}</time>
        </li>
      ))}
    </ul>
  );
}
