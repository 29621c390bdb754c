// Made from schemas/openapi.yaml by: go test ./hub/api -run TestTypes -update

export interface BrokerStep {
  published: number;
  reason: string;
  received: number;
  received_per_s: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface CollectStep {
  online: number;
  reason: string;
  state: 'ok' | 'waiting' | 'down';
  total: number;
  values_per_s: number;
  values_read: number;
}

export interface CollectorJSON {
  area: string;
  envelopes_freed: number;
  envelopes_published: number;
  envelopes_sealed: number;
  failing: Array<FaultJSON>;
  failing_total: number;
  health: Array<HealthJSON>;
  id: string;
  online: boolean;
  reads_done: number;
  reads_failed: number;
  reads_missed: number;
  reads_planned: number;
  since?: string;
  spool_bytes: number;
  spool_full: boolean;
  spool_quota: number;
  spool_records: number;
  started_at?: string;
  status_at?: string;
  values_read: number;
  version: string;
}

export interface ConsumptionEdge {
  after?: RegisterValue;
  before?: RegisterValue;
}

export interface ConsumptionGap {
  code: 'no_meter' | 'no_record' | 'uncovered' | 'no_reading' | 'no_start' | 'no_end' | 'nothing_new' | 'fall' | 'not_used';
  from: string;
  text: string;
  to: string;
}

export interface ConsumptionJSON {
  complete: boolean;
  from: string;
  least: string;
  meter: string;
  most: string | null;
  parts: Array<ConsumptionPart>;
  problems: Array<ConsumptionGap>;
  quantity: string;
  to: string;
  unit: string;
  value: string | null;
}

export interface ConsumptionPart {
  end: ConsumptionEdge;
  from: string;
  multiplier: string;
  registers: string;
  rollovers: number;
  serial: string;
  start: ConsumptionEdge;
  to: string;
  value: string | null;
}

export interface FaultJSON {
  collector: string;
  error: string;
  meter: string;
  since: string;
}

export interface Flow {
  at: string;
  broker: BrokerStep;
  collectors: CollectStep;
  hub: HubStep;
  meters: MetersStep;
  receipts: ReceiptsStep;
  seal: SealStep;
  spool: SpoolStep;
  started_at: string;
  store: StoreStep;
}

export interface HealthJSON {
  drift_ms: number | null;
  error: string;
  meter: string;
  planned: number;
  read: number;
  success_rate: number | null;
}

export interface HubStep {
  duplicates: number;
  missing: number;
  opened: number;
  opened_per_s: number;
  reason: string;
  refused: Record<string, number>;
  refused_total: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface LastValue {
  quality: 'good' | 'suspect' | 'missing';
  quantity: string;
  reason: string;
  stored_at?: string;
  taken_at: string;
  unit: string;
  value: string | null;
}

export interface MeterDetail {
  at: string;
  fault?: FaultJSON;
  id: string;
  interval_s?: number;
  medium: 'water' | 'power' | 'gas' | 'device';
  readings: Array<LastValue>;
  state: 'answering' | 'late' | 'failing';
}

export interface MeterPage {
  at: string;
  next?: string;
  rows: Array<MeterRow>;
  total: number;
}

export interface MeterRow {
  fault?: FaultJSON;
  id: string;
  medium: 'water' | 'power' | 'gas' | 'device';
  quality: 'good' | 'suspect' | 'missing' | 'none';
  quantity: string;
  reason: string;
  state: 'answering' | 'late' | 'failing';
  taken_at: string | null;
  unit: string;
  value: string | null;
}

export interface MetersEvent {
  at: string;
  full: boolean;
  next?: string;
  order?: Array<string>;
  rows: Array<MeterRow>;
  total: number;
}

export interface MetersStep {
  answering: number;
  by_medium: Record<string, number>;
  failing: number;
  late: number;
  not_shown: number;
  reason: string;
  recorded: number;
  state: 'ok' | 'waiting' | 'down';
  total: number;
}

export interface Point {
  at: string;
  count: number;
  max: number | null;
  mean: number | null;
  min: number | null;
  quality: 'good' | 'suspect' | 'missing' | 'none';
  reason: string;
  value: string | null;
}

export interface Problem {
  code: string;
  detail: string;
  errors?: Array<ProblemField>;
  status: number;
  title: string;
  type: string;
}

export interface ProblemField {
  location: string;
  message: string;
}

export interface QuantityJSON {
  en: string;
  kind: 'gauge' | 'counter' | 'state';
  medium: 'water' | 'power' | 'gas' | 'device';
  quantity: string;
  states?: Array<string>;
  unit: string;
  zh: string;
}

export interface ReadingsJSON {
  from: string;
  meter: string;
  origin: 'live' | 'daily_freeze' | 'monthly_freeze' | 'load_record';
  points: Array<Point>;
  quantity: string;
  step_s: number;
  to: string;
  unit: string;
}

export interface ReceiptsStep {
  freed: number;
  reason: string;
  sent: number;
  sent_per_s: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface RegisterValue {
  at: string;
  source: 'live' | 'daily_freeze' | 'monthly_freeze' | 'load_record' | 'installation';
  value: string;
}

export interface SealStep {
  reason: string;
  sealed: number;
  sealed_per_s: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface SpoolStep {
  bytes: number;
  full: number;
  quota: number;
  reason: string;
  records: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface StoreStep {
  p50_ms: number | null;
  p99_ms: number | null;
  points: number;
  points_per_s: number;
  queue: number;
  queue_limit: number;
  reason: string;
  rejected: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface Version {
  commit: string;
  go: string;
  version: string;
}
