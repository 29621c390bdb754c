// The next step of one difference or of many: what, why, and by whom.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, send } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import type { WorkItemJSON } from '../shared/openapi.ts';
import { session } from '../shared/session.ts';
import { Button, Dialog, errorText, Field, Problem, say } from '../shared/ui.tsx';
import { formatYuan, sum, typed } from './money.ts';
import { t, words } from './words.ts';

export type Action = 'explain' | 'assign' | 'adjust' | 'close';

interface Props {
  action: Action;
  items: readonly WorkItemJSON[];
  assignees: readonly string[];
  onClose: () => void;
  onDone: () => void;
}

interface Refused {
  item: WorkItemJSON;
  error: unknown;
}

export function Decide(p: Props): JSX.Element {
  const me = session.value?.person?.name ?? '';
  const one = p.items.length === 1 ? p.items[0] : undefined;
  const [why, setWhy] = useState('');
  const [evidence, setEvidence] = useState('');
  const [assignee, setAssignee] = useState(one?.assignee || me);
  const [amount, setAmount] = useState(one?.amount ?? '');
  const [volume, setVolume] = useState(String(one?.volume ?? 0));
  const [done, setDone] = useState(0);
  const [refused, setRefused] = useState<readonly Refused[]>([]);
  const yuan = typed(amount, true);
  const litres = /^-?\d{1,15}$/.test(volume.trim()) ? Number(volume) : null;
  const ready = why.trim() !== '' && (p.action !== 'assign' || assignee.trim() !== '') && (p.action !== 'adjust' || (yuan !== null && litres !== null));

  const decide = async (): Promise<void> => {
    const bad: Refused[] = [];
    let good = 0;
    for (const item of p.items) {
      try {
        await send('POST', '/api/v1/ledger/decisions', {
          key: item.key, action: p.action, why: why.trim(), ...(evidence.trim() ? { evidence: evidence.trim() } : {}),
          ...(p.action === 'assign' ? { assignee: assignee.trim() } : {}), ...(p.action === 'adjust' ? { amount: yuan, volume: litres } : {}),
        });
        setDone(++good);
      } catch (error) {
        bad.push({ item, error });
        if (error instanceof ApiError && (error.code === 'offline' || error.code === 'not_authenticated')) break;
      }
    }
    setRefused(bad);
    if (good > 0) say(t('decide.done', { n: good, action: t(`act.${p.action}`) }));
    if (bad.length === 0) p.onDone();
  };

  return (
    <Dialog title={one ? t(`act.${p.action}`) : t('decide.many', { action: t(`act.${p.action}`), n: p.items.length })} onClose={refused.length > 0 && done > 0 ? p.onDone : p.onClose}>
      <p class="quiet">{t('decide.sum', { n: p.items.length, sum: formatYuan(sum(p.items.map((i) => i.amount))) })}</p>
      {p.action === 'assign' && (
        <Field label={t('work.assignee')} render={(id, by) => (
          <>
            <input id={id} aria-describedby={by} list={`${id}-list`} maxLength={200} value={assignee} onInput={(e) => setAssignee(e.currentTarget.value)} />
            <datalist id={`${id}-list`}>
              {[...new Set([me, ...p.assignees])].filter(Boolean).map((a) => (
                <option key={a} value={a} />
              ))}
            </datalist>
          </>
        )} />
      )}
      {p.action === 'adjust' && (
        <>
          <Field label={t('decide.amount')} hint={t('decide.amount.note')} error={yuan === null ? t('amount.wrong') : ''}
            render={(id, by) => <input id={id} class="money" inputMode="decimal" aria-describedby={by} value={amount} onInput={(e) => setAmount(e.currentTarget.value)} />} />
          {one && one.volume !== 0 && (
            <Field label={t('decide.volume')} error={litres === null ? t('volume.wrong') : ''}
              render={(id, by) => <input id={id} class="money" inputMode="numeric" aria-describedby={by} value={volume} onInput={(e) => setVolume(e.currentTarget.value)} />} />
          )}
        </>
      )}
      <Reasons action={p.action} onPick={setWhy} />
      <Field label={t('decide.why')} render={(id, by) => <textarea id={id} aria-describedby={by} maxLength={2000} value={why} onInput={(e) => setWhy(e.currentTarget.value)} />} />
      <Field label={t('decide.evidence')} hint={t('decide.evidence.note')}
        render={(id, by) => <input id={id} aria-describedby={by} maxLength={500} value={evidence} onInput={(e) => setEvidence(e.currentTarget.value)} />} />
      {(p.action === 'adjust' || p.action === 'close') && <p class="quiet">{t('decide.second')}</p>}
      {refused.length === 1 && <Problem error={refused[0]?.error} words={words} />}
      {refused.length > 1 && (
        <div class="problem" role="alert">
          <p>{t('decide.refused', { n: refused.length })}</p>
          <ul>
            {refused.slice(0, 20).map((r) => (
              <li key={r.item.key}>
                <code>{r.item.key}</code> {errorText(r.error, words)}
              </li>
            ))}
          </ul>
        </div>
      )}
      <footer>
        <Button onClick={p.onClose}>{common.t('cancel')}</Button>
        <Button id="decide-do" kind="main" disabled={!ready} onClick={decide}>
          {t(`act.${p.action}`)}
        </Button>
      </footer>
    </Dialog>
  );
}

const REASONS = 4;

/** What is often the reason, to be picked and finished. */
function Reasons({ action, onPick }: { action: Action; onPick: (why: string) => void }): JSX.Element {
  return (
    <div class="row reasons" role="group" aria-label={t('decide.often')}>
      {Array.from({ length: REASONS }, (_, n) => words.word('why', `${action}.${n + 1}`)).filter((text) => !text.startsWith(action)).map((text) => (
        <button key={text} type="button" onClick={() => onPick(text)}>
          {text}
        </button>
      ))}
    </div>
  );
}
