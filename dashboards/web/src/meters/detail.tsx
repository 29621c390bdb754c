// One meter: every quantity with its last value, the past of one of them, what went
// through it, how well it is read, and what failed.

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { DiagnosisJSON, LastValue, MeterDetail } from './api.ts';
import { common } from '../shared/common.ts';
import { formatAge, formatSpan } from '../shared/format.ts';
import { words } from './words.ts';
import { Medium, QualityMark } from '../shared/marks.tsx';
import { MeterMark } from './marks.tsx';
import { Past } from './past.tsx';
import { Consumption } from './consumption.tsx';
import { Failure } from './failure.tsx';
import { Installed } from './installed.tsx';
import { Success } from './success.tsx';
import { Verdicts } from './verdicts.tsx';
import { usePolled } from '../shared/poll.ts';
import { go, hubNow, lang, quantities, quantityName, route, t } from './state.ts';
import { Value } from '../shared/value.tsx';

export function Detail({ id }: { id: string }): JSX.Element {
  const { data, error } = usePolled<MeterDetail>(`/api/v1/meters/${id}`, () => ({}), 2000);
  const diagnosis = usePolled<DiagnosisJSON>(`/api/v1/meters/${id}/diagnosis`, () => ({}), 15_000);
  const chosen = route.value.quantity || data?.readings[0]?.quantity || '';
  useEffect(() => document.getElementById('content')?.scrollIntoView({ block: 'start' }), []);
  return (
    <>
      <section class="detail" id="meters" tabIndex={-1} aria-labelledby="meter-title">
        <header>
          <button type="button" class="back" onClick={() => go({ meter: '', quantity: '' })}>
            <span aria-hidden="true">←</span> {t('back')}
          </button>
          <h1 id="meter-title">
            {data && <Medium id={data.medium} />}
            {id}
          </h1>
          {data && <Facts d={data} />}
          <button type="button" class="push" onClick={() => print()}>
            {common.t('print')}
          </button>
        </header>
        {error && <p class="problem" role="alert">{words.code('err', error.code)}</p>}
        {!data && !error && <p class="empty quiet">{t('loading')}</p>}
        <div class="split">
          {data && <Values list={data.readings} chosen={chosen} />}
          {chosen && <Past key={chosen} meter={id} quantity={chosen} />}
        </div>
      </section>
      {data && <Amount id={id} list={data.readings} chosen={chosen} />}
      {diagnosis.error && !diagnosis.data && <p class="problem" role="alert">{words.code('err', diagnosis.error.code)}</p>}
      {diagnosis.data && <Diagnosed d={diagnosis.data} />}
    </>
  );
}

function Diagnosed({ d }: { d: DiagnosisJSON }): JSX.Element {
  return (
    <>
      <div class="pair">
        <Success d={d} />
        <Installed list={d.installations} />
      </div>
      <Failure f={d.failure} meter={d.id} />
      <Verdicts d={d} />
    </>
  );
}

/** The bars are of the chosen quantity where it counts, else of the meter's first that does. */
function Amount({ id, list, chosen }: { id: string; list: LastValue[]; chosen: string }): JSX.Element | null {
  const counts = (q: string): boolean => quantities.value.get(q)?.kind === 'counter';
  const of = counts(chosen) ? chosen : list.find((v) => counts(v.quantity))?.quantity;
  return of === undefined ? null : <Consumption key={`${id} ${of}`} meter={id} quantity={of} />;
}

function Facts({ d }: { d: MeterDetail }): JSX.Element {
  return (
    <p class="facts">
      <MeterMark state={d.state} />
      {d.interval_s !== undefined && d.interval_s > 0 && (
        <span>
          {t('detail.interval')} {formatSpan(d.interval_s * 1000, lang.value)}
        </span>
      )}
    </p>
  );
}

function Values({ list, chosen }: { list: LastValue[]; chosen: string }): JSX.Element | null {
  if (list.length === 0) return null;
  return (
    <div class="values">
      <h2>{t('detail.values')}</h2>
      <ul>
        {list.map((v) => (
          <li key={v.quantity}>
            <button type="button" aria-pressed={v.quantity === chosen} data-quantity={v.quantity} onClick={() => go({ quantity: v.quantity }, false)}>
              <span class="qname">{quantityName(v.quantity)}</span>
              <Value v={v} />
              <span class="note">
                {v.quality !== 'good' && <QualityMark quality={v.quality} />}
                {v.reason && words.word('why', v.reason)}
              </span>
              <span class="age">{formatAge(hubNow.value - Date.parse(v.taken_at), lang.value)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
