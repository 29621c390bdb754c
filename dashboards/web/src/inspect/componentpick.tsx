// Which component: by its code from the camera, typed, or the nearest ones.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { RoundComponentJSON } from '../shared/openapi.ts';
import type { Reading } from './code.ts';
import { read } from './code.ts';
import { metres } from './geo.ts';
import { here } from './place.ts';
import { ScanView } from './scanview.tsx';
import { findComponents, near } from './search.ts';
import { round } from './state.ts';
import { classNameOf, metresText } from './text.ts';
import { t } from './words.ts';

/** What was chosen: the id, and its class where it is known. */
export type Choose = (id: string, classRef: string) => void;

const NEAR = 60;

export function ComponentPick({ onChoose }: { onChoose: Choose }): JSX.Element {
  const [scanning, setScanning] = useState(false);
  const [typing, setTyping] = useState(false);
  const [text, setText] = useState('');
  const reading = read(round.value, text);
  const hits = text.trim().length > 1 && reading.kind !== 'known' ? findComponents(round.value.components, text, 6) : [];
  const take = (r: Reading): void => {
    if (r.kind === 'known') onChoose(r.component.id, r.component.class);
    else if (r.kind === 'other') onChoose(r.id, r.ref);
    else if (r.kind === 'free') onChoose(r.id, '');
  };
  if (scanning)
    return (
      <ScanView
        onText={(found) => {
          setScanning(false);
          const r = read(round.value, found);
          if (r.kind === 'wrong' || r.kind === 'empty') {
            setText(found);
            setTyping(true);
          } else take(r);
        }}
        onClose={() => setScanning(false)}
        onType={() => {
          setScanning(false);
          setTyping(true);
        }}
      />
    );
  const close = here.value ? near(round.value.components, here.value, NEAR, 5) : [];
  return (
    <div class="pick">
      <div class="two">
        <button type="button" class="big" id="scan" onClick={() => setScanning(true)}>{t('pick.scan')}</button>
        <button type="button" class="big" id="type" aria-expanded={typing} onClick={() => setTyping(!typing)}>{t('pick.type')}</button>
      </div>
      {typing && (
        <div class="typed">
          <label for="code">{t('pick.code')}</label>
          <div class="row">
            <input id="code" inputMode="text" autocomplete="off" autocapitalize="off" spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} aria-describedby="code-note" />
            <button type="button" class="main" id="take" disabled={!['known', 'other', 'free'].includes(reading.kind)} onClick={() => take(reading)}>{t('pick.take')}</button>
          </div>
          <p id="code-note" class={`note ${reading.kind === 'wrong' ? 'bad' : ''}`} aria-live="polite">{explain(reading)}</p>
          <ul class="list">{hits.map((c) => <Choice key={c.id} component={c} onChoose={onChoose} />)}</ul>
        </div>
      )}
      {!typing && close.length > 0 && (
        <>
          <h3>{t('pick.near')}</h3>
          <ul class="list">{close.map((f) => <Choice key={f.component.id} component={f.component} far={f.far} onChoose={onChoose} />)}</ul>
        </>
      )}
    </div>
  );
}

function explain(r: Reading): string {
  if (r.kind === 'known') return t('code.known', { name: classNameOf(round.value, r.component.class, r.component.class_name), place: r.component.location ?? r.component.cell });
  if (r.kind === 'other') return t('code.other', { name: classNameOf(round.value, r.ref), county: r.county });
  if (r.kind === 'wrong') return t(`code.${r.why}`, { at: r.at ?? 0, length: r.length ?? 0, lengths: r.lengths ?? '' });
  return r.kind === 'free' ? t('code.free') : t('code.empty');
}

function Choice({ component: c, far, onChoose }: { component: RoundComponentJSON; far?: number; onChoose: Choose }): JSX.Element {
  return (
    <li>
      <button type="button" class="line" onClick={() => onChoose(c.id, c.class)}>
        <span class="what">
          <b>{classNameOf(round.value, c.class, c.class_name)}</b>
          <span>{c.location || c.name || c.cell}</span>
          <span class="quiet code">{c.id}</span>
        </span>
        {far !== undefined && <span class="far">{metresText(far)}</span>}
      </button>
    </li>
  );
}

/** The component that was chosen. */
export function ComponentCard({ id, onDrop }: { id: string; onDrop: () => void }): JSX.Element {
  const c = round.value.components.find((one) => one.id === id);
  const far = c?.at && here.value ? metres(here.value, { lon: c.at[0]!, lat: c.at[1]! }) : NaN;
  return (
    <div class="card" id="component">
      <div class="what">
        <b>{c ? classNameOf(round.value, c.class, c.class_name) : t('component.unknown')}</b>
        {c && <span>{c.location || c.name}</span>}
        <span class="quiet code">{id}</span>
        {!Number.isNaN(far) && <span class="quiet">{t('component.far', { far: metresText(far) })}</span>}
      </div>
      <button type="button" onClick={onDrop}>{t('change')}</button>
    </div>
  );
}
