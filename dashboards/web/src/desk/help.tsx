// The keys of the list.

import type { JSX } from 'preact';
import { Dialog } from '../shared/ui.tsx';
import { t } from './words.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['j / k', 'move'], ['Enter', 'open'], ['e', 'decide'], ['a', 'assign'], ['x', 'mark'], ['*', 'all'], ['/', 'search'], ['Esc', 'back'], ['?', 'help'],
];

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('keys')} onClose={onClose}>
      <dl class="facts keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(`key.${what as 'move'}`)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
