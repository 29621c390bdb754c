import type { JSX } from 'preact';
import { formatTime } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import type { CaseLimitsJSON, HandlingJSON } from '../shared/openapi.ts';
import { Due, Light, spanText } from './due.tsx';
import { Fact } from './facts.tsx';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

const time = (s: string): string => formatTime(Date.parse(s)).slice(0, 16);

/** The limits of a case, and what they are made of. */
export function LimitBox({ limits, at }: { limits: CaseLimitsJSON; at: number }): JSX.Element {
  const { step, handling } = limits;
  return (
    <section class="panel limitbox" aria-label={t('limits')}>
      <header>
        <h2>{t('limits')}</h2>
      </header>
      <div class="body">
        {step && (
          <p class="limit">
            <Due due={step} asOf={at} named />
            <small>{step.deadline && t('due.by', { time: time(step.deadline) })}{step.working && ` · ${t('due.working')}`}</small>
          </p>
        )}
        {handling ? <Handling h={handling} limits={limits} at={at} /> : <p class="quiet">{t('limit.none')}</p>}
      </div>
    </section>
  );
}

function Handling({ h, limits, at }: { h: HandlingJSON; limits: CaseLimitsJSON; at: number }): JSX.Element {
  const used = Math.max(0, Math.min(100, Math.round((100 * h.used_ms) / Math.max(1, h.total_ms))));
  const done = h.done !== undefined;
  return (
    <>
      <p class="limit">
        {!h.begun && <State tone="none">{codes.t('stage.handling')}</State>}
        {h.begun && done && <span>{codes.t('stage.handling')} <Light light={h.late ? 'red' : 'green'} clock={h.late ? 'missed' : 'met'} /></span>}
        {h.begun && !done && <Due due={h} asOf={at} named />}
        <small>{h.deadline ? t('due.by', { time: time(h.deadline) }) : h.begun ? t('due.stands') : t('limit.later')}</small>
      </p>
      {h.begun && (
        <p class="used">
          <meter min={0} max={100} low={80} high={99.5} optimum={0} value={used} aria-label={t('limit.used')} />
          <small>{t('limit.of', { used: spanText(h.used_ms, h.working), total: spanText(h.total_ms, h.working) })}</small>
        </p>
      )}
      <dl class="facts">
        <Fact name={t('limit')}>{`${h.limit.amount} ${codes.word('unit', h.limit.unit)}`}</Fact>
        <Fact name={t('limit.counts')}>{`${codes.word('starts', h.starts)}; ${codes.word('rework', h.rework)}`}</Fact>
        <Fact name={t('limit.closes')}>{h.rule?.closes}</Fact>
        <Fact name={t('limit.source')}>{h.rule?.source}</Fact>
        <Fact name={t('limit.rounds')}>{h.rounds > 1 ? String(h.rounds) : ''}</Fact>
        <Fact name={t('limit.overrun')}>{h.overrun > 0 ? t('limit.times', { n: (h.overrun / 1000).toFixed(1) }) : ''}</Fact>
      </dl>
      {limits.clock.length > 0 && (
        <ol class="marks" aria-label={t('limit.clock')}>
          {limits.clock.map((m) => (
            <li key={m.kind + m.at} data-kind={m.kind}>
              <time dateTime={m.at}>{time(m.at).slice(5)}</time> {codes.word('mark', m.kind)}
              {m.amount ? ` +${m.amount} ${codes.word('unit', h.limit.unit)}` : ''}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
