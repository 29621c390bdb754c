// The desk of reconciliation: days, differences, files.

import type { JSX } from 'preact';
import { has } from '../shared/session.ts';
import { mount, Shell } from '../shared/shell.tsx';
import { Empty } from '../shared/ui.tsx';
import { Bills, Clearing } from './clearing.tsx';
import { Days } from './days.tsx';
import { Day } from './day.tsx';
import { desk, loadDesk } from './deskstate.ts';
import { DropAnywhere } from './drop.tsx';
import { Dossier } from './dossier.tsx';
import { Import } from './import.tsx';
import type { Route, View } from './route.ts';
import { formatRoute, route, startRoute, VIEWS } from './route.ts';
import { Search } from './search.tsx';
import { t } from './words.ts';
import { Work } from './work.tsx';
import { lastWork } from './workstate.ts';
import './style.css';

startRoute();
let asked = false;

const CLERKS = ['clerk', 'reviewer', 'approver'] as const;

void mount(() => <Page />);

function Page(): JSX.Element {
  const r = route.value;
  if (!asked && has(...CLERKS)) {
    asked = true;
    void loadDesk();
  }
  return (
    <Shell page="desk" title={t(`tab.${tabOf(r)}`)}>
      <div class="desk">
        <header class="head">
          <h1>{t('title')}</h1>
          <Tabs of={tabOf(r)} />
        </header>
        <DropAnywhere />
        {has(...CLERKS) ? <Shown r={r} /> : <Empty title={t('norole')}>{t('norole.why')}</Empty>}
      </div>
    </Shell>
  );
}

function Shown({ r }: { r: Route }): JSX.Element {
  switch (r.view) {
    case 'day':
      return <Day key={`${r.utility} ${r.day}`} utility={r.utility} day={r.day} open={r.open} />;
    case 'work':
      return <Work filter={r.filter} />;
    case 'case':
      return <Dossier key={r.key} id={r.key} />;
    case 'import':
      return <Import />;
    case 'search':
      return <Search text={r.text} meter={r.meter} />;
    case 'clearing':
      return <Clearing />;
    case 'bills':
      return <Bills utility={r.utility} />;
    default:
      return <Days utility={r.utility} to={r.to} />;
  }
}

function tabOf(r: Route): View {
  if (r.view === 'day') return 'days';
  return r.view === 'case' ? 'work' : r.view;
}

function Tabs({ of }: { of: View }): JSX.Element {
  const home = (view: View): Route => {
    switch (view) {
      case 'work':
        return { view, filter: lastWork() };
      case 'search':
        return { view, text: '', meter: '' };
      case 'bills':
        return { view, utility: '' };
      case 'days':
        return { view, utility: 'water', to: '' };
      default:
        return { view };
    }
  };
  return (
    <nav class="views" aria-label={t('title')}>
      {VIEWS.filter((view) => view !== 'clearing' || view === of || desk.value?.clears).map((view) => (
        <a key={view} href={formatRoute(home(view))} aria-current={view === of ? 'page' : undefined}>
          {t(`tab.${view}`)}
        </a>
      ))}
    </nav>
  );
}
