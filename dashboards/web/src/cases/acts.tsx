import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { mayChange } from '../shared/session.ts';
import type { MayActJSON } from '../shared/openapi.ts';
import { Tabs } from '../shared/ui.tsx';
import type { Values } from './actbody.ts';
import { ActForm, titleOf } from './actform.tsx';
import type { CaseData } from './casedata.ts';
import { role } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

/** Acts that move a case on, and are what somebody waits for. */
const FIRST = ['accept', 'send_verify', 'answer_verify', 'file', 'dispatch', 'take', 'feed_back', 'approve', 'send_check', 'answer_check', 'close', 'rework', 'resume'];

/** An act that another part of the page asks for, with what it fills in. */
export interface Asked {
  act: string;
  filled: Partial<Values>;
}

interface Props {
  data: CaseData;
  again: () => Promise<CaseData | null>;
  asked: Asked | null;
  onAsked: () => void;
}

/** What one may do to the case now: what the hub says, and nothing else. */
export function Acts(p: Props): JSX.Element | null {
  const { acts } = p.data.may;
  const inRoles = [...new Set(acts.map((a) => a.role))];
  const [chosen, setChosen] = useState('');
  const best = inRoles.find((r) => r === (chosen || role.value)) ?? inRoles.find((r) => acts.some((a) => a.role === r && a.possible)) ?? inRoles[0] ?? '';
  const [open, setOpen] = useState<MayActJSON | null>(null);
  const [filled, setFilled] = useState<Partial<Values>>({});
  useEffect(() => {
    const found = p.asked && acts.find((a) => a.act === p.asked?.act && a.possible);
    if (!found || !p.asked) return;
    setFilled(p.asked.filled);
    setOpen(found);
    p.onAsked();
  }, [p.asked]);
  if (acts.length === 0) return null;
  const start = (a: MayActJSON): void => {
    setFilled({});
    setOpen(a);
  };
  const close = (): void => setOpen(null);
  return (
    <section class="panel acts noprint" aria-label={t('acts')}>
      <header>
        <h2>{t('acts')}</h2>
        {inRoles.length > 1 && !open && <Tabs label={t('role.act')} value={best} options={inRoles.map((r) => [r, common.word('role', r)] as const)} onChange={setChosen} />}
        {inRoles.length === 1 && <span class="quiet">{common.word('role', best)}</span>}
      </header>
      <div class="body">
        {open ? (
          <ActForm key={`${open.act}${open.number ?? ''}${JSON.stringify(filled)}`} act={open} data={p.data} filled={filled} again={p.again} onCancel={close}
            onDone={() => {
              close();
              void p.again();
            }} />
        ) : (
          <Buttons acts={acts.filter((a) => a.role === best)} onOpen={start} />
        )}
      </div>
    </section>
  );
}

function Buttons({ acts, onOpen }: { acts: readonly MayActJSON[]; onOpen: (a: MayActJSON) => void }): JSX.Element {
  const shown = mayChange.value ? acts.filter((a) => a.possible) : acts;
  const blocked = mayChange.value ? acts.filter((a) => !a.possible && a.why !== 'state' && a.why !== 'no_request') : [];
  const sorted = [...shown].sort((a, b) => Number(FIRST.includes(b.act)) - Number(FIRST.includes(a.act)));
  return (
    <>
      <div class="actbuttons">
        {sorted.map((a) => (
          <button key={a.act + (a.request ?? '')} type="button" data-act={a.act} class={kindOf(a, sorted[0])} disabled={!a.possible} title={a.possible ? '' : codes.code('why', a.why ?? '')} onClick={() => onOpen(a)}>
            {titleOf(a)}
          </button>
        ))}
        {sorted.length === 0 && <p class="quiet">{t('acts.none')}</p>}
      </div>
      {!mayChange.value && <p class="quiet">{codes.t('why.tour')}</p>}
      {blocked.length > 0 && (
        <details class="blocked">
          <summary>{t('acts.blocked', { n: blocked.length })}</summary>
          <ul>
            {blocked.map((a) => (
              <li key={a.act + (a.request ?? '')}>
                {titleOf(a)}: {codes.code('why', a.why ?? '')}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function kindOf(a: MayActJSON, first: MayActJSON | undefined): string {
  if (a === first && FIRST.includes(a.act)) return 'main';
  return a.act === 'reject' || a.act === 'ask_void' ? 'danger' : '';
}
