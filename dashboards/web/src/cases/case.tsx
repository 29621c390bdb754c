import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { className } from '../shared/classname.ts';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import type { Asked } from './acts.tsx';
import { Acts } from './acts.tsx';
import type { CaseData } from './casedata.ts';
import { useCase } from './casedata.ts';
import { Facts, Petitioner } from './facts.tsx';
import { listed } from './inbox.tsx';
import { Journal } from './journal.tsx';
import { useKeys } from './keys.ts';
import { LimitBox } from './limitbox.tsx';
import { MediaBox } from './media.tsx';
import { Events, Thing } from './related.tsx';
import { Similar } from './similar.tsx';
import { go, link, now, view } from './state.ts';
import { t, words } from './words.ts';
import { codes } from './wordscodes.ts';
import { Where } from './where.tsx';

/** One case: the sheet of 案卷. */
export function CasePage(): JSX.Element {
  const { id } = view.value;
  const { data, error, again } = useCase(id);
  const at = listed.ids.indexOf(id);
  const beside = (step: number): string | undefined => (at < 0 ? undefined : listed.ids[at + step]);
  const move = (step: number) => (): void => {
    const next = beside(step);
    if (next) go({ page: 'case', id: next });
  };
  useKeys({ j: move(1), k: move(-1), Escape: () => go({ page: 'inbox', id: '' }), r: () => void again() });
  return (
    <>
      <div class="row head noprint">
        <a class="button" id="back" href={link({ page: 'inbox', id: '' })}>
          ← {t('back')}
        </a>
        {at >= 0 && (
          <>
            <button type="button" disabled={!beside(-1)} onClick={move(-1)}>
              {t('case.prev')}
            </button>
            <button type="button" disabled={!beside(1)} onClick={move(1)}>
              {t('case.next')}
            </button>
          </>
        )}
        <span class="push" />
        <button type="button" id="print" onClick={() => window.print()}>
          {t('sheet')}
        </button>
      </div>
      {error && <Problem error={error} words={words} />}
      {!data && !error && <Skeleton lines={10} />}
      {data && <Sheet data={data} again={again} />}
    </>
  );
}

function Sheet({ data, again }: { data: CaseData; again: () => Promise<CaseData | null> }): JSX.Element {
  const d = data.detail;
  const [asked, setAsked] = useState<Asked | null>(null);
  const urgent = d.report.urgency !== 'normal';
  return (
    <article class="sheet" data-state={d.state} data-entries={d.entries}>
      <header class="case-head">
        <p class="sheet-title printonly">{t('sheet.title')}</p>
        <div>
          <h1>
            {className(d)} <span class="code id">{d.id}</span>
          </h1>
          <p class="row tags">
            <span class="tag state-tag" id="state">{codes.word('st', d.state)}</span>
            {urgent && <span class="tag urgent">{codes.word('urg', d.report.urgency)}</span>}
            {d.request && <span class="tag asks">{t('asks', { what: codes.word('req', d.request.kind) })}</span>}
            {d.duplicate_of && (
              <a class="tag" href={link({ page: 'case', id: d.duplicate_of })}>
                {t('duplicate.is', { id: d.duplicate_of })}
              </a>
            )}
            {d.cleared && <span class="tag">{codes.t('act.cleared')}</span>}
          </p>
        </div>
      </header>
      <div class="columns">
        <div class="side">
          <Acts data={data} again={again} asked={asked} onAsked={() => setAsked(null)} />
          <LimitBox limits={data.limits} at={data.at} />
          <Where data={data} />
        </div>
        <div class="main-column">
          <Facts data={data} />
          <MediaBox journal={data.journal} />
          <Journal data={data} />
          <Thing data={data} />
          <Events events={data.events} />
          <Similar data={data} onDuplicate={setAsked} />
          {d.has_petitioner && <Petitioner id={d.id} />}
        </div>
      </div>
      <footer class="printonly sheet-foot">
        <p>{t('sheet.seal')}</p>
        <p>
          {t('sheet.printed', { time: formatTime(now.value) })} · {common.t('zone')} · SM3 <span class="code">{d.head}</span>
        </p>
      </footer>
    </article>
  );
}
