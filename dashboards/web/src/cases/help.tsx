import type { JSX } from 'preact';
import { Dialog } from '../shared/ui.tsx';
import { t } from './words.ts';

const KEYS = [['j', 'k'], ['Enter'], ['x'], ['/'], ['r'], ['Esc'], ['?']] as const;

/** What the keys do. */
export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('help')} onClose={onClose}>
      <dl class="facts keys">
        {KEYS.map((keys) => (
          <>
            <dt>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{t(`key.${keys[0]}`)}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}
