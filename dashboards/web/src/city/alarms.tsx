import type { JSX } from 'preact';
import { formatAge, formatTime } from '../shared/format.ts';
import { Mark } from '../shared/marks.tsx';
import { Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { AlarmJSON, Summary } from './api.ts';
import { go, heard, now } from './state.ts';
import type { Tree } from './tree.ts';
import { t, words } from './words.ts';

/** What is wrong now, the latest first. */
export function Alarms({ s, tree }: { s: Summary | null; tree: Tree }): JSX.Element {
  return (
    <section class="panel alarms" aria-labelledby="alarms-title">
      <header>
        <h2 id="alarms-title">{t('alarms')}</h2>
      </header>
      {!s && <Skeleton lines={3} />}
      {s && s.alarms.length === 0 && <p class="body quiet">{t('alarms.none')}</p>}
      {s && s.alarms.length > 0 && (
        <ul class="body">
          {s.alarms.map((a) => <Row key={a.id} a={a} tree={tree} />)}
        </ul>
      )}
    </section>
  );
}

function Row({ a, tree }: { a: AlarmJSON; tree: Tree }): JSX.Element {
  const tone = a.kind === 'leak' || a.kind === 'cover_open' || a.kind === 'cell_outage' ? 'bad' : 'warn';
  const since = Date.parse(a.since ?? a.opened);
  const at = now.value - heard.value.skew;
  return (
    <li data-kind={a.kind} data-alarm-cell={a.cell}>
      <span class={`state ${tone}`}><Mark tone={tone} /></span>
      <span class="what">{a.case ? <a href={`/cases#case=${encodeURIComponent(a.case)}`}>{words.word('kind', a.kind)}</a> : words.word('kind', a.kind)}</span>
      <time class="quiet" dateTime={a.since ?? a.opened} title={formatTime(since)}>{formatAge(at - since, lang.value)}</time>
      <span class="place">
        {tree.has(a.cell) && a.cell && <button type="button" class="link" onClick={() => go({ area: a.cell, component: '' })}>{tree.name(a.cell)}</button>}
        {a.meter && <a href={`/meters#meter=${encodeURIComponent(a.meter)}`}>{a.meter}</a>}
      </span>
    </li>
  );
}
