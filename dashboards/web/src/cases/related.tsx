import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { className } from '../shared/classname.ts';
import { formatTime } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import type { CaseEventJSON, ComponentDetail } from '../shared/openapi.ts';
import type { CaseData } from './casedata.ts';
import { Fact } from './facts.tsx';
import { departmentName } from './names.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

/** The page of a meter. */
export function meterAddress(id: string): string {
  return `/meters#meter=${encodeURIComponent(id)}`;
}

/** The component that the case is about, and its meters. */
export function Thing({ data }: { data: CaseData }): JSX.Element | null {
  const id = data.detail.report.component || data.events.find((e) => e.component)?.component || '';
  const [thing, setThing] = useState<ComponentDetail | null>(null);
  const [absent, setAbsent] = useState(false);
  useEffect(() => {
    const gone = new AbortController();
    setThing(null);
    setAbsent(false);
    if (id) ask<ComponentDetail>(`/api/v1/components/${encodeURIComponent(id)}`, {}, gone.signal).then(setThing, () => !gone.signal.aborted && setAbsent(true));
    return () => gone.abort();
  }, [id]);
  if (!id) return null;
  return (
    <section class="panel thing">
      <header>
        <h2>{t('thing')}</h2>
        <span class="code">{id}</span>
      </header>
      <div class="body">
        {absent && <p class="quiet">{t('thing.absent')}</p>}
        {thing && (
          <dl class="facts two">
            <Fact name={codes.t('f.class')}>{className(thing)}</Fact>
            <Fact name={t('thing.name')}>{thing.name}</Fact>
            <Fact name={t('where.words')}>{thing.location}</Fact>
            <Fact name={t('thing.charge')}>{thing.authority ? departmentName(thing.authority) : t('thing.nobody')}</Fact>
            <Fact name={t('thing.upkeep')}>{thing.upkeep && departmentName(thing.upkeep)}</Fact>
            <Fact name={t('thing.meters')}>
              {thing.meters.length > 0 ? (
                <span class="row">
                  {thing.meters.map((m) => (
                    <a key={m.meter + (m.valid.from ?? '')} href={meterAddress(m.meter)}>
                      {m.meter}
                      {m.valid.to && ` (${t('thing.past')})`}
                    </a>
                  ))}
                </span>
              ) : undefined}
            </Fact>
          </dl>
        )}
      </div>
    </section>
  );
}

/** The component events behind a case. */
export function Events({ events }: { events: readonly CaseEventJSON[] }): JSX.Element | null {
  if (events.length === 0) return null;
  return (
    <section class="panel">
      <header>
        <h2>{t('events')}</h2>
      </header>
      <ul class="body events">
        {events.map((e) => (
          <li key={e.id}>
            <State tone={e.cleared ? 'ok' : 'bad'}>{t(e.cleared ? 'event.cleared' : 'event.on')}</State>
            <b>{codes.word('ev', e.kind)}</b>
            {e.meter && <a href={meterAddress(e.meter)}>{e.meter}</a>}
            {e.line && <span class="code">{`${e.collector} / ${e.line}`}</span>}
            <span class="quiet">
              {(e.since ?? e.opened) && t('event.from', { time: formatTime(Date.parse(e.since ?? e.opened ?? '')).slice(0, 16) })}
              {e.cleared && ` ${t('event.to', { time: formatTime(Date.parse(e.cleared)).slice(0, 16) })}`}
            </span>
            {e.note && <span class="quiet">{e.note}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
