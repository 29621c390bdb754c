import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { className } from '../shared/classname.ts';
import { formatAge } from '../shared/format.ts';
import type { CaseJSON, PositionJSON } from '../shared/openapi.ts';
import { lang } from '../shared/words.ts';
import type { Asked } from './acts.tsx';
import type { CaseData } from './casedata.ts';
import { metres, pointOf } from './geo.ts';
import { link, now } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';
import { eventText } from './wordsevent.ts';

/** What a case is compared by. */
export interface Subject {
  class: string;
  component: string;
  position: PositionJSON | undefined;
}

/** Within how many metres another case may be about the same thing. */
const WITHIN = 100;

/** Open cases that may be about the same thing; null while the hub has not answered. */
export function useSimilar(s: Subject, not = ''): readonly CaseJSON[] | null {
  const [list, setList] = useState<readonly CaseJSON[] | null>(null);
  const { class: kind, component, position } = s;
  const key = JSON.stringify([kind, component, position?.lon, position?.lat, position?.crs]);
  useEffect(() => {
    const gone = new AbortController();
    setList(null);
    if (!kind || (!component && !position)) return undefined;
    const where = position ? { lon: position.lon, lat: position.lat, crs: position.crs, within: WITHIN } : {};
    let timer = 0;
    const look = (): void => {
      ask<CaseJSON[]>('/api/v1/similar-cases', { class: kind, component, ...where }, gone.signal).then(
        (rows) => setList(rows.filter((r) => r.id !== not)),
        () => { if (!gone.signal.aborted) timer = window.setTimeout(look, 5000); },
      );
    };
    look();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [key, not]);
  return list;
}

/** How far away another case is, and how long ago it was reported. */
export function SimilarRow({ row, from }: { row: CaseJSON; from: Subject }): JSX.Element {
  const [a, b] = [pointOf(from.position), pointOf(row.position)];
  const same = row.component !== '' && row.component === from.component;
  return (
    <>
      <a class="number" href={link({ page: 'case', id: row.id })}>{row.id}</a>
      <b>{className(row)}</b>
      <span class="tag">{codes.word('st', row.state)}</span>
      <span class="quiet">
        {same ? t('similar.same') : a && b ? t('similar.away', { m: Math.round(metres(a, b)) }) : t('similar.near')} · {formatAge(now.value - Date.parse(row.reported), lang.value)}
      </span>
      <span class="quiet clip">{eventText(row.description, lang.value) || row.location}</span>
    </>
  );
}

/** Cases that may be duplicates, with the act that makes this one theirs where it may be done. */
export function Similar({ data, onDuplicate }: { data: CaseData; onDuplicate: (asked: Asked) => void }): JSX.Element | null {
  const d = data.detail;
  const subject: Subject = { class: d.class, component: d.report.component ?? '', position: d.report.position };
  const list = useSimilar(subject, d.id);
  if (!list || list.length === 0) return null;
  const may = data.may.acts.filter((a) => a.possible).map((a) => a.act);
  const act = may.includes('reject') ? 'reject' : may.includes('ask_void') ? 'ask_void' : '';
  const asked = (id: string): Asked => ({ act, filled: act === 'reject' ? { duplicate_of: id, reason: t('similar.reason', { id }) } : { reason: t('similar.reason', { id }) } });
  return (
    <section class="panel similar">
      <header>
        <h2>{t('similar')}</h2>
        <span class="quiet">{t('similar.hint', { m: WITHIN })}</span>
      </header>
      <ul class="body">
        {list.map((row) => (
          <li key={row.id}>
            <SimilarRow row={row} from={subject} />
            {act && (
              <button type="button" class="noprint" data-duplicate={row.id} onClick={() => onDuplicate(asked(row.id))}>
                {t(act === 'reject' ? 'similar.reject' : 'similar.void', { id: row.id })}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
