// The filter above the list, and the sums that follow it.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { formatCount } from '../shared/format.ts';
import type { WorkListJSON } from '../shared/openapi.ts';
import { has, session } from '../shared/session.ts';
import { Button, Dialog, Field, Select } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { Class, Filter, State } from './filter.ts';
import { ALL, BANDS, CLASSES, formatFilter, parseFilter, STATES, UTILITIES } from './filter.ts';
import { Yuan } from './marks.tsx';
import { typed } from './money.ts';
import type { Total } from './sums.ts';
import { sumsOf } from './sums.ts';
import { className, t } from './words.ts';
import { forgetFilter, saved, saveFilter } from './workstate.ts';

interface Props {
  filter: Filter;
  change: (part: Partial<Filter>) => void;
}

/** The lists that each role begins its day with. */
function presets(): [string, Partial<Filter>][] {
  const me = session.value?.person?.name;
  return [
    ['todo', { states: ['open'] }],
    ...(me && has('clerk') ? ([['mine', { assignee: me, states: ['assigned'] }]] as [string, Partial<Filter>][]) : []),
    ['review', { states: ['explained', 'assigned'] }],
    ['approve', { states: ['adjusted'] }],
    ['all', {}],
    ['cleared', { cleared: true }],
  ];
}

export function Filters({ filter, change, assignees }: Props & { assignees: readonly string[] }): JSX.Element {
  const [more, setMore] = useState(filter.from + filter.to + filter.least + filter.most !== '');
  const now = formatFilter({ ...filter, sort: 'day', down: false }).toString();
  return (
    <section class="filters noprint" aria-label={t('filter')}>
      <div class="row presets">
        {presets().map(([name, part]) => {
          const whole = { ...ALL, utility: filter.utility, ...part };
          return (
            <button key={name} type="button" aria-pressed={formatFilter(whole).toString() === now} onClick={() => change({ ...whole, sort: filter.sort, down: filter.down })}>
              {t(`preset.${name as 'todo'}`)}
            </button>
          );
        })}
        <SavedFilters filter={filter} change={change} />
      </div>
      <div class="row">
        <Select label={t('utility')} value={filter.utility} options={[['', common.t('all')], ...UTILITIES.map((u) => [u, common.word('medium', u)] as const)]}
          onChange={(v) => change({ utility: v as Filter['utility'] })} />
        <Select label={t('class')} value={filter.classes.length === 1 ? String(filter.classes[0]) : filter.classes.length > 1 ? '*' : ''}
          options={[['', common.t('all')], ...(filter.classes.length > 1 ? [['*', t('filter.several', { n: filter.classes.length })] as const] : []), ...CLASSES.map((c) => [c, className(c)] as const)]}
          onChange={(v) => change({ classes: v && v !== '*' ? [v as Class] : [] })} />
        <Select label={t('col.state')} value={filter.states.length === 1 ? String(filter.states[0]) : filter.states.length > 1 ? '*' : ''}
          options={[['', common.t('all')], ...(filter.states.length > 1 ? [['*', filter.states.map((s) => t(`state.${s}`)).join(' / ')] as const] : []), ...STATES.map((s) => [s, t(`state.${s}`)] as const)]}
          onChange={(v) => change({ states: v && v !== '*' ? [v as State] : [] })} />
        <Select label={t('work.assignee')} value={filter.assignee}
          options={[['', common.t('all')], ...[...new Set([...assignees, ...(filter.assignee ? [filter.assignee] : [])])].map((a) => [a, a] as const)]} onChange={(v) => change({ assignee: v })} />
        <Text filter={filter} change={change} />
        <button type="button" aria-expanded={more} onClick={() => setMore(!more)}>
          {t('filter.more')}
        </button>
      </div>
      {more && <More filter={filter} change={change} />}
    </section>
  );
}

/** What is typed is asked for when the fingers rest. */
function Text({ filter, change }: Props): JSX.Element {
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const input = (text: string): void => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => change({ text: text.trim() }), 250);
  };
  return (
    <label class="select text">
      <span class="sr">{t('filter.text')}</span>
      <input id="work-text" type="search" maxLength={64} placeholder={t('filter.text')} defaultValue={filter.text} onInput={(e) => input(e.currentTarget.value)} />
    </label>
  );
}

function More({ filter, change }: Props): JSX.Element {
  const amount = (name: 'least' | 'most') => (e: { currentTarget: HTMLInputElement }) => {
    const value = e.currentTarget.value.trim();
    const yuan = typed(value);
    e.currentTarget.setCustomValidity(value !== '' && yuan === null ? t('amount.wrong') : '');
    if (e.currentTarget.reportValidity()) change({ [name]: yuan ?? '' });
  };
  return (
    <div class="row">
      {(['from', 'to'] as const).map((name) => (
        <label key={name} class="select">
          <span class="label">{t(`filter.${name}`)}</span>
          <input type="date" value={filter[name]} onChange={(e) => change({ [name]: e.currentTarget.value })} />
        </label>
      ))}
      {(['least', 'most'] as const).map((name) => (
        <label key={name} class="select">
          <span class="label">{t(`filter.${name}`)}</span>
          <input class="money" inputMode="decimal" size={10} value={filter[name]} onChange={amount(name)} />
        </label>
      ))}
      <label class="select">
        <span class="label">{t('filter.meter')}</span>
        <input size={12} maxLength={32} value={filter.meter} onChange={(e) => change({ meter: e.currentTarget.value.trim() })} />
      </label>
      {filter.run > 0 && (
        <button type="button" onClick={() => change({ run: 0 })}>
          {t('filter.run', { run: filter.run })} ×
        </button>
      )}
      <button type="button" onClick={() => change({ ...ALL })}>
        {t('filter.reset')}
      </button>
    </div>
  );
}

function SavedFilters({ filter, change }: Props): JSX.Element {
  const [name, setName] = useState<string | null>(null);
  const keep = (): void => {
    if (name?.trim()) saveFilter(name.trim(), filter);
    setName(null);
  };
  return (
    <>
      {saved.value.map((one) => (
        <span key={one.name} class="saved">
          <button type="button" aria-pressed={formatFilter(filter).toString() === one.query} onClick={() => change(parseFilter(new URLSearchParams(one.query)))}>
            {one.name}
          </button>
          <button type="button" class="icon" aria-label={t('filter.forget', { name: one.name })} onClick={() => forgetFilter(one.name)}>
            ×
          </button>
        </span>
      ))}
      <button type="button" class="link" onClick={() => setName('')}>
        {t('filter.save')}
      </button>
      {name !== null && (
        <Dialog title={t('filter.save')} onClose={() => setName(null)}>
          <form onSubmit={(e) => { e.preventDefault(); keep(); }}>
            <Field label={t('filter.name')} hint={t('filter.save.note')} render={(id, by) => <input id={id} aria-describedby={by} maxLength={40} value={name} onInput={(e) => setName(e.currentTarget.value)} />} />
          </form>
          <footer>
            <Button onClick={() => setName(null)}>{common.t('cancel')}</Button>
            <Button kind="main" disabled={!name.trim()} onClick={keep}>
              {common.t('save')}
            </Button>
          </footer>
        </Dialog>
      )}
    </>
  );
}

/** What the filter comes to, and how old it is. A band filters by itself. */
export function Sums({ data, filter, change }: Props & { data: WorkListJSON }): JSX.Element {
  const s = sumsOf(data.groups);
  const most = Math.max(1, ...s.bands.map((b) => b.count));
  const n = (v: number): string => formatCount(v, lang.value);
  return (
    <section class="panel sums" aria-label={t('sums')} aria-live="polite">
      <dl class="totals">
        <Figure name={t('sums.count')} value={<b id="sum-count">{n(s.all.count)}</b>} />
        <Figure name={t('sums.above')} value={<Yuan of={s.all.above} plus />} />
        <Figure name={t('sums.below')} value={<Yuan of={s.all.below} />} />
        <Figure name={t('sums.net')} value={<span id="sum-net"><Yuan of={s.all.above + s.all.below} plus /></span>} />
      </dl>
      <ul class="bands">
        {BANDS.map(([from, to], band) => {
          const b: Total = s.bands[band] ?? { count: 0, above: 0n, below: 0n };
          return (
            <li key={from}>
              <button type="button" aria-pressed={filter.band === band} onClick={() => change({ band: filter.band === band ? -1 : band })}>
                <span class="quiet">{to === null ? t('band.over', { from }) : t('band', { from, to })}</span>
                <b>{n(b.count)}</b>
                <Yuan of={b.above + b.below} plus />
                <progress max={most} value={b.count} aria-hidden="true" />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Figure({ name, value }: { name: string; value: JSX.Element }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
