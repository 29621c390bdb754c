// Accounts: one's own, and for administrators everybody's.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { has, session } from '../shared/session.ts';
import { mount, Shell } from '../shared/shell.tsx';
import { Empty, Tabs } from '../shared/ui.tsx';
import { Audit } from './audit.tsx';
import { Me } from './me.tsx';
import { People } from './people.tsx';
import { Tokens } from './tokens.tsx';
import { t } from './words.ts';
import './style.css';

type Tab = 'me' | 'tokens' | 'people' | 'audit';

/** The tabs that the person has, the first of which is shown when the address names none. */
function tabsFor(admin: boolean): Tab[] {
  return admin ? ['people', 'tokens', 'audit', 'me'] : ['me', 'tokens'];
}

function Admin(): JSX.Element {
  const s = session.value;
  const tabs = tabsFor(s?.person != null && has('admin'));
  const read = (): Tab => tabs.find((one) => one === location.hash.slice(1)) ?? tabs[0] ?? 'me';
  const [tab, setTab] = useState(read);
  useEffect(() => {
    const follow = (): void => setTab(read());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return (
    <Shell page="admin" title={t('title')}>
      <h1 class="sr">{t('title')}</h1>
      {s?.person ? (
        <>
          <div class="parts">
            <Tabs label={t('tab')} options={tabs.map((one) => [one, t(`tab.${one}`)] as const)} value={tab} onChange={(one) => (location.hash = one)} />
          </div>
          {tab === 'me' && <Me session={s} person={s.person} />}
          {tab === 'tokens' && <Tokens person={s.person} />}
          {tab === 'people' && <People />}
          {tab === 'audit' && <Audit />}
        </>
      ) : (
        <Nobody open={s?.state === 'open'} />
      )}
    </Shell>
  );
}

function Nobody({ open }: { open: boolean }): JSX.Element {
  return (
    <div class="panel">
      <Empty title={t(open ? 'open' : 'away')}>{t(open ? 'open.hint' : 'away.hint')}</Empty>
    </div>
  );
}

void mount(() => <Admin />);
