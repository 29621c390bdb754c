// One meter: every quantity with its last value, and the past of one of them.

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { LastValue, MeterDetail } from './api.ts';
import { formatAge, formatSpan, formatTime, withoutMeter } from './format.ts';
import { translateCode, translateWord } from './i18n.ts';
import { Medium, MeterMark, QualityMark } from './marks.tsx';
import { Past } from './past.tsx';
import { usePolled } from './poll.ts';
import { go, hubNow, lang, quantityName, route, t } from './state.ts';
import { Value } from './value.tsx';

export function Detail({ id }: { id: string }): JSX.Element {
  const { data, error } = usePolled<MeterDetail>(`/api/v1/meters/${id}`, () => ({}), 2000);
  const chosen = route.value.quantity || data?.readings[0]?.quantity || '';
  useEffect(() => document.getElementById('meters')?.scrollIntoView({ block: 'start' }), []);
  return (
    <section class="detail" id="meters" tabIndex={-1} aria-labelledby="meter-title">
      <header>
        <button type="button" class="back" onClick={() => go({ meter: '', quantity: '' })}>
          <span aria-hidden="true">←</span> {t('back')}
        </button>
        <h2 id="meter-title">
          {data && <Medium id={data.medium} />}
          {id}
        </h2>
        {data && <Facts d={data} />}
      </header>
      {error && <p class="problem" role="alert">{translateCode(lang.value, 'err', error.code)}</p>}
      {!data && !error && <p class="empty quiet">{t('loading')}</p>}
      <div class="split">
        {data && <Values list={data.readings} chosen={chosen} />}
        {chosen && <Past key={chosen} meter={id} quantity={chosen} />}
      </div>
    </section>
  );
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
      {d.fault && (
        <span class="fault">
          {withoutMeter(d.fault.error, d.id)} · {d.fault.collector} · {t('detail.since', { time: formatTime(Date.parse(d.fault.since)) })}
        </span>
      )}
    </p>
  );
}

function Values({ list, chosen }: { list: LastValue[]; chosen: string }): JSX.Element | null {
  if (list.length === 0) return null;
  return (
    <div class="values">
      <h3>{t('detail.values')}</h3>
      <ul>
        {list.map((v) => (
          <li key={v.quantity}>
            <button type="button" aria-pressed={v.quantity === chosen} data-quantity={v.quantity} onClick={() => go({ quantity: v.quantity }, false)}>
              <span class="qname">{quantityName(v.quantity)}</span>
              <Value v={v} />
              <span class="note">
                {v.quality !== 'good' && <QualityMark quality={v.quality} />}
                {v.reason && translateWord(lang.value, 'why', v.reason)}
              </span>
              <span class="age">{formatAge(hubNow.value - Date.parse(v.taken_at), lang.value)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
