// The main figures of a place. Most of them are buttons: what they count, the map shows.

import type { ComponentChildren, JSX } from 'preact';
import { common } from '../shared/common.ts';
import { formatClock, formatCount, formatDecimal, formatPercent, formatUnit } from '../shared/format.ts';
import { Medium } from '../shared/marks.tsx';
import { lang } from '../shared/words.ts';
import type { ConsumptionTodayRow, Summary } from './api.ts';
import { change, lacks, short } from './figures.ts';
import type { MediumId } from './route.ts';
import { choose, CHOICES, chosen } from './toolbar.tsx';
import { t, words } from './words.ts';

/** A figure: its name, itself, and what is to be known of it. */
export interface Figure {
  id: string;
  name: string;
  /** Of a medium. */
  medium?: MediumId;
  value: string | null;
  unit: string;
  /** What the value says of itself: the comparison, the parts. */
  sub: string;
  note: string;
  title?: string;
  tone?: 'bad' | 'warn' | 'ok' | undefined;
  /** What the map shows when it is pressed; empty for none. */
  shows: string;
}

/** The figures of a summary. */
export function figures(s: Summary): Figure[] {
  const l = lang.value;
  const n = (v: number): string => formatCount(v, l);
  const at = t('asof', { time: formatClock(Date.parse(s.at)) });
  const { meters: m, completeness: c } = s;
  return [
    {
      id: 'meters', name: t('kpi.meters'), value: n(m.answering), unit: t('kpi.of', { n: n(m.total) }), note: at, shows: 'offline',
      sub: t('kpi.meters.sub', { late: n(m.late), failing: n(m.failing), silent: n(m.silent) }), tone: m.total === 0 ? undefined : m.answering < m.total ? 'warn' : 'ok',
    },
    {
      id: 'completeness', name: t('kpi.complete'), value: c.expected > 0 ? formatPercent(Math.min(1, c.got / c.expected), l) : null, unit: '', note: at, shows: 'completeness',
      sub: c.expected > 0 ? t('kpi.complete.sub', { got: n(c.got), expected: n(c.expected) }) : t('kpi.complete.none'),
    },
    ...s.consumption.map((row) => used(row, at)),
    {
      id: 'cases', name: t('kpi.cases'), value: n(s.cases.open), unit: '', note: at, shows: s.cases.overdue > 0 ? 'overdue' : 'open',
      sub: s.cases.overdue > 0 ? t('kpi.cases.overdue', { n: n(s.cases.overdue) }) : t('kpi.cases.intime'), tone: s.cases.overdue > 0 ? 'bad' : 'ok',
    },
    {
      id: 'alarms', name: t('kpi.alarms'), value: s.alarms.length >= 20 ? `${n(s.alarms.length)}+` : n(s.alarms.length), unit: '', note: at, shows: '',
      sub: s.alarms[0] ? t('kpi.alarms.sub', { kind: words.word('kind', s.alarms[0].kind) }) : t('kpi.alarms.none'), tone: s.alarms.length > 0 ? 'warn' : 'ok',
    },
  ];
}

function used(row: ConsumptionTodayRow, at: string): Figure {
  const l = lang.value;
  const than = change(row.today_to, row.yesterday, l);
  const unit = formatUnit(row.unit);
  const both = row.today_to !== null && row.yesterday !== null;
  return {
    id: row.medium, name: t(`kpi.today.${row.medium}`), medium: row.medium, shows: row.medium, unit,
    value: row.today === null ? null : formatDecimal(short(row.today)),
    sub: row.hidden ? t('kpi.hidden') : than ? t('kpi.than', { p: than }) : t('kpi.than.none'),
    note: [...lacks(row, l).slice(0, 1), at].join(' · '),
    title: [
      ...(row.today === null ? [] : [`${formatDecimal(row.today)} ${unit}`]),
      ...lacks(row, l),
      ...(both ? [t('kpi.than.until', { time: formatClock(Date.parse(row.until)).slice(0, 5), a: `${formatDecimal(row.today_to!)} ${unit}`, b: `${formatDecimal(row.yesterday!)} ${unit}` })] : []),
    ].join('\n'),
  };
}

export function Kpis({ s }: { s: Summary | null }): JSX.Element {
  if (!s) {
    return (
      <section class="kpis panel" aria-label={t('kpi')} aria-busy="true">
        {Array.from({ length: 7 }, (_, i) => (
          <div class="kpi" key={i}>
            <span class="blank" />
            <span class="blank wide" />
            <span class="blank" />
          </div>
        ))}
      </section>
    );
  }
  const now = chosen();
  return (
    <section class="kpis panel" aria-label={t('kpi')}>
      {figures(s).map((f) => (
        <Tile key={f.id} f={f} on={f.shows === now || (f.id === 'cases' && now === 'open')} />
      ))}
    </section>
  );
}

function Tile({ f, on }: { f: Figure; on: boolean }): JSX.Element {
  const inside: ComponentChildren = (
    <>
      <span class="name">
        {f.medium && <Medium id={f.medium} />}
        {f.name}
      </span>
      <span class="figure">
        {f.value === null ? <span class="novalue">{common.t('novalue')}</span> : <b>{f.value}</b>}
        {f.value !== null && f.unit && <span class="unit"> {f.unit}</span>}
      </span>
      <span class={`sub ${f.tone ?? ''}`}>{f.sub}</span>
      <span class="note">{f.note}</span>
    </>
  );
  const choice = CHOICES.find((c) => c.key === f.shows);
  if (!choice) {
    return <div class="kpi" data-kpi={f.id}>{inside}</div>;
  }
  return (
    <button type="button" class="kpi" data-kpi={f.id} aria-pressed={on} title={f.title} onClick={() => choose(choice)}>
      {inside}
    </button>
  );
}
