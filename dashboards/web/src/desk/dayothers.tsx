// The utilities of one day side by side. Each is run by itself: here one sees which are done,
// goes to the next, or has those that wait run one after the other.

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import type { DaysJSON, UtilityDaysJSON } from '../shared/openapi.ts';
import { usePolled } from '../shared/poll.ts';
import { can } from '../shared/session.ts';
import { Button } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { Making } from './dayrun.tsx';
import type { Utility } from './filter.ts';
import { UTILITIES } from './filter.ts';
import { ended, makeAll, plan, works } from './jobs.ts';
import { DayMark } from './marks.tsx';
import { toRun } from './next.ts';
import { formatRoute } from './route.ts';
import { t } from './words.ts';

export function Utilities({ utility, day }: { utility: Utility; day: string }): JSX.Element {
  const { data, again } = usePolled<DaysJSON>('/api/v1/ledger/days', () => ({ from: day, to: day }), 20_000, day);
  const times = ended.value;
  useEffect(again, [times]);
  const wait = data ? toRun(data, day) : [];
  return (
    <>
      <nav class="row utilities noprint" aria-label={t('utilities')}>
        {UTILITIES.map((u) => (
          <One key={u} u={u} day={day} of={data?.utilities.find((one) => one.utility === u)} chosen={u === utility} />
        ))}
        {can('clerk') && <Next wait={wait} utility={utility} day={day} />}
      </nav>
      {UTILITIES.filter((u) => u === utility || works.value[u]?.spans.at(-1)?.[1] === day).map((u) => (
        <Making key={u} utility={u} />
      ))}
    </>
  );
}

function One({ u, day, of, chosen }: { u: Utility; day: string; of: UtilityDaysJSON | undefined; chosen: boolean }): JSX.Element {
  const line = of?.days[0];
  return (
    <a class="button" href={formatRoute({ view: 'day', utility: u, day, open: '' })} aria-current={chosen ? 'true' : undefined} data-utility={u}>
      <Medium id={u} named />
      {line && <DayMark state={line.state} />}
      {line?.state === 'imported' && <span class="quiet">{t('waits.run')}</span>}
      {line && line.open.count > 0 && <span class="quiet">{t('day.left', { n: formatCount(line.open.count, lang.value) })}</span>}
    </a>
  );
}

/** The step after this one: the utility that waits, or all of them in order. */
function Next({ wait, utility, day }: { wait: readonly UtilityDaysJSON[]; utility: Utility; day: string }): JSX.Element | null {
  const busy = Object.values(works.value).some((w) => !w.done);
  const other = wait.find((u) => u.utility !== utility);
  if (!other) return null;
  const here = wait.some((u) => u.utility === utility);
  const names = wait.map((u) => common.word('medium', u.utility).toLowerCase()).join(t('and'));
  return (
    <span class="row push">
      {!here && (
        <a id="next-utility" class="button" href={formatRoute({ view: 'day', utility: other.utility, day, open: '' })}>
          {t('run.next', { utility: common.word('medium', other.utility).toLowerCase() })} ›
        </a>
      )}
      {wait.length > 1 && (
        <Button id="run-all" kind={here ? 'plain' : 'main'} disabled={busy} onClick={() => void makeAll(wait.map((u) => ({ utility: u.utility, spans: plan(day, u.last_run) })))}>
          {t('run.all', { names })}
        </Button>
      )}
    </span>
  );
}
