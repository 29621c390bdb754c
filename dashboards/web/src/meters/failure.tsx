// The last failure of a meter: why in plain words, since when, and what went over the
// line.

import type { JSX } from 'preact';
import { formatTime, withoutMeter } from '../shared/format.ts';
import { State } from '../shared/marks.tsx';
import type { ExchangeJSON, FailureJSON } from './api.ts';
import { Hex } from './hex.tsx';
import { t } from './state.ts';
import { words } from './words.ts';

export function Failure({ f, meter }: { f: FailureJSON | null; meter: string }): JSX.Element {
  return (
    <section class="panel" id="failure" aria-labelledby="failure-title">
      <header>
        <h2 id="failure-title">{t('failure')}</h2>
        {f && <State tone={f.until === null ? 'bad' : 'none'}>{when(f)}</State>}
      </header>
      <div class="body">
        {f ? <Told f={f} meter={meter} /> : <p class="quiet">{t('failure.none')}</p>}
      </div>
    </section>
  );
}

function when(f: FailureJSON): string {
  const at = (iso: string): string => formatTime(Date.parse(iso));
  if (f.since === null) return f.until === null ? t('failure.now') : t('failure.before', { until: at(f.until) });
  return f.until === null ? t('failure.since', { since: at(f.since) }) : t('failure.over', { since: at(f.since), until: at(f.until) });
}

function Told({ f, meter }: { f: FailureJSON; meter: string }): JSX.Element {
  return (
    <>
      {f.cause && <p class="plain">{words.word('cause', f.cause)}</p>}
      <p class="quiet errortext">
        {withoutMeter(f.error, meter)} · {f.collector}
      </p>
      {f.exchange ? <Exchange e={f.exchange} /> : <p class="quiet">{t('frames.none')}</p>}
    </>
  );
}

function Exchange({ e }: { e: ExchangeJSON }): JSX.Element {
  return (
    <div class="exchange">
      <p class="quiet">{t('frames.at', { time: formatTime(Date.parse(e.at)), protocol: words.word('protocol', e.protocol) })}</p>
      <Hex title={t('frames.sent')} hex={e.sent} cut={e.sent_cut} protocol={e.protocol} sent />
      <Hex title={t('frames.received')} hex={e.received} cut={e.received_cut} protocol={e.protocol} sent={false} />
    </div>
  );
}
