// One file: what it is, or what is wrong with it line by line, and what to do.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { csv, download } from '../shared/file.ts';
import { formatBytes, formatCount, formatTime } from '../shared/format.ts';
import { Medium, State } from '../shared/marks.tsx';
import type { Tone } from '../shared/marks.tsx';
import type { FileCheckJSON, ImportJSON } from '../shared/openapi.ts';
import { desk } from './deskstate.ts';
import { Field, Problem, Select } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import { UTILITIES } from './filter.ts';
import { Yuan } from './marks.tsx';
import type { One, Said } from './upload.ts';
import { check, drop } from './upload.ts';
import { t, words } from './words.ts';

function stateOf(f: One): [Tone, string] {
  if (f.stage === 'imported') return f.done?.repeated ? ['none', t('file.repeated')] : ['ok', t('file.stored')];
  if (f.stage === 'failed' || f.error) return ['bad', t('file.failed')];
  switch (f.check?.state) {
    case 'new':
      return [f.stage === 'importing' ? 'none' : 'ok', t(f.stage === 'importing' ? 'file.storing' : 'file.sound')];
    case 'imported':
      return ['none', t('file.repeated')];
    case 'taken':
      return ['bad', t('file.taken')];
    case 'wrong':
      return ['bad', t('file.wrong', { n: `${f.check.mistakes.length}${f.check.more ? '+' : ''}` })];
    default:
      return ['none', t('file.checking')];
  }
}

export function FileCard({ f }: { f: One }): JSX.Element {
  const [tone, text] = stateOf(f);
  const busy = f.stage === 'checking' || f.stage === 'importing';
  const what = f.done ?? f.check?.file ?? null;
  return (
    <li class={`upload ${f.check?.state ?? ''}`} data-file={f.file.name} data-stage={f.stage}>
      <div class="row">
        <b class="name">{f.file.name}</b>
        <span class="quiet">{formatBytes(f.file.size, lang.value)}</span>
        <State tone={tone}>{text}</State>
        {!busy && f.stage !== 'imported' && (
          <button type="button" class="icon push" aria-label={t('file.drop', { name: f.file.name })} onClick={() => drop(f.id)}>
            ×
          </button>
        )}
      </div>
      {busy && <progress max={1} value={f.sent} aria-label={text} />}
      {what && <What i={what} mapping={f.check?.mapping ?? what.mapping} />}
      {f.check?.held && f.check.state !== 'new' && (
        <p class="quiet">{t(f.check.state === 'imported' ? 'file.held_same' : 'file.held_other', { name: f.check.held.name, who: f.check.held.by, when: formatTime(Date.parse(f.check.held.at)) })}</p>
      )}
      {f.check && f.check.mistakes.length > 0 && <Mistakes check={f.check} name={f.file.name} />}
      {(f.check?.state === 'wrong' || f.stage === 'failed') && <Help f={f} />}
      <Problem error={f.error} words={words} />
    </li>
  );
}

function What({ i, mapping }: { i: ImportJSON; mapping: string }): JSX.Element {
  return (
    <p class="row what">
      <Medium id={i.utility} named />
      <span>{t(`file.${i.content}`)}</span>
      <span>{words.word('channel', i.channel)}</span>
      <span>
        {i.day} #{i.number}
      </span>
      <span>{t('file.rows_n', { n: formatCount(i.rows, lang.value) })}</span>
      <span>
        {t('file.debit')} <Yuan of={i.debit} />
      </span>
      <span>
        {t('file.credit')} <Yuan of={i.credit} />
      </span>
      {i.unresolved > 0 && <State tone="warn">{t('file.unresolved', { n: i.unresolved })}</State>}
      <span class="quiet">{t('file.read_as', { mapping })}</span>
    </p>
  );
}

function Mistakes({ check, name }: { check: FileCheckJSON; name: string }): JSX.Element {
  const save = (): void => {
    const head = [t('fault.line'), t('fault.column'), t('fault.field'), t('fault.text'), t('fault.what')];
    download(`${name}.errors.csv`, csv([head, ...check.mistakes.map((m) => [m.line, m.column, m.field, m.text, words.fault(m.what)])]));
  };
  return (
    <div class="mistakes">
      <div class="scroll" tabIndex={0} role="group" aria-label={t('fault.list', { name })}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="num">{t('fault.line')}</th>
              <th scope="col">{t('fault.field')}</th>
              <th scope="col">{t('fault.text')}</th>
              <th scope="col">{t('fault.what')}</th>
            </tr>
          </thead>
          <tbody>
            {check.mistakes.map((m, n) => (
              <tr key={n}>
                <th scope="row" class="num">
                  {m.line || '–'}
                </th>
                <td>
                  {m.field ? <code>{m.field}</code> : '–'}
                  {m.column > 0 && <span class="count">{t('fault.column_n', { n: m.column })}</span>}
                </td>
                <td>
                  <code>{m.text}</code>
                </td>
                <td>{words.fault(m.what)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="row">
        <button type="button" onClick={save}>
          {t('fault.csv')}
        </button>
        <span class="quiet">{t(check.more ? 'fault.more' : 'fault.note')}</span>
      </p>
    </div>
  );
}

/** What the file does not say itself: its layout, channel, utility, day, number. */
function Help({ f }: { f: One }): JSX.Element {
  const [said, setSaid] = useState<Said>({ ...f.said, mapping: f.said.mapping || (f.check?.mapping ?? '') });
  const set = (part: Partial<Said>): void => setSaid({ ...said, ...part });
  return (
    <details class="said">
      <summary>{t('said')}</summary>
      <p class="quiet">{t('said.note')}</p>
      <div class="row">
        <Select label={t('file.mapping')} value={said.mapping} options={[['', t('said.try')], ...(desk.value?.mappings ?? []).map((m) => [m.name, words.word('mapping', m.name)] as const)]} onChange={(mapping) => set({ mapping })} />
        <Select label={t('utility')} value={said.utility} options={[['', t('said.file')], ...UTILITIES.map((u) => [u, common.word('medium', u)] as const)]} onChange={(utility) => set({ utility })} />
        <Field label={t('channel')} render={(id) => <input id={id} maxLength={64} size={12} value={said.channel} onInput={(e) => set({ channel: e.currentTarget.value.trim() })} />} />
        <Field label={t('col.day')} render={(id) => <input id={id} type="date" value={said.day} onInput={(e) => set({ day: e.currentTarget.value })} />} />
        <Field label={t('said.number')} render={(id) => <input id={id} inputMode="numeric" size={4} maxLength={7} value={said.number} onInput={(e) => set({ number: e.currentTarget.value.replace(/\D/g, '') })} />} />
        <button type="button" onClick={() => void check(f.id, said)}>
          {t('said.again')}
        </button>
      </div>
    </details>
  );
}
