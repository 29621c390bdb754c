import type { JSX } from 'preact';
import { className } from '../shared/classname.ts';
import { usePolled } from '../shared/poll.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import type { ComponentDetail } from './api.ts';
import { go, SLOW } from './state.ts';
import { t, words } from './words.ts';

/** A component: what it is, whose it is, and the meters that are installed there. */
export function ComponentCard({ id }: { id: string }): JSX.Element {
  const { data, error } = usePolled<ComponentDetail>(`/api/v1/components/${encodeURIComponent(id)}`, () => ({}), SLOW, id);
  return (
    <section class="panel component" aria-labelledby="component-title" data-component={id}>
      <header>
        <h2 id="component-title">{data ? className(data) : id}</h2>
        <button type="button" class="push" onClick={() => go({ component: '' })}>{t('comp.back')}</button>
      </header>
      {error && <div class="body"><Problem error={error} words={words} /></div>}
      {!data && !error && <Skeleton lines={5} />}
      {data && <Facts c={data} />}
    </section>
  );
}

function Facts({ c }: { c: ComponentDetail }): JSX.Element {
  const meters = c.meters.filter((m) => !m.valid.to);
  const rows: [string, string][] = [
    [t('comp.id'), c.id], [t('comp.class'), className(c)], [t('comp.state'), words.code('cs', c.state || 'other')], [t('comp.owner'), c.owner],
    [t('comp.upkeep'), c.upkeep], [t('comp.location'), c.location],
  ];
  return (
    <div class="body">
      <dl class="facts">
        {rows.filter(([, v]) => v).map(([name, v]) => (
          <>
            <dt>{name}</dt>
            <dd>{v}</dd>
          </>
        ))}
      </dl>
      <h3>{t('comp.meters')}</h3>
      {meters.length === 0 && <p class="quiet">{t('comp.meters.none')}</p>}
      <ul class="members">
        {meters.map((m) => (
          <li key={m.meter}>
            <a data-meter={m.meter} href={`/meters#meter=${encodeURIComponent(m.meter)}`}>{m.meter}</a>
            <span class="quiet">{t('comp.raw')}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
