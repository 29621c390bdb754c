// Closing a day: for ever, and by another person than who made its run.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { send } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import type { DayDetailJSON } from '../shared/openapi.ts';
import { Button, Dialog, Field, Problem, say } from '../shared/ui.tsx';
import { t, words } from './words.ts';

export function CloseDay({ d, onClose, onDone }: { d: DayDetailJSON; onClose: () => void; onDone: () => void }): JSX.Element {
  const [why, setWhy] = useState('');
  const [error, setError] = useState<unknown>(null);
  const missing = d.close.unlooked > 0 && why.trim() === '';
  const close = async (): Promise<void> => {
    try {
      await send('POST', '/api/v1/ledger/day-closings', { utility: d.utility, day: d.line.day, why: why.trim() });
      say(t('close.done', { day: d.line.day }));
      onDone();
      onClose();
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Dialog title={t('close.title', { utility: common.word('medium', d.utility), day: d.line.day })} onClose={onClose}>
      <p>{t('close.text', { day: d.line.day })}</p>
      {!d.close.may && (
        <p class="problem" role="alert">
          {words.code('close.not', d.close.why).replace('{who}', d.close.maker)}
        </p>
      )}
      {d.close.may && (
        <Field label={d.close.unlooked > 0 ? t('close.why.must', { n: d.close.unlooked }) : t('close.why')}
          render={(id, by) => <textarea id={id} aria-describedby={by} value={why} maxLength={2000} onInput={(e) => setWhy(e.currentTarget.value)} />} />
      )}
      <Problem error={error} words={words} />
      <footer>
        <Button onClick={onClose}>{common.t('cancel')}</Button>
        {d.close.may && (
          <Button id="close-confirm" kind="main" disabled={missing} onClick={close}>
            {t('close.do')}
          </Button>
        )}
      </footer>
    </Dialog>
  );
}
