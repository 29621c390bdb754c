// The map of the round over the whole screen, with what is near as a list.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { here, usePosition } from './place.ts';
import { go } from './route.ts';
import { RoundMap } from './roundmap.tsx';
import { near } from './search.ts';
import { round, waiting } from './state.ts';
import { classNameOf, metresText } from './text.ts';
import { t } from './words.ts';

const chosen = signal('');

export function MapView(): JSX.Element {
  usePosition();
  const c = round.value.components.find((one) => one.id === chosen.value);
  const around = here.value ? near(round.value.components, here.value, 200, 10) : [];
  return (
    <div class="mapview">
      <h1 class="sr">{t('nav.map')}</h1>
      <RoundMap label={t('map.label', { cells: round.value.cells.length, tasks: waiting.value.length })} chosen={chosen.value} onTask={(key) => go(`task/${key}`)} onComponent={(id) => (chosen.value = id)} onPlace={() => (chosen.value = '')} />
      <p class="quiet legend">{t('map.legend')}</p>
      {c && (
        <div class="card">
          <div class="what">
            <b>{classNameOf(round.value, c.class, c.class_name)}</b>
            <span>{c.location || c.name}</span>
            <span class="quiet code">{c.id}</span>
          </div>
          <a class="button main" href={`#report/new/${c.id}`}>{t('do.report')}</a>
        </div>
      )}
      {around.length > 0 && (
        <details>
          <summary>{t('map.near', { n: around.length })}</summary>
          <ul class="list">
            {around.map((f) => (
              <li key={f.component.id}>
                <button type="button" class="line" onClick={() => (chosen.value = f.component.id)}>
                  <span class="what">
                    <b>{classNameOf(round.value, f.component.class, f.component.class_name)}</b>
                    <span class="quiet code">{f.component.id}</span>
                  </span>
                  <span class="far">{metresText(f.far)}</span>
                </button>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
