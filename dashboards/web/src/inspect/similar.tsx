// Open cases that may be about the same thing: a hint while there is network.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import type { CaseJSON } from '../shared/openapi.ts';
import { here } from './place.ts';
import type { ReportBody } from './record.ts';
import { online } from './state.ts';
import { stateText } from './text.ts';
import { t } from './words.ts';

export function Similar({ report: r }: { report: ReportBody }): JSX.Element | null {
  const [found, setFound] = useState<readonly CaseJSON[]>([]);
  const at = r.place ?? here.value;
  const place = at ? { lon: at.lon, lat: at.lat, crs: at.crs } : {};
  const near = at ? `${at.lon.toFixed(4)} ${at.lat.toFixed(4)}` : '';
  useEffect(() => {
    setFound([]);
    if (!r.class || !online.value || (!r.component && !at)) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      ask<CaseJSON[]>('/api/v1/similar-cases', { class: r.class, component: r.component, ...place }, stop.signal).then(setFound, () => undefined);
    }, 600);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [r.class, r.component, near, online.value]);
  if (found.length === 0) return null;
  return (
    <div class="similar" role="status">
      <p>{t('similar', { n: found.length })}</p>
      <ul>
        {found.slice(0, 3).map((c) => (
          <li key={c.id}>
            <span class="code">{c.id}</span> {c.description} <span class="quiet">{stateText(c.state)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
