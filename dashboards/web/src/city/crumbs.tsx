import type { JSX } from 'preact';
import { Select } from '../shared/ui.tsx';
import { go, route } from './state.ts';
import type { Tree } from './tree.ts';
import { t } from './words.ts';

/** So many cells are too many for a list to choose from; the table has them. */
const MOST = 400;

/** The way from the city to where one is, and the ways on. */
export function Crumbs({ tree }: { tree: Tree }): JSX.Element {
  const { area } = route.value;
  const way = tree.path(area);
  const below = tree.children(area);
  const level = below[0]?.level;
  const to = (code: string) => (e: Event): void => {
    e.preventDefault();
    go({ area: code, component: '' });
  };
  return (
    <nav class="crumbs" aria-label={t('where')}>
      <ol>
        <li>
          {area === '' ? <b aria-current="page">{t('city')}</b> : <a href="#" onClick={to('')}>{t('city')}</a>}
        </li>
        {way.map((p) => (
          <li key={p.code} data-level={p.level}>
            {p.code === area ? <b aria-current="page">{p.name || p.code}</b> : <a href={`#area=${p.code}`} onClick={to(p.code)}>{p.name || p.code}</a>}
          </li>
        ))}
      </ol>
      {level && level !== 'city' && below.length <= MOST && (
        <Select
          id="further" label={t('crumb.open')} hideLabel value="" onChange={(code) => code && go({ area: code, component: '' })}
          options={[['', t(`crumb.${level}`)], ...below.map((p) => [p.code, p.name || p.code] as const)]}
        />
      )}
    </nav>
  );
}
