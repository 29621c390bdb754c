import type { JSX } from 'preact';
import { common } from '../shared/common.ts';
import type { InboxTabJSON } from '../shared/openapi.ts';
import { Tabs } from '../shared/ui.tsx';
import { formatCount } from '../shared/format.ts';
import { lang } from '../shared/words.ts';
import { toTab } from './hash.ts';
import { go, role, roles, view, works } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

/** In which role, where one has several; and the other pages. */
export function RoleTabs(): JSX.Element {
  return (
    <>
      {roles.value.length > 1 && (
        <Tabs label={t(works.value ? 'role.act' : 'role.look')} value={role.value} options={roles.value.map((r) => [r, common.t(`role.${r}`)] as const)} onChange={(r) => go({ role: r, ...toTab('waiting', view.value.filters) })} />
      )}
      <span class="push" />
      <a class="button" id="indicators" href="#indicators=1">
        {t('indicators')}
      </a>
      {(roles.value.includes('acceptor') || !works.value) && (
        <a class={`button ${works.value ? 'main' : ''}`} id="new" href="#new=1">
          {t('new')}
        </a>
      )}
    </>
  );
}

function Count({ tab }: { tab: InboxTabJSON }): JSX.Element | null {
  if (tab.count === 0) return null;
  return (
    <span class={`count ${tab.late > 0 ? 'late' : ''}`}>
      {formatCount(tab.count, lang.value)}
      {tab.late > 0 && <span class="sr"> {t('tab.late', { n: tab.late })}</span>}
    </span>
  );
}

/** What waits for the role, with counts; and all cases. */
export function TaskTabs({ tabs }: { tabs: readonly InboxTabJSON[] | undefined }): JSX.Element {
  const { tab } = view.value;
  const sum = (tabs ?? []).reduce((all, one) => ({ key: 'waiting', count: all.count + one.count, late: all.late + one.late }), { key: 'waiting', count: 0, late: 0 });
  const list: InboxTabJSON[] = [sum, ...(tabs ?? []), { key: 'open', count: 0, late: 0 }, { key: 'all', count: 0, late: 0 }];
  return (
    <div class="tasks noprint" role="group" aria-label={t('tasks')}>
      {list.map((one) => (
        <button key={one.key} type="button" data-tab={one.key} aria-pressed={one.key === tab} class={one.key === 'open' ? 'apart' : ''} onClick={() => go(toTab(one.key, view.value.filters))}>
          {codes.word('tab', one.key)}
          <Count tab={one} />
        </button>
      ))}
    </div>
  );
}
