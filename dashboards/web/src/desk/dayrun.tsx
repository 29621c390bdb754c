// Making runs: how far they are, and the question before a day is done again.

import type { JSX } from 'preact';
import { common } from '../shared/common.ts';
import { Medium } from '../shared/marks.tsx';
import type { DayDetailJSON } from '../shared/openapi.ts';
import { Button, Dialog, Problem } from '../shared/ui.tsx';
import type { Utility } from './filter.ts';
import { part, works } from './jobs.ts';
import { t, words } from './words.ts';

/** How far the latest runs of a utility are, and how they ended. */
export function Making({ utility }: { utility: Utility }): JSX.Element | null {
  const w = works.value[utility];
  if (!w) return null;
  const span = w.spans[w.at];
  const days = span ? (span[0] === span[1] ? span[0] : `${span[0]} – ${span[1]}`) : '';
  const failed = w.job?.state === 'failed';
  return (
    <div class="making" role="status" aria-live="polite" data-utility={utility}>
      {!w.done && (
        <>
          <p>
            <Medium id={utility} named /> {t('run.making', { days, at: w.at + 1, n: w.spans.length })} <span class="quiet">{words.word('stage', w.job ? w.job.stage || w.job.state : 'waiting')}</span>
          </p>
          <progress max={1} {...(part(w) === null ? {} : { value: part(w) ?? 0 })} aria-label={t('run.making', { days, at: w.at + 1, n: w.spans.length })} />
        </>
      )}
      {w.done && !failed && !w.error && (
        <p class="good">
          <Medium id={utility} named /> {t(w.spans.length === 1 ? 'run.done.one' : 'run.done', { n: w.spans.length, run: w.job?.run ?? '' })}
        </p>
      )}
      {failed && (
        <p class="problem" role="alert">
          <Medium id={utility} named /> {t('run.failed', { days })} <code>{w.job?.problem}</code>
        </p>
      )}
      <Problem error={w.error} words={words} />
    </div>
  );
}

/** Doing a day again sets the runs of later days aside; it is asked before. */
export function Again(p: { d: DayDetailJSON; spans: readonly (readonly [string, string])[]; onClose: () => void; onDo: () => Promise<void> }): JSX.Element {
  const { d } = p;
  return (
    <Dialog title={t('run.again.title', { day: d.line.day })} onClose={p.onClose}>
      <p>{t('run.again.text', { version: (d.runs[0]?.version ?? 0) + 1 })}</p>
      {d.last_run > d.line.day && <p class="problem">{t('run.again.later', { last: d.last_run, n: p.spans.length })}</p>}
      <footer>
        <Button onClick={p.onClose}>{common.t('cancel')}</Button>
        <Button kind="main" onClick={p.onDo}>
          {t('run.again')}
        </Button>
      </footer>
    </Dialog>
  );
}
