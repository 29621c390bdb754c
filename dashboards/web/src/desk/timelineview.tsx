// The way of the money, in the order of time: sale, payment, card, load, use, refund, and the decisions.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatTime } from '../shared/format.ts';
import type { DossierEventJSON, DossierJSON } from '../shared/openapi.ts';
import { formatCredit, formatVolume } from './money.ts';
import { Source } from './rows.tsx';
import type { Phase } from './timeline.ts';
import { bears, inOrder, phaseOf, uses } from './timeline.ts';
import { kindWord } from './which.ts';
import { t, words } from './words.ts';

export function Timeline({ c }: { c: DossierJSON }): JSX.Element {
  const [all, setAll] = useState(false);
  const events = inOrder(c.events);
  const used = uses(events);
  const near = events.filter((e) => bears(e, c.difference));
  const shown = all || near.length === 0 ? events : near;
  return (
    <section class="panel">
      <header>
        <h3>{t('timeline')}</h3>
        <p class="quiet">{common.t('zone')}</p>
        {near.length > 0 && near.length < events.length && (
          <button type="button" class="push noprint" aria-pressed={all} onClick={() => setAll(!all)}>
            {all ? t('timeline.near') : t('timeline.all', { n: events.length })}
          </button>
        )}
      </header>
      <ol class="timeline">
        {shown.map((e) => (
          <Event key={`${e.what} ${e.row} ${e.at} ${e.kind}`} e={e} used={used[events.indexOf(e)] ?? ''} utility={c.difference.utility} />
        ))}
      </ol>
      {events.length === 0 && <p class="quiet note">{t('timeline.none')}</p>}
    </section>
  );
}

function Event({ e, used, utility }: { e: DossierEventJSON; used: string; utility: string }): JSX.Element {
  const phase = phaseOf(e);
  return (
    <li class={phase}>
      <time dateTime={e.at}>{formatTime(Date.parse(e.at))}</time>
      <Sign phase={phase} />
      <div>
        <p class="what">
          <b>{title(e)}</b> {e.amount && <span class="yuan">{formatCredit(e.amount)}</span>}
          {e.volume !== 0 && <span class="quiet"> {formatVolume(e.volume, utility)}</span>}
        </p>
        {e.what === 'decision' ? <Decision e={e} /> : <Facts e={e} used={used} />}
      </div>
    </li>
  );
}

function title(e: DossierEventJSON): string {
  if (e.what === 'decision') return t(`decided.${e.kind as 'closed'}`, { who: e.who });
  return kindWord(e.what === 'sale' ? 'sales' : e.what === 'payment' ? 'payments' : 'entries', e.kind);
}

function Decision({ e }: { e: DossierEventJSON }): JSX.Element {
  return (
    <>
      <p>{e.why}</p>
      <p class="quiet">
        {[e.assignee && t('dossier.with', { who: e.assignee }), e.evidence && t('dossier.evidence', { what: e.evidence })].filter(Boolean).join(' · ')}
      </p>
    </>
  );
}

function Facts({ e, used }: { e: DossierEventJSON; used: string }): JSX.Element {
  const facts = [
    e.order && `${words.word('channel', e.channel)} ${e.order}`,
    e.undoes && t('fact.undoes', { order: e.undoes }),
    e.purchase > 0 && t('work.purchase', { n: e.purchase }),
    e.card && t('fact.card', { card: e.card }),
    e.residual && t('fact.residual', { value: formatCredit(e.residual) }),
    e.bought && t('fact.bought', { value: formatCredit(e.bought) }),
    e.used && t('fact.used', { value: formatCredit(e.used) }),
    used && t('fact.since', { value: formatCredit(used) }),
    e.what === 'sale' && [e.who, e.where].filter(Boolean).join(' · '),
    e.what === 'payment' && e.where && t('fact.reference', { value: e.where }),
    e.day && t('fact.day', { day: e.day }),
  ].filter(Boolean);
  return (
    <p class="quiet">
      {facts.join(' · ')}{' '}
      {e.import > 0 && e.what !== 'entry' && <Source which={e.what === 'sale' ? 'sales' : 'payments'} row={e.row} name={e.file} />}
      {e.what === 'entry' && <span class="tag">{[e.collector, words.word('channel', e.source)].filter(Boolean).join(' · ')}</span>}
    </p>
  );
}

const PATHS: Record<Phase, string> = {
  sale: 'M3 4h10v8H3ZM5.5 7h5M5.5 9.5h3',
  payment: 'M5 3l3 4 3-4M8 7v6M5 8.5h6M5 11h6',
  card: 'M2 4.5h12v7H2ZM2 7h12',
  load: 'M8 2.5v7M5 7l3 3 3-3M3 13h10',
  meter: 'M8 14A6 6 0 1 1 8 2a6 6 0 0 1 0 12ZM8 8l2.5-2.5',
  refund: 'M6 3 3 6l3 3M3 6h6a4 4 0 0 1 0 8H6',
  decision: 'M3 8.5 6.5 12 13 4.5',
};

function Sign({ phase }: { phase: Phase }): JSX.Element {
  return (
    <span class="sign" title={t(`phase.${phase}`)}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5">
        <path d={PATHS[phase]} />
      </svg>
      <span class="sr">{t(`phase.${phase}`)}</span>
    </span>
  );
}
