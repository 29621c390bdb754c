// The river: each step from the meter to the receipt, with its figures.

import type { JSX } from 'preact';
import type { Flow, Step } from './api.ts';
import type { StepId } from './figures.ts';
import { figures, STEPS } from './figures.ts';
import { formatCount, formatSpan, formatTime } from '../shared/format.ts';
import { words } from './words.ts';
import { StepMark } from './marks.tsx';
import { lang, live, t } from './state.ts';

export function River(): JSX.Element {
  const { flow, connection } = live.value;
  return (
    <section class="river" aria-labelledby="river-title">
      <Verdict flow={flow} />
      <ol class={`steps ${connection}`}>
        {STEPS.map((id) => (
          <StepItem key={id} id={id} flow={flow} />
        ))}
      </ol>
      {flow && <Advice flow={flow} />}
    </section>
  );
}

function Verdict({ flow }: { flow: Flow | null }): JSX.Element {
  const l = lang.value;
  const troubled = flow ? STEPS.filter((id) => flow[id].state !== 'ok').length : 0;
  return (
    <header class="verdict">
      <h2 id="river-title">
        {!flow ? t('river') : troubled === 1 ? t('river.attention1') : troubled ? t('river.attention', { n: troubled }) : t('river.good')}
      </h2>
      {flow && (
        <p>
          {t('river.sum', {
            a: formatCount(flow.meters.answering, l), m: formatCount(flow.meters.total, l), p: formatCount(flow.store.points, l),
            since: formatTime(Date.parse(flow.started_at)).slice(5, 16),
          })}
          {flow.store.p50_ms !== null && flow.store.p99_ms !== null && (
            <span class="latency">
              {t('river.latency', { p50: formatSpan(flow.store.p50_ms, l), p99: formatSpan(flow.store.p99_ms, l) })}
            </span>
          )}
        </p>
      )}
    </header>
  );
}

function StepItem({ id, flow }: { id: StepId; flow: Flow | null }): JSX.Element {
  if (!flow) {
    return (
      <li class="step loading">
        <span class="name">{t(`step.${id}`)}</span>
        <span class="main">
          <b>&ndash;</b>
        </span>
      </li>
    );
  }
  const step: Step = flow[id];
  const f = figures(id, flow, lang.value);
  return (
    <li class={`step ${step.state}${f.moving ? ' moving' : ''}`} data-step={id}>
      <span class="name">{t(`step.${id}`)}</span>
      <StepMark state={step.state} partly={step.reason.startsWith('some_')} />
      <span class="main">
        <b>{f.main}</b> <span class="unit">{f.unit}</span>
      </span>
      <span class="sub">{f.sub}</span>
    </li>
  );
}

/** What to do about the steps that are not well, each said once. */
function Advice({ flow }: { flow: Flow }): JSX.Element | null {
  const troubled = STEPS.filter((id) => flow[id].state !== 'ok');
  if (troubled.length === 0) return null;
  const byReason = new Map<string, StepId[]>();
  for (const id of troubled) byReason.set(flow[id].reason, [...(byReason.get(flow[id].reason) ?? []), id]);
  const comma = lang.value === 'zh-CN' ? '、' : ', ';
  return (
    <dl class="advice">
      {[...byReason].map(([reason, ids]) => (
        <div key={reason}>
          <dt>
            {ids.map((id) => t(`step.${id}`)).join(comma)}
          </dt>
          <dd>{words.code('reason', reason)}</dd>
        </div>
      ))}
    </dl>
  );
}
