import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { common } from '../shared/common.ts';
import { Dialog, Field, Select } from '../shared/ui.tsx';
import { ClassPick } from './classpick.tsx';
import type { FilterName } from './hash.ts';
import { byState, formatHash, isFiltered } from './hash.ts';
import { departments } from './names.ts';
import { saved, withSaved } from './saved.ts';
import { go, phone, view } from './state.ts';
import { t } from './words.ts';
import { codes } from './wordscodes.ts';

const LIGHTS = ['red', 'yellow', 'green', 'none'] as const;
const STATES = ['reported', 'verifying', 'verified', 'accepted', 'filed', 'dispatched', 'handling', 'suspended', 'fed_back', 'checking', 'checked', 'closed', 'rejected', 'voided'] as const;
const SOURCES = ['inspector', 'public', 'hotline', 'video', 'leader', 'media', 'web', 'assessment', 'inspection', 'sensor'] as const;

function set(name: FilterName, value: string, replace = false): void {
  const filters = { ...view.value.filters };
  if (value) filters[name] = value;
  else delete filters[name];
  go({ filters }, replace);
}

/** The search, the filters, and those that were kept. */
export function FilterBar({ onHelp }: { onHelp: () => void }): JSX.Element {
  const [open, setOpen] = useState(!phone.value || isFiltered({ ...view.value.filters, q: '' }));
  return (
    <div class="filterbar noprint" role="search">
      <Search />
      {phone.value && (
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t('filters')}
        </button>
      )}
      {open && <Filters />}
      {isFiltered(view.value.filters) && (
        <button type="button" id="clear" onClick={() => go({ filters: {} })}>
          {t('filter.clear')}
        </button>
      )}
      <SavedFilters />
      <button type="button" class="icon" title={t('help')} aria-label={t('help')} onClick={onHelp}>
        ?
      </button>
    </div>
  );
}

/** Number, words of the place or the description: one box. */
function Search(): JSX.Element {
  const { q = '' } = view.value.filters;
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text.trim() === q) return undefined;
    const timer = setTimeout(() => set('q', text.trim(), true), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="find">
      <span class="sr">{t('search')}</span>
      <input id="q" type="search" value={text} placeholder={t('search')} maxLength={64} onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => e.key === 'Escape' && e.currentTarget.blur()} />
    </label>
  );
}

function Filters(): JSX.Element {
  const f = view.value.filters;
  const any = ['', common.t('all')] as const;
  return (
    <>
      {byState(view.value.tab) && (
        <Select id="f-state" label={t('col.state')} value={f.state ?? ''} options={[any, ...STATES.map((s) => [s, codes.t(`st.${s}`)] as const)]} onChange={(v) => set('state', v)} />
      )}
      <Select id="f-light" label={t('col.limit')} value={f.light ?? ''} options={[any, ...LIGHTS.map((l) => [l, codes.t(`light.${l}`)] as const)]} onChange={(v) => set('light', v)} />
      <Select id="f-source" label={t('col.source')} value={f.source ?? ''} options={[any, ...SOURCES.map((s) => [s, codes.t(`src.${s}`)] as const)]} onChange={(v) => set('source', v)} />
      <Select id="f-department" label={t('department')} value={f.department ?? ''}
        options={[any, ...[...departments.value.values()].map((d) => [d.id, d.name || d.id] as const)]} onChange={(v) => set('department', v)} />
      <Area />
      <ClassPick id="f-class" label={codes.t('f.class')} value={f.class ?? ''} onChange={(v) => set('class', v)} inline />
    </>
  );
}

/** A cell or an area, by its code. */
function Area(): JSX.Element {
  const { cell = '' } = view.value.filters;
  return (
    <label class="select area">
      <span class="label">{t('area')}</span>
      <input id="f-cell" key={cell} defaultValue={cell} placeholder={t('area.hint')} maxLength={15} pattern="[0-9A-Za-z]*"
        onChange={(e) => set('cell', e.currentTarget.value.trim().toUpperCase())} />
    </label>
  );
}

function SavedFilters(): JSX.Element {
  const [naming, setNaming] = useState(false);
  const here = formatHash({ ...view.value, page: 'inbox' });
  const kept = saved.value.find((s) => s.hash === here);
  return (
    <>
      {saved.value.length > 0 && (
        <Select id="saved" label={t('saved')} hideLabel value={kept?.hash ?? ''} options={[['', t('saved')], ...saved.value.map((s) => [s.hash, s.name] as const)]}
          onChange={(hash) => hash && (location.hash = hash)} />
      )}
      {kept ? (
        <button type="button" onClick={() => (saved.value = saved.value.filter((s) => s !== kept))}>
          {t('saved.drop')}
        </button>
      ) : (
        (isFiltered(view.value.filters) || view.value.tab !== 'waiting') && (
          <button type="button" id="keep" onClick={() => setNaming(true)}>
            {t('saved.keep')}
          </button>
        )
      )}
      {naming && <Naming hash={here} onClose={() => setNaming(false)} />}
    </>
  );
}

function Naming({ hash, onClose }: { hash: string; onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const keep = (e: Event): void => {
    e.preventDefault();
    if (!name.trim()) return;
    saved.value = withSaved(saved.value, { name: name.trim(), hash });
    onClose();
  };
  return (
    <Dialog title={t('saved.keep')} onClose={onClose}>
      <form onSubmit={keep}>
        <Field label={t('saved.name')} render={(id) => <input id={id} value={name} maxLength={40} required autofocus onInput={(e) => setName(e.currentTarget.value)} />} />
        <footer class="row">
          <button type="submit" class="main push">
            {common.t('save')}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
