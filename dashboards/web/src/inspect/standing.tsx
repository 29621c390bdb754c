// Where the thing is: the phone's position with its accuracy, or a pin that is moved.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Mark } from '../shared/marks.tsx';
import type { LonLat } from './geo.ts';
import { cellAt, metres } from './geo.ts';
import { DOUBTFUL, here, noPlace, usePosition } from './place.ts';
import type { Place } from './record.ts';
import { RoundMap } from './roundmap.tsx';
import { round } from './state.ts';
import { metresText } from './text.ts';
import { t } from './words.ts';

interface Props {
  /** Set by hand; null: where the phone or the component is. */
  pin: Place | null;
  component: LonLat | null;
  onPin: (p: Place | null) => void;
}

/** Says in a line what counts, and warns of what is doubtful. */
export function Standing(p: Props): JSX.Element {
  usePosition();
  const [open, setOpen] = useState(false);
  const at: LonLat | null = p.pin ?? p.component ?? here.value;
  const cell = at ? cellAt(round.value.cells, at) : undefined;
  const cellText = cell ? cell.name || cell.code : t('here.outside');
  const off = p.component && here.value && !p.pin ? metres(p.component, here.value) : 0;
  const warn = warning(p, at, cell !== undefined, off);
  return (
    <div class="standing">
      <p class={`row ${warn ? 'warn' : ''}`} aria-live="polite">
        <Mark tone={warn ? 'warn' : at ? 'ok' : 'none'} />
        <span>
          {!at ? (noPlace.value ? `${t(`noplace.${noPlace.value}`)} ${t('noplace.pin')}` : t('here.wait')) : p.pin ? t('at.pin', { cell: cellText }) : p.component ? t('at.component', { cell: cellText }) : t('here', { cell: cellText, accuracy: Math.round(here.value!.accuracy) })}
        </span>
      </p>
      {warn && <p class="note warn" role="status">{warn}</p>}
      <div class="row">
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>{t(open ? 'pin.close' : 'pin.move')}</button>
        {p.pin && <button type="button" onClick={() => p.onPin(null)}>{t('pin.remove')}</button>}
      </div>
      {open && (
        <>
          <p class="note">{t('pin.hint')}</p>
          <RoundMap label={t('pin.label')} pin={at} onPlace={(to) => p.onPin({ lon: round7(to.lon), lat: round7(to.lat), crs: 'CGCS2000' })} />
        </>
      )}
    </div>
  );
}

const round7 = (v: number): number => Math.round(v * 1e7) / 1e7;

function warning(p: Props, at: LonLat | null, known: boolean, off: number): string {
  if (at && !known && round.value.cells.length > 0) return t('warn.outside');
  if (off > 50) return t('warn.component', { far: metresText(off) });
  if (!p.pin && !p.component && here.value && here.value.accuracy > DOUBTFUL) return t('warn.accuracy', { accuracy: Math.round(here.value.accuracy) });
  return '';
}
