import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { className } from '../shared/classname.ts';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import type { PetitionerJSON } from '../shared/openapi.ts';
import { has, session } from '../shared/session.ts';
import { Button, Problem } from '../shared/ui.tsx';
import type { CaseData } from './casedata.ts';
import { departmentName, personName } from './names.ts';
import { lang } from '../shared/words.ts';
import { t, words } from './words.ts';
import { codes } from './wordscodes.ts';
import { eventText } from './wordsevent.ts';

/** A fact that is there. */
export function Fact({ name, children }: { name: string; children: JSX.Element | string | undefined }): JSX.Element | null {
  if (!children) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** The name of a role, of the staff or not. */
export function roleName(r: string): string {
  const own = codes.word('role', r);
  return own === r ? common.word('role', r) : own;
}

function list(ids: readonly string[]): string {
  return ids.map(departmentName).join(lang.value === 'en' ? ', ' : '、');
}

/** What was reported, and whom the case is with. */
export function Facts({ data }: { data: CaseData }): JSX.Element {
  const d = data.detail;
  const r = d.report;
  const outcome = (who: string, answer: string, kind: 'verify' | 'check'): string =>
    who === 'citygrid' ? roleName('sensor') : [personName(who), answer === 'yes' || answer === 'no' ? t(`outcome.${kind}.${answer}`) : ''].filter(Boolean).join(' · ');
  return (
    <section class="panel facts-panel">
      <header>
        <h2>{t('facts')}</h2>
      </header>
      <div class="body">
        {r.description && <p class="description">{eventText(r.description, lang.value)}</p>}
        <dl class="facts two">
          <Fact name={codes.t('f.class')}>{`${className(d)} (${d.class})`}</Fact>
          <Fact name={codes.t('f.condition')}>{codes.word('ev', d.condition)}</Fact>
          <Fact name={t('col.source')}>{codes.word('src', r.source)}</Fact>
          <Fact name={t('urgency')}>{codes.word('urg', r.urgency)}</Fact>
          <Fact name={t('reporter')}>{`${personName(d.reporter.person)} · ${roleName(d.reporter.role)}`}</Fact>
          <Fact name={t('col.reported')}>{formatTime(Date.parse(d.reported))}</Fact>
          <Fact name={t('since')}>{formatTime(Date.parse(d.since))}</Fact>
          <Fact name={t('verifier')}>{d.verifier && outcome(d.verifier, d.verified, 'verify')}</Fact>
          <Fact name={t('sent.to')}>{list(d.sent_to)}</Fact>
          <Fact name={t('handler')}>{d.handler && (d.handler_name || departmentName(d.handler))}</Fact>
          <Fact name={t('checker')}>{d.checker && outcome(d.checker, d.checked, 'check')}</Fact>
          <Fact name={t('col.reworks')}>{d.reworks > 0 ? String(d.reworks) : ''}</Fact>
          <Fact name={t('self')}>{r.self_handled ? common.t('vs.yes') : ''}</Fact>
          <Fact name={t('reply')}>{r.reply_wanted ? common.t('vs.yes') : ''}</Fact>
        </dl>
        {d.request && (
          <p class="request">
            <b>{t('request.by', { who: personName(d.request.by.person), what: codes.word('req', d.request.kind) })}</b>{' '}
            {d.request.amount ? t('request.amount', { n: d.request.amount, unit: codes.word('unit', d.limit?.unit ?? '') }) : ''} {d.request.reason}
          </p>
        )}
      </div>
    </section>
  );
}

/** Personal data: asked for only when somebody wants to see them, which the hub writes down. */
export function Petitioner({ id }: { id: string }): JSX.Element | null {
  const [data, setData] = useState<PetitionerJSON | null>(null);
  const [error, setError] = useState<unknown>(null);
  if (session.value?.state !== 'signed_in' || !has('acceptor', 'shift_leader')) return null;
  const show = async (): Promise<void> => {
    setError(null);
    await ask<PetitionerJSON>(`/api/v1/cases/${encodeURIComponent(id)}/petitioner`).then(setData, setError);
  };
  return (
    <section class="panel noprint">
      <header>
        <h2>{t('petitioner')}</h2>
      </header>
      <div class="body">
        {error !== null && <Problem error={error} words={words} />}
        {data ? (
          <dl class="facts">
            <Fact name={t('p.name')}>{data.name}</Fact>
            <Fact name={t('p.phone')}>{data.phone ? <a href={`tel:${data.phone}`}>{data.phone}</a> : undefined}</Fact>
            <Fact name={t('p.email')}>{data.email}</Fact>
          </dl>
        ) : (
          <div class="row">
            <Button id="petitioner" onClick={show}>
              {t('petitioner.show')}
            </Button>
            <span class="quiet">{t('petitioner.note')}</span>
          </div>
        )}
      </div>
    </section>
  );
}
