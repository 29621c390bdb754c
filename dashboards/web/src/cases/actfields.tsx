// The fields of acts.

import type { JSX } from 'preact';
import type { CaseData } from './casedata.ts';
import type { CaseMediaJSON, MayActJSON, MayFieldJSON } from '../shared/openapi.ts';
import { Field } from '../shared/ui.tsx';
import type { Values } from './actbody.ts';
import { needed } from './actbody.ts';
import { ClassPick } from './classpick.tsx';
import { departments, inspectors, personName } from './names.ts';
import { Uploads } from './upload.tsx';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

export interface FieldProps {
  act: MayActJSON;
  field: MayFieldJSON;
  values: Values;
  media: number;
  data: CaseData;
  error: string;
  set: (change: Partial<Values>) => void;
  onMedia: (media: CaseMediaJSON[], busy: boolean) => void;
}

/** The label of a field, marked where it must be filled in. */
function labelOf(p: FieldProps): string {
  const name = p.field.name === 'text' && p.act.act === 'feed_back' ? t('f.done') : codes.word('f', p.field.name);
  const must = p.field.when === 'other_class' ? p.values.class !== p.act.fields.find((f) => f.name === 'class')?.value : needed(p.field, p.values, p.media);
  return must ? `${name} *` : name;
}

export function ActField(p: FieldProps): JSX.Element | null {
  const { name } = p.field;
  const label = labelOf(p);
  if (name === 'media') return <Group label={label} error={p.error}><Uploads stage={p.act.media_stage} onChange={p.onMedia} /></Group>;
  if (name === 'departments') return <Departments {...p} />;
  if (name === 'outcome') return <Outcome {...p} />;
  if (name === 'no_cell' && p.values.cell.trim()) return null;
  return <Field label={label} error={p.error} hint={hintOf(p)} render={(id, by) => control(p, id, by)} />;
}

function hintOf(p: FieldProps): string {
  if (p.field.name === 'amount') return t('amount.in', { unit: codes.word('unit', p.data.detail.limit?.unit ?? '') });
  if (p.field.name === 'condition' && p.data.limits.rules.length > 0) return t('condition.hint');
  return '';
}

function control(p: FieldProps, id: string, by: string | undefined): JSX.Element {
  const { name } = p.field;
  const { set, values } = p;
  switch (name) {
    case 'reason':
      return <textarea id={id} aria-describedby={by} maxLength={1000} value={values.reason} onInput={(e) => set({ reason: e.currentTarget.value })} />;
    case 'text':
      return <textarea id={id} aria-describedby={by} maxLength={2000} value={values.text} onInput={(e) => set({ text: e.currentTarget.value })} />;
    case 'class':
      return <ClassPick id={id} describedBy={by} label={codes.t('f.class')} value={values.class} onChange={(v) => set({ class: v })} />;
    case 'inspector':
      return <Inspector id={id} by={by} p={p} />;
    case 'condition':
      return (
        <>
          <input id={id} aria-describedby={by} maxLength={64} list={`${id}-list`} autocomplete="off" value={values.condition} onInput={(e) => set({ condition: e.currentTarget.value })} />
          <datalist id={`${id}-list`}>
            {p.data.limits.rules.filter((r) => r.condition).map((r) => (
              <option key={r.condition + r.area} value={r.condition}>
                {`${r.limit.amount} ${codes.word('unit', r.limit.unit)}`}
              </option>
            ))}
          </datalist>
        </>
      );
    case 'amount':
      return <input id={id} aria-describedby={by} inputMode="numeric" pattern="[0-9]{1,5}" maxLength={5} value={values.amount} onInput={(e) => set({ amount: e.currentTarget.value })} />;
    case 'departments':
    case 'media':
    case 'outcome':
      return <span />;
  }
  return <input id={id} aria-describedby={by} maxLength={name === 'no_cell' ? 1000 : 40} autocomplete="off" value={values[name]} onInput={(e) => set({ [name]: e.currentTarget.value })} />;
}

function Inspector({ id, by, p }: { id: string; by: string | undefined; p: FieldProps }): JSX.Element {
  const list = inspectors();
  const duty = p.data.detail.report.duty ?? '';
  const near = list.filter((i) => duty && i.duty.includes(duty));
  const far = list.filter((i) => !near.includes(i));
  if (list.length === 0) return <input id={id} aria-describedby={by} maxLength={32} value={p.values.inspector} onInput={(e) => p.set({ inspector: e.currentTarget.value })} />;
  const option = (i: (typeof list)[number]): JSX.Element => <option key={i.id} value={i.id}>{personName(i.id)}</option>;
  return (
    <select id={id} aria-describedby={by} value={p.values.inspector} onChange={(e) => p.set({ inspector: e.currentTarget.value })}>
      <option value="">{t('choose')}</option>
      {near.length > 0 && <optgroup label={t('inspector.near')}>{near.map(option)}</optgroup>}
      {far.length > 0 && <optgroup label={t('inspector.other')}>{far.map(option)}</optgroup>}
    </select>
  );
}

function Group({ label, error, children }: { label: string; error: string; children: JSX.Element | JSX.Element[] }): JSX.Element {
  return (
    <fieldset class={`field ${error ? 'wrong' : ''}`}>
      <legend>{label}</legend>
      {children}
      {error && <p class="note">{error}</p>}
    </fieldset>
  );
}

/** Those whom the register proposes stand first, and are chosen already. */
function Departments(p: FieldProps): JSX.Element {
  const proposed = p.data.detail.suggested;
  const known = [...departments.value.keys()];
  const list = [...proposed, ...known.filter((d) => !proposed.includes(d))];
  const toggle = (d: string): void => p.set({ departments: p.values.departments.includes(d) ? p.values.departments.filter((o) => o !== d) : [...p.values.departments, d] });
  return (
    <Group label={labelOf(p)} error={p.error}>
      <DepartmentList list={list} proposed={proposed} chosen={p.values.departments} onToggle={toggle} />
    </Group>
  );
}

/** Departments to tick. */
export function DepartmentList(p: { list: readonly string[]; proposed: readonly string[]; chosen: readonly string[]; onToggle: (d: string) => void }): JSX.Element {
  return (
    <ul class="choices">
      {p.list.map((d) => (
        <li key={d}>
          <label>
            <input type="checkbox" name="departments" value={d} checked={p.chosen.includes(d)} onChange={() => p.onToggle(d)} />
            <span>{departments.value.get(d)?.name || d}</span>
            {p.proposed.includes(d) && <span class="tag">{t('proposed')}</span>}
          </label>
        </li>
      ))}
      {p.list.length === 0 && <li class="quiet">{t('departments.none')}</li>}
    </ul>
  );
}

function Outcome(p: FieldProps): JSX.Element {
  const kind = p.act.act === 'answer_check' ? 'check' : 'verify';
  return (
    <Group label={labelOf(p)} error={p.error}>
      <div class="choices row">
        {(['yes', 'no'] as const).map((v) => (
          <label key={v}>
            <input type="radio" name="outcome" value={v} checked={p.values.outcome === v} onChange={() => p.set({ outcome: v })} />
            <span>{t(`outcome.${kind}.${v}`)}</span>
          </label>
        ))}
      </div>
    </Group>
  );
}
