// The hub's JSON as these pages use it, from the contract schemas/openapi.yaml, under the names of this page.

import type { CollectorJSON, FaultJSON, HealthJSON, MeterRow, QuantityJSON, ReadingsJSON, SealStep } from '../shared/openapi.ts';

export type {
  ConsumptionStep, ConsumptionStepsJSON, DiagnosisJSON, DoubtfulJSON, ExchangeJSON, FailureJSON, InstalledJSON, LineJSON, SuccessJSON, VerdictJSON,
} from '../shared/openapi.ts';
export type { Flow, LastValue, MeterDetail, MeterRow, MetersEvent, Point } from '../shared/openapi.ts';

export type Collector = CollectorJSON;
export type Fault = FaultJSON;
export type Health = HealthJSON;
export type Readings = ReadingsJSON;
export type QuantityInfo = QuantityJSON;
export type Quality = MeterRow['quality'];
export type MeterState = MeterRow['state'];
export type Step = Pick<SealStep, 'state' | 'reason'>;
export type StepState = Step['state'];
