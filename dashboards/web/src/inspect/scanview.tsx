// The camera's picture while it looks for a code.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ScanTrouble, Scanner } from './scanner.ts';
import { ScanError, scan } from './scanner.ts';
import { t } from './words.ts';

interface Props {
  onText: (text: string) => void;
  onClose: () => void;
  onType: () => void;
}

export function ScanView(p: Props): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const [scanner, setScanner] = useState<Scanner | null>(null);
  const [trouble, setTrouble] = useState<ScanTrouble | null>(null);
  const [light, setLight] = useState(false);
  useEffect(() => {
    let gone = false;
    let open: Scanner | null = null;
    scan(video.current!).then(
      (s) => {
        open = s;
        if (gone) return s.stop();
        setScanner(s);
        void s.found.then((text) => {
          s.stop();
          navigator.vibrate?.(60);
          if (!gone) p.onText(text);
        });
      },
      (err: unknown) => !gone && setTrouble(err instanceof ScanError ? err.why : 'none'),
    );
    return () => {
      gone = true;
      open?.stop();
    };
  }, []);
  const turn = (): void => {
    void scanner?.torch?.(!light).then(() => setLight(!light), () => undefined);
  };
  return (
    <div class="scan">
      {trouble ? (
        <div class="problem" role="alert">
          <p>{t(`scan.${trouble}`)}</p>
        </div>
      ) : (
        <div class="frame">
          <video ref={video} playsInline muted aria-label={t('scan.picture')} />
          <p aria-live="polite">{scanner ? t('scan.look') : t('scan.start')}</p>
        </div>
      )}
      <div class="two">
        {scanner?.torch && <button type="button" class="big" aria-pressed={light} onClick={turn}>{t('scan.torch')}</button>}
        <button type="button" class="big" onClick={p.onType}>{t('pick.type')}</button>
        <button type="button" class="big" onClick={p.onClose}>{t('scan.close')}</button>
      </div>
    </div>
  );
}
