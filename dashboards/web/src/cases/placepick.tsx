// Where something is: a component, a cell, coordinates, or a click on the small map.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { className } from '../shared/classname.ts';
import type { CaseJSON, ComponentDetail, ComponentJSON, PlaceOfJSON, PositionJSON } from '../shared/openapi.ts';
import { Field } from '../shared/ui.tsx';
import { pointOf } from './geo.ts';
import { departmentName } from './names.ts';
import { readPlace } from './placeread.ts';
import type { Dot } from './plan.tsx';
import { SmallMap } from './plan.tsx';
import { t } from './words.ts';
import { useCell } from './where.tsx';

/** A place as a report says it. */
export interface Place {
  component: string;
  position: PositionJSON | undefined;
  location: string;
  cell: string;
  /** Class of the component. */
  class: string;
}

export const NOWHERE: Place = { component: '', position: undefined, location: '', cell: '', class: '' };

interface Props {
  place: Place;
  /** Called with what changes; the rest stays. */
  onChange: (change: Partial<Place>) => void;
  errors: Record<string, string>;
  similar: readonly CaseJSON[];
}

/** The components of a cell, for the map. */
function useComponents(cell: string): readonly ComponentJSON[] {
  const [list, setList] = useState<readonly ComponentJSON[]>([]);
  useEffect(() => {
    const gone = new AbortController();
    setList([]);
    if (cell) ask<{ rows: ComponentJSON[] }>('/api/v1/components', { cell, limit: 300 }, gone.signal).then((p) => setList(p.rows), () => undefined); // the map then has the outline alone
    return () => gone.abort();
  }, [cell]);
  return list;
}

export function PlacePick({ place, onChange, errors, similar }: Props): JSX.Element {
  const [text, setText] = useState('');
  const [said, setSaid] = useState('');
  const [where, setWhere] = useState<PlaceOfJSON | null>(null);
  const cell = useCell(place.cell);
  const things = useComponents(place.cell);
  const take = async (read: string): Promise<void> => {
    const got = readPlace(read);
    setSaid('');
    if (got.kind === 'point') return put({ lon: got.lon, lat: got.lat, crs: 'WGS84' });
    if (got.kind === 'cell') return onChange({ cell: got.code, component: '', position: undefined });
    if (got.kind === 'none') return undefined;
    const found = await ask<ComponentDetail>(`/api/v1/components/${encodeURIComponent(got.id)}`).catch(() => null);
    if (!found) return setSaid(t('place.unknown', { id: got.id }));
    setWhere(found.place);
    return onChange({ component: found.id, class: found.class, position: undefined, cell: found.cell || found.place.cell, ...(place.location ? {} : { location: found.location }) });
  };
  const put = async (position: PositionJSON): Promise<void> => {
    const at = await ask<PlaceOfJSON>('/api/v1/where', { lon: position.lon, lat: position.lat, crs: position.crs }).catch(() => null);
    setWhere(at);
    if (at && !at.cell) setSaid(t('where.nocell'));
    onChange({ position, cell: at?.cell || place.cell, component: '' });
  };
  const point = pointOf(place.position);
  const own = things.find((c) => c.id === place.component);
  const dots: Dot[] = [
    ...things.flatMap((c) => { const p = pointOf(c.position); return p ? [{ ...p, id: c.id, kind: 'thing' as const, label: `${className(c)} ${c.id}` }] : []; }),
    ...similar.flatMap((c) => { const p = pointOf(c.position); return p ? [{ ...p, id: c.id, kind: 'like' as const, label: `${className(c)} ${c.id}` }] : []; }),
    ...[point, pointOf(own?.position)].flatMap((p) => (p ? [{ ...p, id: 'here', kind: 'here' as const, label: t('place.here') }] : [])),
  ];
  return (
    <>
      <Field label={t('place.find')} hint={t('place.hint')} error={said || errors['component'] || errors['position'] || ''} render={(id, by) => (
        <div class="row nowrap">
          <input id={id} aria-describedby={by} autocomplete="off" value={text} onInput={(e) => setText(e.currentTarget.value)}
            onKeyDown={(e) => { if (e.key === 'Enter') { e.preventDefault(); void take(text); } }} />
          <button type="button" id="place-take" onClick={() => void take(text)}>{t('place.take')}</button>
        </div>
      )} />
      <Field label={t('where.words')} error={errors['location'] ?? ''} render={(id, by) => <input id={id} aria-describedby={by} maxLength={256} value={place.location} onInput={(e) => onChange({ location: e.currentTarget.value })} />} />
      <SmallMap outline={cell?.geometry} dots={dots} height={260} alt={t('where.alt', { cell: place.cell })} onPick={(p) => void put({ ...p, crs: 'CGCS2000' })} onDot={(d) => void take(d.id)} />
      {(cell || dots.length > 0) && <p class="quiet">{t('place.click')}</p>}
      <p class="chosen" aria-live="polite">
        {place.component && <span class="tag">{t('place.component', { id: place.component })}</span>}
        {point && <span class="tag">{`${point.lon.toFixed(6)}, ${point.lat.toFixed(6)}`}</span>}
        {place.cell && <span class="tag">{t('place.cell', { code: place.cell })}</span>}
        {where && where.departments.length > 0 && <span class="quiet">{t('place.charge', { who: where.departments.map(departmentName).join(', ') })}</span>}
      </p>
    </>
  );
}
