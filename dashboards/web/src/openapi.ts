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

export interface DecisionInputBody {
  action: 'explain' | 'assign' | 'adjust' | 'close';
  amount?: string;
  assignee?: string;
  evidence?: string;
  key: string;
  volume?: number;
  why: string;
}

export interface DecisionJSON {
  amount: string;
  assignee: string;
  at: string;
  evidence: string;
  id: number;
  key: string;
  state: 'explained' | 'assigned' | 'adjusted' | 'closed';
  volume: number;
  who: string;
  why: string;
}

export interface DifferenceJSON {
  allowed: Array<string>;
  amount: string;
  card: string;
  channel: string;
  class: string;
  cleared_run: number;
  day: string;
  expected: string;
  found_run: number;
  from?: string;
  key: string;
  meter: string;
  moment?: string;
  note: string;
  order: string;
  purchase: number;
  scheme: string;
  shown: string;
  state: 'open' | 'explained' | 'assigned' | 'adjusted' | 'closed';
  utility: 'water' | 'power' | 'gas';
  volume: number;
}

export interface DifferencePage {
  rows: Array<DifferenceJSON>;
  total: number;
}

export interface DigestJSON {
  name: string;
  sm3: string;
}

export interface EventJSON {
  amount: string;
  assignee: string;
  at: string;
  bought: string;
  card: string;
  channel: string;
  day: string;
  evidence: string;
  kind: string;
  order: string;
  purchase: number;
  residual: string;
  what: 'sale' | 'payment' | 'entry' | 'decision';
  where: string;
  who: string;
  why: string;
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

export interface ImportJSON {
  at: string;
  by: string;
  bytes: number;
  channel: string;
  content: 'sales' | 'payments';
  credit: string;
  day: string;
  debit: string;
  id: number;
  mapping: string;
  name: string;
  number: number;
  repeated: boolean;
  rows: number;
  sm3: string;
  unresolved: number;
  utility: 'water' | 'power' | 'gas';
}

export interface InstallationJSON {
  customer: string;
  from: string;
  meter_number: string;
  to?: string;
}

export interface JobJSON {
  at: string;
  by: string;
  done: number;
  from: string;
  id: string;
  problem: string;
  run: number;
  stage: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  to: string;
  total: number;
  utility: 'water' | 'power' | 'gas';
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

export interface PersonJSON {
  name: string;
  roles: Array<string>;
}

export interface PlaceJSON {
  installations: Array<InstallationJSON>;
  meter: string;
  plan: string;
  purse: 'fen' | 'L' | 'Wh';
  readout: 'remote' | 'card';
  utility: 'water' | 'power' | 'gas';
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
  allowed?: Array<string>;
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

export interface RunJSON {
  at: string;
  before: number;
  by: string;
  from: string;
  id: number;
  inputs: Array<DigestJSON>;
  replaces: number;
  rules: string;
  state: 'done' | 'set_aside';
  tariffs: string;
  to: string;
  took_ms: number;
  utility: 'water' | 'power' | 'gas';
  version: number;
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

export interface StartRunInputBody {
  from: string;
  to?: string;
  utility: 'water' | 'power' | 'gas';
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

export interface TariffJSON {
  at: string;
  by: string;
  name: string;
  sm3: string;
  text: string;
}

export interface TimelineJSON {
  difference: DifferenceJSON;
  events: Array<EventJSON>;
}

export interface Version {
  commit: string;
  go: string;
  version: string;
}
