// What is within what: city, county, street, community, cell. A code begins with the
// code of what it is in. Pure, so that it can be tested.

import type { Area, Plan } from './geometry.ts';

export type Level = 'city' | 'county' | 'street' | 'community' | 'cell';

/** One step of the way from the city to a cell. */
export interface Place {
  readonly code: string;
  readonly name: string;
  readonly level: Level;
}

export function levelOf(code: string): Level {
  if (code === '') return 'city';
  if (code.length <= 6) return 'county';
  if (code.length <= 9) return 'street';
  return code.length <= 12 ? 'community' : 'cell';
}

/** Finds places of a plan quickly. */
export class Tree {
  private readonly byCode = new Map<string, Area>();
  private readonly cellIndex = new Map<string, number>();
  /** A city of one county is that county: it is no step of its own. */
  private readonly single: boolean;

  constructor(readonly plan: Plan) {
    for (const a of plan.areas) this.byCode.set(a.code, a);
    plan.cells.forEach((c, i) => this.cellIndex.set(c.code, i));
    this.single = plan.areas.filter((a) => levelOf(a.code) === 'county').length <= 1;
  }

  /** The index of a cell, or -1. */
  index(code: string): number {
    return this.cellIndex.get(code) ?? -1;
  }

  area(code: string): Area | undefined {
    return this.byCode.get(code);
  }

  has(code: string): boolean {
    return code === '' || this.byCode.has(code) || this.cellIndex.has(code);
  }

  /** The first cell of a place, and the first after it. */
  range(code: string): readonly [number, number] {
    if (code === '') return [0, this.plan.cells.length];
    const a = this.byCode.get(code);
    if (a) return [a.first, a.last];
    const i = this.index(code);
    return i < 0 ? [0, 0] : [i, i + 1];
  }

  name(code: string): string {
    return this.byCode.get(code)?.name || this.plan.cells[this.index(code)]?.name || code;
  }

  /** The way to a place, from below the city down to itself. */
  path(code: string): Place[] {
    const steps = [6, 9, 12].filter((n) => n < code.length).map((n) => code.slice(0, n));
    return [...steps, ...(code ? [code] : [])]
      .filter((c) => this.has(c) && !this.skipped(c))
      .map((c) => ({ code: c, name: this.name(c), level: levelOf(c) }));
  }

  /** What a place is in; "" is the city. */
  parent(code: string): string {
    return this.path(code).at(-2)?.code ?? '';
  }

  /** The next smaller places within one; cells where there are no areas. */
  children(code: string): Place[] {
    if (levelOf(code) === 'cell') return [];
    const inside = this.plan.areas.filter((a) => a.code.startsWith(code) && a.code !== code && !this.skipped(a.code));
    const shortest = Math.min(...inside.map((a) => a.code.length));
    const list = inside.filter((a) => a.code.length === shortest);
    if (list.length > 0) return list.map((a) => ({ code: a.code, name: a.name, level: levelOf(a.code) }));
    const [first, last] = this.range(code);
    return this.plan.cells.slice(first, last).map((c) => ({ code: c.code, name: c.name, level: 'cell' }));
  }

  /** What to open of the way to a cell when one comes from a place: the first step that is not on the way there already. */
  next(from: string, cell: string): string {
    const way = this.path(cell);
    const here = new Set(this.path(from).map((p) => p.code));
    const step = way.find((p) => !here.has(p.code));
    return step?.code ?? cell;
  }

  private skipped(code: string): boolean {
    return this.single && levelOf(code) === 'county';
  }
}
