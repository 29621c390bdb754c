// One collector: its account of itself, its lines, and what the hub saw of it.

import type { JSX } from 'preact';
import { common } from '../shared/common.ts';
import { formatAge, formatBytes, formatCount, formatPercent, formatTime, withoutMeter } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import { Skeleton } from '../shared/ui.tsx';
import type { Collector } from './api.ts';
import { certificateTone, generation, spoolTone, usedTone } from './collectorfacts.ts';
import { certificateText, spoolText } from './collectors.tsx';
import { follow } from './links.tsx';
import { HOME } from './route.ts';
import { go, lang, t } from './state.ts';
import { words } from './words.ts';

export function CollectorPage({ id }: { id: string }): JSX.Element {
  const { data, error } = usePolled<Collector>(`/api/v1/collectors/${id}`, () => ({}), 5000);
  return (
    <>
      <section class="panel" id="collector" aria-labelledby="collector-title">
        <header>
          <button type="button" class="back" onClick={() => go({ view: 'collectors', collector: '' })}>
            <span aria-hidden="true">←</span> {t('collectors.back')}
          </button>
          <h1 id="collector-title">{id}</h1>
          {data && <State tone={data.online ? 'ok' : 'bad'}>{t(data.online ? 'online' : 'offline')}</State>}
          <button type="button" class="push" onClick={() => print()}>
            {common.t('print')}
          </button>
        </header>
        {error && <p class="problem" role="alert">{words.code('err', error.code)}</p>}
        {!data && !error && <Skeleton />}
        {data && <Facts c={data} />}
      </section>
      {data && (
        <>
          <Lines c={data} />
          <Failing c={data} />
          <div class="pair">
            <Sessions c={data} />
            <Refusals c={data} />
          </div>
        </>
      )}
    </>
  );
}

const at = (iso: string | undefined): string => (iso ? formatTime(Date.parse(iso)) : t('unknown'));
const n = (v: number): string => formatCount(v, lang.value);

function Facts({ c }: { c: Collector }): JSX.Element {
  const rows: [string, JSX.Element | string][] = [
    [t('collector.area'), c.area || t('unknown')],
    [t('collector.version'), c.version || t('unknown')],
    [t('collector.since'), at(c.since)],
    [t('collector.started'), at(c.started_at)],
    [t('collector.status'), c.status_age_s === null ? t('unknown') : formatAge(c.status_age_s * 1000, lang.value)],
    [t('collector.spool'), <State tone={spoolTone(c)}>{`${spoolText(c)} · ${formatBytes(c.spool_bytes, lang.value)}`}</State>],
    [t('collector.key'), <span class="code">{generation(c)}</span>],
    [t('collector.certificate'), <State tone={certificateTone(c.certificate_days)}>{c.certificate_ends ? `${certificateText(c)} (${at(c.certificate_ends)})` : certificateText(c)}</State>],
    [t('collector.reads'), t('collector.readsof', { done: n(c.reads_done), failed: n(c.reads_failed), missed: n(c.reads_missed), planned: n(c.reads_planned) })],
    [t('collector.envelopes'), t('collector.envelopesof', { sealed: n(c.envelopes_sealed), published: n(c.envelopes_published), freed: n(c.envelopes_freed) })],
  ];
  return (
    <dl class="facts body">
      {rows.map(([name, value]) => (
        <>
          <dt key={name}>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

function Lines({ c }: { c: Collector }): JSX.Element {
  return (
    <section class="panel" id="lines" aria-labelledby="lines-title">
      <header>
        <h2 id="lines-title">{t('lines')}</h2>
        <p class="quiet">{t('lines.about')}</p>
      </header>
      {c.lines.length === 0 ? (
        <p class="body quiet">{t('lines.none')}</p>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">{t('line')}</th>
              <th scope="col">{t('line.kind')}</th>
              <th scope="col">{t('line.address')}</th>
              <th scope="col" class="num">{t('meters')}</th>
              <th scope="col" class="num">{t('success.today')}</th>
              <th scope="col">{t('line.used')}</th>
            </tr>
          </thead>
          <tbody>
            {c.lines.map((l) => (
              <tr key={l.name} data-line={l.name}>
                <th scope="row">{l.name}</th>
                <td data-label={t('line.kind')}>{words.word('kind', l.kind)}</td>
                <td data-label={t('line.address')}>
                  <span class="code">{l.address}</span>
                </td>
                <td data-label={t('meters')} class="num">{n(l.meters)}</td>
                <td data-label={t('success.today')} class="num">
                  {l.success_rate === null ? '–' : formatPercent(l.success_rate, lang.value)}{' '}
                  <span class="quiet">{t('health.slots', { read: l.read, planned: l.planned })}</span>
                </td>
                <td data-label={t('line.used')}>
                  <State tone={usedTone(l.used)}>{formatPercent(l.used, lang.value)}</State>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Failing({ c }: { c: Collector }): JSX.Element | null {
  if (c.failing.length === 0) return null;
  return (
    <section class="panel" id="failing" aria-labelledby="failing-title">
      <header>
        <h2 id="failing-title">{t('failing', { n: n(c.failing_total) })}</h2>
      </header>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">{t('col.meter')}</th>
            <th scope="col">{t('collector.sincewhen')}</th>
            <th scope="col">{t('health.error')}</th>
          </tr>
        </thead>
        <tbody>
          {c.failing.map((f) => (
            <tr key={f.meter} data-failing={f.meter}>
              <th scope="row">
                <a {...follow({ ...HOME, meter: f.meter })}>{f.meter}</a>
              </th>
              <td data-label={t('collector.sincewhen')}>{at(f.since)}</td>
              <td class="errortext">
                {f.cause && <strong>{words.word('short', f.cause)}. </strong>}
                <span class="quiet">{withoutMeter(f.error, f.meter)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Sessions({ c }: { c: Collector }): JSX.Element {
  return (
    <section class="panel" id="sessions" aria-labelledby="sessions-title">
      <header>
        <h2 id="sessions-title">{t('sessions')}</h2>
        <p class="quiet">{t('sessions.about')}</p>
      </header>
      {c.sessions.length === 0 ? (
        <p class="body quiet">{t('sessions.none')}</p>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">{t('session.stream')}</th>
              <th scope="col" class="num">{t('session.boot')}</th>
              <th scope="col">{t('session.since')}</th>
              <th scope="col">{t('session.at')}</th>
            </tr>
          </thead>
          <tbody>
            {c.sessions.map((s) => (
              <tr key={s.stream}>
                <th scope="row">{words.word('stream', s.stream)}</th>
                <td data-label={t('session.boot')} class="num">{n(s.boot)}</td>
                <td data-label={t('session.since')}>{at(s.since)}</td>
                <td data-label={t('session.at')}>{at(s.at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Refusals({ c }: { c: Collector }): JSX.Element {
  return (
    <section class="panel" id="refusals" aria-labelledby="refusals-title">
      <header>
        <h2 id="refusals-title">{t('refusals')}</h2>
        <p class="quiet">{t('refusals.about')}</p>
      </header>
      {c.refusals.length === 0 ? (
        <p class="body quiet">{t('refusals.none')}</p>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">{t('verdicts.reason')}</th>
              <th scope="col" class="num">{t('verdicts.count')}</th>
              <th scope="col">{t('verdicts.last')}</th>
            </tr>
          </thead>
          <tbody>
            {c.refusals.map((r) => (
              <tr key={r.code}>
                <th scope="row">
                  {words.word('refusal', r.code)} <span class="code quiet">{r.code}</span>
                </th>
                <td data-label={t('verdicts.count')} class="num">{n(r.count)}</td>
                <td data-label={t('verdicts.last')}>{at(r.at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
