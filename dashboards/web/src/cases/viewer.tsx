import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import type { Shot } from './shots.ts';
import { caption, mediaAddress } from './shots.ts';
import { t } from './words.ts';

const ZOOMS = [1, 1.5, 2, 3, 4, 6] as const;

/** The photo that goes before one of after the repair: the last of the report or the verification. */
export function before(shots: readonly Shot[], at: number): number {
  const shot = shots[at];
  const after = shot?.stage === 'handled' || shot?.stage === 'check';
  const early = (s: Shot): boolean => s.stage === 'report' || s.stage === 'verify';
  if (after) return shots.findLastIndex(early);
  return shots.findIndex((s) => s.stage === 'handled' || s.stage === 'check');
}

/** Photos one by one or two side by side, with zoom and turning, by mouse, touch and keys. */
export function Viewer({ shots, first, onClose }: { shots: readonly Shot[]; first: number; onClose: () => void }): JSX.Element | null {
  const box = useRef<HTMLDialogElement>(null);
  const [at, setAt] = useState(first);
  const [zoom, setZoom] = useState(0);
  const [turn, setTurn] = useState(0);
  const [pair, setPair] = useState(false);
  useEffect(() => {
    const el = box.current;
    el?.showModal();
    return () => el?.close();
  }, []);
  const shot = shots[at];
  if (!shot) return null;
  const other = before(shots, at);
  const move = (step: number): void => {
    setAt((n) => Math.max(0, Math.min(shots.length - 1, n + step)));
    setZoom(0);
    setTurn(0);
  };
  const zoomBy = (step: number): void => setZoom((z) => Math.max(0, Math.min(ZOOMS.length - 1, z + step)));
  const keys: Record<string, () => void> = {
    ArrowRight: () => move(1), ArrowLeft: () => move(-1), j: () => move(1), k: () => move(-1), '+': () => zoomBy(1), '=': () => zoomBy(1), '-': () => zoomBy(-1), '0': () => setZoom(0),
    r: () => setTurn((n) => n + 90), b: () => other >= 0 && setPair((on) => !on),
  };
  const press = (e: KeyboardEvent): void => {
    const act = keys[e.key];
    if (!act || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    act();
  };
  const two = pair && other >= 0 ? [Math.min(at, other), Math.max(at, other)] : [at];
  return (
    <dialog ref={box} class="viewer" aria-label={t('viewer')} onKeyDown={press} onCancel={(e) => { e.preventDefault(); onClose(); }}>
      <header>
        <p aria-live="polite">
          {t('viewer.of', { n: at + 1, all: shots.length })} · {caption(shot)}
        </p>
        <div class="row">
          <button type="button" onClick={() => zoomBy(-1)} aria-label={t('zoom.out')} disabled={zoom === 0}>−</button>
          <button type="button" onClick={() => zoomBy(1)} aria-label={t('zoom.in')} disabled={zoom === ZOOMS.length - 1}>+</button>
          <button type="button" id="turn" onClick={() => setTurn((n) => n + 90)}>{t('turn')}</button>
          {other >= 0 && <button type="button" id="pair" aria-pressed={pair} onClick={() => setPair(!pair)}>{t('pair')}</button>}
          <a class="button" href={mediaAddress(shot.sm3)} download>{t('photo.save')}</a>
          <button type="button" class="icon" aria-label={common.t('close')} onClick={onClose}>×</button>
        </div>
      </header>
      <div class={`stage ${two.length > 1 ? 'pair' : ''}`}>
        {two.map((n) => shots[n] && <Picture key={shots[n].sm3} shot={shots[n]} zoom={ZOOMS[zoom] ?? 1} turn={turn} named={two.length > 1} />)}
      </div>
      {shots.length > 1 && (
        <footer class="row">
          <button type="button" id="photo-prev" onClick={() => move(-1)} disabled={at === 0}>← {t('photo.prev')}</button>
          <button type="button" id="photo-next" onClick={() => move(1)} disabled={at === shots.length - 1}>{t('photo.next')} →</button>
        </footer>
      )}
    </dialog>
  );
}

/** One picture. Zoomed it is larger than its frame, which then scrolls. */
function Picture({ shot, zoom, turn, named }: { shot: Shot; zoom: number; turn: number; named: boolean }): JSX.Element {
  const [failed, setFailed] = useState(0);
  const [round, setRound] = useState(0);
  const img = useRef<HTMLImageElement>(null);
  useEffect(() => {
    if (!img.current) return;
    img.current.style.transform = `rotate(${turn}deg)`;
    img.current.style.width = zoom > 1 ? `${zoom * 100}%` : '';
    img.current.style.maxWidth = zoom > 1 ? 'none' : '';
    img.current.style.maxHeight = zoom > 1 ? 'none' : '';
  });
  const address = mediaAddress(shot.sm3);
  return (
    <figure data-turn={turn % 360} data-zoom={zoom}>
      <div class="frame">
        {shot.kind === 'video' && <video src={address} controls />}
        {shot.kind === 'audio' && <audio src={address} controls />}
        {shot.kind !== 'video' && shot.kind !== 'audio' && failed === round + 1 && (
          <div class="problem" role="alert">
            <p>{t('photo.failed.long')}</p>
            <p class="code">SM3 {shot.sm3}</p>
            <button type="button" onClick={() => setRound(round + 1)}>{common.t('retry')}</button>
          </div>
        )}
        {shot.kind !== 'video' && shot.kind !== 'audio' && failed !== round + 1 && <img key={round} ref={img} src={address} alt={caption(shot)} onError={() => setFailed(round + 1)} />}
      </div>
      {named && <figcaption>{caption(shot)}</figcaption>}
    </figure>
  );
}
