// The audit log, the check of its chain, and the whole of it as a table.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../shared/api.ts';
import { common } from '../shared/common.ts';
import { csv, download } from '../shared/file.ts';
import { formatTime } from '../shared/format.ts';
import type { AccountPersonJSON, AuditCheckJSON, AuditEntryJSON } from '../shared/openapi.ts';
import { Button, Problem, say, Skeleton } from '../shared/ui.tsx';
import { actorOf, auditRows, dayAfter, nameOf, wholeAudit } from './data.ts';
import { Panel, refusal, Secret } from './parts.tsx';
import { t, words } from './words.ts';

const PAGE = 100;

export function Audit(): JSX.Element {
  const [people, setPeople] = useState<AccountPersonJSON[]>([]);
  const [list, setList] = useState<AuditEntryJSON[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [more, setMore] = useState(true);
  const [check, setCheck] = useState<AuditCheckJSON | null>(null);
  const older = async (): Promise<void> => {
    try {
      const before = list?.at(-1)?.seq ?? 0;
      const some = await ask<AuditEntryJSON[]>('/api/v1/accounts/audit', { before, limit: PAGE });
      setList([...(list ?? []), ...some]);
      setMore(some.length === PAGE);
      setError(null);
    } catch (err) {
      setError(err);
    }
  };
  useEffect(() => {
    ask<AccountPersonJSON[]>('/api/v1/accounts/people').then(setPeople, setError);
    void older();
  }, []);
  const verify = async (): Promise<void> => {
    try {
      setCheck(await ask<AuditCheckJSON>('/api/v1/accounts/audit/check'));
    } catch (err) {
      say(refusal(err), true);
    }
  };
  const save = async (): Promise<void> => {
    try {
      download(`audit-${dayAfter(Date.now(), 0)}.csv`, csv(auditRows(people, await wholeAudit())));
    } catch (err) {
      say(refusal(err), true);
    }
  };
  const tools = (
    <>
      <Button id="check" onClick={verify}>{t('audit.check')}</Button>
      <Button id="csv" onClick={save}>{common.t('csv')}</Button>
    </>
  );
  return (
    <Panel title={t('tab.audit')} tools={tools}>
      <div aria-live="polite">{check && <Verdict check={check} />}</div>
      <Problem error={error} words={words} />
      {!list && !error && <Skeleton lines={6} />}
      {list && <Entries people={people} list={list} />}
      {list && more && <Button onClick={older}>{t('audit.older')}</Button>}
    </Panel>
  );
}

function Verdict({ check }: { check: AuditCheckJSON }): JSX.Element {
  if (!check.ok) return <p class="problem" id="verdict">{t('audit.bad', { n: check.broken ?? 0, what: check.what ?? '' })}</p>;
  return (
    <div class="hint" id="verdict">
      <p>{t('audit.good', { n: check.seq })}</p>
      <p class="quiet">{t('audit.head', { n: check.seq })}</p>
      <Secret id="head" text={check.digest} />
    </div>
  );
}

function Entries({ people, list }: { people: AccountPersonJSON[]; list: AuditEntryJSON[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t('tab.audit')}>
      <table id="audit">
        <thead>
          <tr>
            <th scope="col" class="num">{t('audit.seq')}</th>
            <th scope="col">{t('audit.at')}</th>
            <th scope="col">{t('audit.actor')}</th>
            <th scope="col">{t('audit.act')}</th>
            <th scope="col">{t('audit.subject')}</th>
            <th scope="col">{t('audit.detail')}</th>
            <th scope="col">{t('audit.from')}</th>
          </tr>
        </thead>
        <tbody>
          {list.map((e) => (
            <tr key={e.seq} title={e.digest}>
              <td class="num">{e.seq}</td>
              <td class="time">{formatTime(Date.parse(e.at))}</td>
              <td>{actorOf(people, e)}</td>
              <td>{words.word('did', e.act)}</td>
              <td>{nameOf(people, e.subject)}</td>
              <td class="detail">{e.detail}</td>
              <td>{e.from}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
