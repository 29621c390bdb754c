import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import type { CellJSON } from '../shared/openapi.ts';
import type { CaseData } from './casedata.ts';
import { Fact } from './facts.tsx';
import { pointOf } from './geo.ts';
import type { Dot } from './plan.tsx';
import { SmallMap } from './plan.tsx';
import { t } from './words.ts';

/** A cell with its outline; null while it is not known. */
export function useCell(code: string): CellJSON | null {
  const [cell, setCell] = useState<CellJSON | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    setCell(null);
    if (code) ask<CellJSON>(`/api/v1/cells/${code}`, {}, gone.signal).then(setCell, () => undefined); // without it the place stands in words
    return () => gone.abort();
  }, [code]);
  return cell;
}

/** Where it is: in words, on a small map, and on the map of the city. */
export function Where({ data }: { data: CaseData }): JSX.Element {
  const d = data.detail;
  const p = d.report.position;
  const at = pointOf(p);
  const cell = useCell(d.cell);
  const dots: Dot[] = at ? [{ ...at, id: d.id, kind: 'here', label: d.id }] : [];
  const position = p ? `${p.lon.toFixed(6)}, ${p.lat.toFixed(6)} (${p.crs}${p.accuracy ? ` ± ${Math.round(p.accuracy)} m` : ''})` : '';
  return (
    <section class="panel where">
      <header>
        <h2>{t('where')}</h2>
        {d.cell && (
          <a class="push noprint" href={`/#area=${d.cell}`}>
            {t('where.map')}
          </a>
        )}
      </header>
      <div class="body">
        <SmallMap outline={cell?.geometry} dots={dots} alt={t('where.alt', { cell: d.cell || t('nowhere') })} />
        <dl class="facts">
          <Fact name={t('where.words')}>{d.report.location}</Fact>
          <Fact name={t('where.cell')}>{d.cell ? `${cell?.name ? `${cell.name} ` : ''}${d.cell}` : t('where.nocell')}</Fact>
          <Fact name={t('where.duty')}>{d.report.duty}</Fact>
          <Fact name={t('where.position')}>{position}</Fact>
        </dl>
        {p && !at && <p class="quiet">{t('where.shifted')}</p>}
      </div>
    </section>
  );
}
