// The hub's JSON as this page uses it, from the contract schemas/openapi.yaml,
// and how to ask for it.

import type { CollectorJSON, FaultJSON, HealthJSON, MeterRow, QuantityJSON, ReadingsJSON, SealStep } from './openapi.ts';

export type { Flow, LastValue, MeterDetail, MeterRow, MetersEvent, Point } from './openapi.ts';

export type Collector = CollectorJSON;
export type Fault = FaultJSON;
export type Health = HealthJSON;
export type Readings = ReadingsJSON;
export type QuantityInfo = QuantityJSON;
export type Quality = MeterRow['quality'];
export type MeterState = MeterRow['state'];
export type Step = Pick<SealStep, 'state' | 'reason'>;
export type StepState = Step['state'];

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
