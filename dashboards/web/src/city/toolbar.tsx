// What the map shows, over which time, over which pictures.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Medium } from '../shared/marks.tsx';
import { Select, Tabs } from '../shared/ui.tsx';
import { metricName } from './figures.ts';
import { MEDIA } from './route.ts';
import type { MediumId } from './route.ts';
import type { Metric } from './classes.ts';
import { METRICS } from './classes.ts';
import { dateOf, ownSpan, RANGES } from './span.ts';
import { go, minute, plan, route, tiles } from './state.ts';
import { t } from './words.ts';

interface Choice {
  key: string;
  metric: Metric;
  medium: MediumId | '';
}

/** What the map can show: the metrics, consumption once for each medium. */
export const CHOICES: readonly Choice[] = METRICS.flatMap((metric): Choice[] =>
  metric === 'consumption' ? MEDIA.map((medium) => ({ key: medium, metric, medium })) : [{ key: metric, metric, medium: '' }],
);

/** Shows it; push makes a step that Back undoes. */
export function choose(c: Choice, push = true): void {
  go({ metric: c.metric, ...(c.medium ? { medium: c.medium } : {}) }, push);
}

/** The key of the choice that the address says. */
export function chosen(): string {
  const r = route.value;
  return r.metric === 'consumption' ? r.medium : r.metric;
}

export function Metrics(): JSX.Element {
  const options = CHOICES.map((c) => [c.key, c.medium ? <><Medium id={c.medium} /> {metricName(c.metric, c.medium)}</> : metricName(c.metric, '')] as const);
  return (
    <div class="metrics">
      <Tabs label={t('metric')} options={options} value={chosen()} onChange={(key) => choose(CHOICES.find((c) => c.key === key)!)} />
    </div>
  );
}

export function Ranges(): JSX.Element {
  const { range } = route.value;
  return (
    <div class="ranges row">
      <Tabs label={t('range')} options={RANGES.map((r) => [r, t(`range.${r}`)] as const)} value={range} onChange={(r) => go({ range: r, ...(r === 'own' ? own() : {}) })} />
      {range === 'own' && <Own />}
    </div>
  );
}

/** An own range begins as the last week. */
function own(): { from: string; to: string } {
  const r = route.peek();
  const now = minute.peek();
  return { from: r.from || dateOf(now - 6 * 86_400_000), to: r.to || dateOf(now) };
}

function Own(): JSX.Element {
  const { from, to } = route.value;
  const [first, setFirst] = useState(from);
  const [last, setLast] = useState(to);
  useEffect(() => {
    setFirst(from);
    setLast(to);
  }, [from, to]);
  const good = ownSpan(minute.value, first, last) !== null;
  const take = (a: string, b: string): void => {
    setFirst(a);
    setLast(b);
    if (ownSpan(minute.peek(), a, b)) go({ from: a, to: b }, false);
  };
  const today = dateOf(minute.value);
  return (
    <span class="own">
      <label>
        <span class="quiet">{t('range.first')}</span>
        <input type="date" id="first" value={first} max={today} aria-invalid={!good} onChange={(e) => take(e.currentTarget.value, last)} />
      </label>
      <label>
        <span class="quiet">{t('range.last')}</span>
        <input type="date" id="last" value={last} max={today} aria-invalid={!good} onChange={(e) => take(first, e.currentTarget.value)} />
      </label>
      {!good && <span class="wrong" role="alert">{t('range.wrong')}</span>}
    </span>
  );
}

/** The choice of a base map, where the city has configured any. */
export function Layers(): JSX.Element | null {
  const layers = plan.value.head?.layers ?? [];
  if (layers.length === 0) return null;
  return (
    <Select
      id="layer" label={t('map.layer')} hideLabel value={tiles.value?.name ?? ''}
      options={[['', t('map.layer.none')], ...layers.map((l) => [l.name, l.name] as const)]}
      onChange={(name) => (tiles.value = layers.find((l) => l.name === name) ?? null)}
    />
  );
}
