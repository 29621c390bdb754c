import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { className } from '../shared/classname.ts';
import { formatTime } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import type { EntryJSON } from '../shared/openapi.ts';
import type { CaseData } from './casedata.ts';
import { asked, chain } from './chain.ts';
import { roleName } from './facts.tsx';
import { departmentName, personName } from './names.ts';
import { link } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

/** What was done, by whom, when, and why; and whether the chain of digests holds. */
export function Journal({ data }: { data: CaseData }): JSX.Element {
  const [digests, setDigests] = useState(false);
  const broken = chain(data.journal, data.detail.head);
  return (
    <section class="panel journal">
      <header>
        <h2>{t('journal')}</h2>
        <State tone={broken === 0 ? 'ok' : 'bad'}>{broken === 0 ? t('chain.good', { n: data.journal.length }) : t('chain.broken', { n: broken })}</State>
        <label class="check noprint push">
          <input type="checkbox" checked={digests} onChange={() => setDigests(!digests)} /> {t('chain.show')}
        </label>
      </header>
      <ol class="body">
        {data.journal.map((e) => (
          <Entry key={e.number} e={e} about={asked(data.journal, e.number)} digests={digests} unit={data.detail.limit?.unit ?? ''} />
        ))}
      </ol>
    </section>
  );
}

function Entry({ e, about, digests, unit }: { e: EntryJSON; about: string; digests: boolean; unit: string }): JSX.Element {
  const offline = Math.abs(Date.parse(e.received_at) - Date.parse(e.at)) > 60_000;
  return (
    <li id={`entry-${e.number}`}>
      <p class="entry-head">
        <span class="nr">{e.number}</span> <b>{about ? t('act.of', { act: codes.word('act', e.act), what: codes.word('req', about.slice(4)) }) : codes.word('act', e.act)}</b> <span>{said(e, unit)}</span>
      </p>
      <p class="quiet">
        <time dateTime={e.counts_at}>{formatTime(Date.parse(e.counts_at))}</time> · {e.person === 'citygrid' ? 'citygrid' : personName(e.person)} · {roleName(e.role)}
        {e.department && ` · ${departmentName(e.department)}`}
        {offline && ` · ${t('entry.received', { time: formatTime(Date.parse(e.received_at)).slice(5, 16) })}`}
        {e.clock_refused && ` · ${t('entry.clock')}`}
      </p>
      {e.reason && <p>{t('entry.reason', { text: e.reason })}</p>}
      {e.text && <p class="text">{e.text}</p>}
      {e.duplicate_of && (
        <p>
          <a href={link({ page: 'case', id: e.duplicate_of })}>{t('duplicate.is', { id: e.duplicate_of })}</a>
        </p>
      )}
      {(e.media?.length ?? 0) > 0 && <p class="quiet">{t('entry.media', { n: e.media?.length ?? 0 })}</p>}
      {digests && <p class="code digest">SM3 {e.sm3}</p>}
    </li>
  );
}

/** What an entry says beside its act. */
function said(e: EntryJSON, unit: string): string {
  const parts: string[] = [];
  if (e.classification) parts.push([className(e.classification), e.classification.condition].filter(Boolean).join(' · '));
  if (e.filing) parts.push([codes.word('ev', e.filing.condition), e.filing.limit ? `${e.filing.limit.amount} ${codes.word('unit', e.filing.limit.unit)}` : t('limit.none'), e.filing.no_cell].filter(Boolean).join(' · '));
  if (e.inspector) parts.push(personName(e.inspector));
  if (e.outcome === 'yes' || e.outcome === 'no') parts.push(t(`outcome.${e.act === 'answer_check' ? 'check' : 'verify'}.${e.outcome}`));
  if (e.departments) parts.push(e.departments.map(departmentName).join(', '));
  if (e.amount) parts.push(`+${e.amount} ${codes.word('unit', unit)}`);
  return parts.join(' · ');
}
