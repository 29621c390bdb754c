import type { JSX } from 'preact';
import { formatClock } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import { Shell } from '../shared/shell.tsx';
import { CollectorPage } from './collector.tsx';
import { Collectors } from './collectors.tsx';
import { Detail } from './detail.tsx';
import { HealthList } from './health.tsx';
import { follow } from './links.tsx';
import { MeterList } from './meters.tsx';
import { River } from './river.tsx';
import { HOME } from './route.ts';
import { live, route } from './state.ts';
import { t } from './words.ts';

export function App(): JSX.Element {
  const { meter, collector, view } = route.value;
  const title = meter || collector || t(view === 'collectors' ? 'collectors' : 'title');
  return (
    <Shell page="meters" title={title} status={<AsOf />}>
      <Stale />
      {meter ? <Detail key={meter} id={meter} /> : collector ? <CollectorPage key={collector} id={collector} /> : <Lists view={view} />}
    </Shell>
  );
}

/** The data path, and below it the meters or the collectors. */
function Lists({ view }: { view: '' | 'collectors' }): JSX.Element {
  return (
    <>
      <h1 class="sr">{t('title')}</h1>
      <River />
      <nav class="views" aria-label={t('views')}>
        <a {...follow(HOME)} aria-current={view === '' ? 'page' : undefined}>
          {t('meters')}
        </a>
        <a {...follow({ ...HOME, view: 'collectors' })} id="view-collectors" aria-current={view === 'collectors' ? 'page' : undefined}>
          {t('collectors')}
        </a>
      </nav>
      {view === 'collectors' ? <Collectors /> : <MeterList />}
      <HealthList />
    </>
  );
}

function AsOf(): JSX.Element {
  const { connection, flow } = live.value;
  const tone = connection === 'live' ? 'ok' : connection === 'stale' ? 'bad' : 'none';
  return (
    <>
      <span role="status" id="connection" data-connection={connection}>
        <State tone={tone}>{t(`conn.${connection}`)}</State>
      </span>
      {flow && (
        <span>
          {t('asof')} <time dateTime={flow.at}>{formatClock(Date.parse(flow.at))}</time>
        </span>
      )}
    </>
  );
}

function Stale(): JSX.Element | null {
  const { connection, flow, busy } = live.value;
  if (connection !== 'stale' || !flow) return null;
  return (
    <div class="banner bad" role="alert">
      <strong>{t('stale.title', { time: formatClock(Date.parse(flow.at)) })}</strong> {t(busy ? 'stale.busy' : 'stale.body')}
    </div>
  );
}
