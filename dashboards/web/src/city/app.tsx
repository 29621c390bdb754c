import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { formatClock } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import { Shell } from '../shared/shell.tsx';
import { Empty, Problem, Skeleton, Tabs } from '../shared/ui.tsx';
import { Alarms } from './alarms.tsx';
import type { Summary } from './api.ts';
import { CellCard } from './cellcard.tsx';
import { CellList } from './cells.tsx';
import { Charts } from './charts.tsx';
import type { MapHandle } from './citymap.tsx';
import { CityMap } from './citymap.tsx';
import { ComponentCard } from './componentcard.tsx';
import { Crumbs } from './crumbs.tsx';
import { Flow } from './flow.tsx';
import { Indicators } from './indicators.tsx';
import { Kpis } from './kpis.tsx';
import { go, heard, paintError, plan, route } from './state.ts';
import { useSummary } from './summary.ts';
import { Layers, Metrics, Ranges } from './toolbar.tsx';
import type { Tree } from './tree.ts';
import { levelOf } from './tree.ts';
import { Wall } from './wall.tsx';
import { t, words } from './words.ts';

export function App(): JSX.Element {
  const { tree, error } = plan.value;
  const { area, wall } = route.value;
  if (wall && tree) return <Wall tree={tree} />;
  return (
    <Shell page="city" title={area && tree ? tree.name(area) : t('title')} status={<AsOf />} wide>
      <div class="city">
        <h1 class="sr">{t('title')}</h1>
        <Stale />
        {tree ? <City tree={tree} /> : <Waiting error={error} />}
      </div>
    </Shell>
  );
}

function Waiting({ error }: { error: { code: string } | null }): JSX.Element {
  if (error?.code === 'no_map') return <div class="panel"><Empty title={t('map.nogrid.title')}>{t('map.nogrid.body')}</Empty></div>;
  return (
    <div class="panel">
      {error && <div class="body"><Problem error={error} words={words} /></div>}
      <p class="sr" role="status">{t('map.loading')}</p>
      <Skeleton lines={8} />
    </div>
  );
}

function AsOf(): JSX.Element {
  const { connection, at } = heard.value;
  const tone = connection === 'live' ? 'ok' : connection === 'stale' ? 'bad' : 'none';
  return (
    <>
      <span role="status" id="connection" data-connection={connection}>
        <State tone={tone}>{t(`conn.${connection}`)}</State>
      </span>
      {at > 0 && (
        <span>
          {t('asof.label')} <time dateTime={new Date(at).toISOString()}>{formatClock(at)}</time>
        </span>
      )}
    </>
  );
}

/** Says that what is shown is old. */
function Stale(): JSX.Element | null {
  const { connection, at } = heard.value;
  if (connection !== 'stale') return null;
  return (
    <div class="banner bad" role="alert" id="stale">
      <strong>{at ? t('stale', { time: formatClock(at) }) : t('stale.first')}</strong>
    </div>
  );
}

function City({ tree }: { tree: Tree }): JSX.Element {
  const { area, side } = route.value;
  const { s, error } = useSummary(area);
  const handle = useRef<MapHandle | null>(null);
  const open = (code: string, zoom: boolean): void => {
    go({ area: code, component: '' });
    if (zoom) handle.current?.fit(code);
  };
  return (
    <>
      <div class="head">
        <Crumbs tree={tree} />
        <Ranges />
      </div>
      {error ? <Problem error={error} words={words} /> : null}
      <Kpis s={s} />
      <div class="two">
        <div class="left">
          <div class="panel mapbox">
            <div class="bar">
              <Metrics />
              <Layers />
              <button type="button" id="wall" title={t('map.wall')} onClick={() => go({ wall: true })}>{t('map.wall')}</button>
            </div>
            {paintError.value && <Problem error={paintError.value} words={words} />}
            {tree.plan.cells.length > 0 ? <CityMap tree={tree} open={open} handle={handle} /> : <Empty title={t('map.none.title')}>{t('map.none.body')}</Empty>}
          </div>
        </div>
        <div class="right">
          <Tabs
            label={t('side')} value={side} onChange={(v) => go({ side: v }, false)}
            options={[['overview', t('side.overview')], ['cells', t('side.cells')]]}
          />
          {side === 'cells' ? <CellList tree={tree} /> : <Overview key={area} tree={tree} s={s} zoom={() => handle.current?.fit(area)} />}
        </div>
      </div>
    </>
  );
}

function Overview({ tree, s, zoom }: { tree: Tree; s: Summary | null; zoom: () => void }): JSX.Element {
  const { area, component } = route.value;
  const name = area ? tree.name(area) : t('city');
  return (
    <>
      {component && <ComponentCard key={component} id={component} />}
      {levelOf(area) === 'cell' && !component && <CellCard code={area} zoom={zoom} />}
      <Charts area={area} name={name} s={s} />
      <Alarms s={s} tree={tree} />
      <Flow s={s} area={area} />
      <Indicators area={area} />
    </>
  );
}
