// The hub's JSON as this page uses it. schemas/openapi.yaml is the contract.

export type StepState = 'ok' | 'waiting' | 'down';

export interface Step {
  state: StepState;
  reason: string;
}

export interface Flow {
  at: string;
  started_at: string;
  meters: Step & {
    answering: number;
    late: number;
    failing: number;
    total: number;
    by_medium: Record<string, number>;
    not_shown: number;
  };
  collectors: Step & { online: number; total: number; values_read: number; values_per_s: number };
  seal: Step & { sealed?: number; sealed_per_s: number };
  spool: Step & { records: number; bytes: number; quota: number; full: number };
  broker: Step & { published?: number; received: number; received_per_s: number };
  hub: Step & {
    opened: number;
    opened_per_s: number;
    duplicates: number;
    missing: number;
    refused: Record<string, number>;
    refused_total: number;
  };
  store: Step & {
    points: number;
    points_per_s: number;
    rejected: number;
    queue: number;
    queue_limit: number;
    p50_ms: number | null;
    p99_ms: number | null;
  };
  receipts: Step & { sent: number; sent_per_s: number };
}

export type Quality = 'good' | 'suspect' | 'missing' | 'none';
export type MeterState = 'answering' | 'late' | 'failing';

export interface Fault {
  meter: string;
  collector: string;
  since: string;
  error: string;
}

export interface MeterRow {
  id: string;
  medium: string;
  state: MeterState;
  quantity: string;
  value: string | null;
  unit: string;
  quality: Quality;
  reason: string;
  taken_at: string | null;
  fault?: Fault;
}

export interface MetersEvent {
  at: string;
  full: boolean;
  total: number;
  next?: string;
  order?: string[];
  rows: MeterRow[];
}

export interface LastValue {
  quantity: string;
  value: string | null;
  unit: string;
  quality: Quality;
  reason: string;
  taken_at: string;
  stored_at?: string;
}

export interface MeterDetail {
  at: string;
  id: string;
  medium: string;
  state: MeterState;
  interval_s?: number;
  fault?: Fault;
  readings: LastValue[];
}

export interface Point {
  at: string;
  value: string | null;
  min: number | null;
  mean: number | null;
  max: number | null;
  count: number;
  quality: Quality;
  reason: string;
}

export interface Readings {
  meter: string;
  quantity: string;
  unit: string;
  from: string;
  to: string;
  step_s: number;
  points: Point[];
}

export interface QuantityInfo {
  quantity: string;
  medium: string;
  unit: string;
  kind: 'gauge' | 'counter' | 'state';
  states?: string[];
  zh: string;
  en: string;
}

/** A refusal of the hub, or "offline" when it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** Asks the hub; every failure is an ApiError. */
export async function ask<T>(path: string, params: Record<string, string>, signal: AbortSignal): Promise<T> {
  const query = new URLSearchParams(params).toString();
  let answer: Response;
  try {
    answer = await fetch(query ? `${path}?${query}` : path, { signal });
  } catch (err) {
    if (signal.aborted) throw err;
    throw new ApiError('offline', '');
  }
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body as T;
  const problem = (body ?? {}) as { code?: string; detail?: string };
  throw new ApiError(problem.code ?? 'offline', problem.detail ?? '');
}
