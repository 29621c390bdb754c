import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { formatClock } from '../shared/format.ts';
import { session } from '../shared/session.ts';
import { Shell } from '../shared/shell.tsx';
import { Empty } from '../shared/ui.tsx';
import { CasePage } from './case.tsx';
import { Inbox } from './inbox.tsx';
import { Indicators } from './indicators.tsx';
import { loadNames } from './names.ts';
import { NewCase } from './new.tsx';
import { now, phone, view } from './state.ts';
import { t } from './words.ts';
import './style.css';
import './print.css';

export function App(): JSX.Element {
  const v = view.value;
  const open = session.value?.state === 'open';
  useEffect(() => {
    if (!open) void loadNames();
  }, [open]);
  useEffect(() => scrollTo(0, 0), [v.page, v.id]);
  return (
    <Shell page="cases" title={v.page === 'case' ? v.id : t('title')} wide status={phone.value ? undefined : <Clock />}>
      <div class="cases">{open ? <Empty title={t('open.title')}>{t('open.text')}</Empty> : <Page />}</div>
    </Shell>
  );
}

function Page(): JSX.Element {
  switch (view.value.page) {
    case 'case':
      return <CasePage key={view.value.id} />;
    case 'new':
      return <NewCase />;
    case 'indicators':
      return <Indicators />;
  }
  return <Inbox />;
}

/** The hour: limits are counted by it. */
function Clock(): JSX.Element {
  return (
    <span class="noprint">
      <time>{formatClock(now.value).slice(0, 5)}</time>
    </span>
  );
}
