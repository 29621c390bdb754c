import type { JSX } from 'preact';
import { formatClock, formatCount } from '../shared/format.ts';
import { lang } from '../shared/words.ts';
import { COLOURS, countOf, HIDDEN, legend, NO_DATA } from './classes.ts';
import { lacks, lineText, metricName, unitBeside } from './figures.ts';
import { painted, plan } from './state.ts';
import { t } from './words.ts';

/** On a phone the map is small: the legend opens when it is asked for. */
const narrow = matchMedia('(max-width: 720px)').matches;

/** The classes of the map with their bounds, and what the values stand for. */
export function Legend(): JSX.Element | null {
  const p = painted.value;
  if (!p) return null;
  const l = lang.value;
  const what = metricName(p.metric, p.medium);
  const unit = unitBeside(p.metric, p.data.unit);
  const none = countOf(p.classes, NO_DATA);
  const hidden = countOf(p.classes, HIDDEN);
  const row = (swatch: string, text: string, cells: number): JSX.Element => (
    <li key={swatch}>
      <span class={`swatch ${swatch}`} aria-hidden="true" />
      <span>{text}</span>
      <span class="cells" title={t('legend.cells', { n: formatCount(cells, l) })}>{formatCount(cells, l)}</span>
    </li>
  );
  const notes = [t('asof', { time: formatClock(Date.parse(p.data.as_of)) }), ...lacks(p.data.of, l), ...(p.data.final ? [] : [t('of.running')])];
  return (
    <section class="legend" aria-label={t('legend', { what })} data-metric={p.metric} data-medium={p.medium}>
      <details open={!narrow}>
        <summary>
          <b>{what}</b>
          {unit && <span class="unit"> {unit}</span>}
        </summary>
        <ul>
          {legend(p.scale, p.classes).filter((line) => line.cells > 0 || p.scale.bounds.length > 0).map((line) => row(`${p.scale.ramp}${Math.min(line.ink, COLOURS - 1)}`, lineText(p.metric, p.scale, line, l), line.cells))}
          {none > 0 && row('none', t('legend.none'), none)}
          {hidden > 0 && row('hidden', t('legend.hidden', { k: plan.value.head?.hidden_below ?? 5 }), hidden)}
        </ul>
        <p>{notes.join(' · ')}</p>
      </details>
    </section>
  );
}
