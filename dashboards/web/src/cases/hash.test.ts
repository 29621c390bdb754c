import { describe, expect, test } from 'vitest';
import { formatHash, isFiltered, parseHash, START, toTab } from './hash.ts';

describe('the address after #', () => {
  test.each([
    ['', START],
    ['#', START],
    ['#tab=filed&role=dispatcher', { ...START, tab: 'filed', role: 'dispatcher' }],
    ['#tab=request.return', { ...START, tab: 'request.return' }],
    ['#case=20261123000001&tab=open', { ...START, page: 'case', id: '20261123000001', tab: 'open' }],
    ['#light=red&q=%E4%BA%95%E7%9B%96&class=CJ%2FT+214-2007%3Acomponent%3A01', { ...START, filters: { light: 'red', q: '\u4e95\u76d6', class: 'CJ/T 214-2007:component:01' } }],
    ['#tab=open&state=fed_back', { ...START, tab: 'open', filters: { state: 'fed_back' } }],
    ['#new=1', { ...START, page: 'new' }],
    ['#indicators=1&from=2026-11-01&to=2026-11-30&by=department', { ...START, page: 'indicators', from: '2026-11-01', to: '2026-11-30', by: 'department' }],
  ])('%s', (hash, view) => {
    expect(parseHash(hash)).toEqual(view);
    expect(parseHash(formatHash(parseHash(hash)))).toEqual(view);
  });

  test('a view and its address say the same', () => {
    const view = { ...START, page: 'case' as const, id: 'A-1', role: 'acceptor', tab: 'reported', filters: { state: 'handling', cell: '330106001001001', department: 'water', source: 'hotline' } };
    expect(parseHash(`#${formatHash(view)}`)).toEqual(view);
  });

  test('the state stays among the tabs that can filter by it', () => {
    const filters = { state: 'filed', cell: '330106' };
    expect(toTab('all', filters)).toEqual({ tab: 'all', filters });
    expect(toTab('waiting', filters)).toEqual({ tab: 'waiting', filters: { cell: '330106' } });
    expect(toTab('request.void', {})).toEqual({ tab: 'request.void', filters: {} });
  });

  test('what is no value is left out', () => {
    expect(parseHash('#case=../x&role=<b>&tab=%20&from=yesterday')).toEqual(START);
    expect(parseHash('#case=%3Cscript%3E').page).toBe('inbox');
  });

  test('an inbox without filters has a short address', () => {
    expect(formatHash(START)).toBe('');
    expect(isFiltered({})).toBe(false);
    expect(isFiltered({ q: '' })).toBe(false);
    expect(isFiltered({ q: 'x' })).toBe(true);
  });
});
