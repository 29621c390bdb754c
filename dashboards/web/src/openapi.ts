// Made from schemas/openapi.yaml by: go test ./hub/api -run TestTypes -update

export interface AccountJSON {
  at: string;
  begin?: string;
  by: string;
  channel: string;
  customer: string;
  due_days: number;
  installed: string;
  late?: LateFeeJSON;
  limit: string;
  meter: string;
  meter_number: string;
  mode: 'prepaid' | 'credit';
  revision: number;
  stop: number;
  utility: 'water' | 'power' | 'gas';
  warn: number;
}

export interface AccountStateJSON {
  account: AccountJSON;
  billed: string;
  closing: string;
  from: string;
  open: Array<StateItemJSON>;
  opening: string;
  paid: string;
  rows: Array<StateRowJSON>;
  to: string;
}

export interface ActDoneJSON {
  case: string;
  entries: number;
  followed: Array<string>;
  number: number;
  repeated: boolean;
  state: string;
}

export interface ActJSON {
  act: 'classify' | 'send_verify' | 'answer_verify' | 'accept' | 'reject' | 'file' | 'dispatch' | 'take' | 'ask_return' | 'ask_extension' | 'ask_suspension' | 'ask_void' | 'approve' | 'refuse' | 'withdraw' | 'resume' | 'feed_back' | 'send_check' | 'answer_check' | 'rework' | 'close' | 'note';
  amount?: number;
  at?: string;
  classification?: ClassificationJSON;
  client_id?: string;
  departments?: Array<string>;
  device?: string;
  duplicate_of?: string;
  filing?: FilingJSON;
  inspector?: string;
  media?: Array<CaseMediaJSON>;
  outcome?: 'yes' | 'no';
  position?: PositionJSON;
  reason?: string;
  request?: number;
  role?: 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department';
  text?: string;
}

export interface ActRequest {
  act: 'classify' | 'send_verify' | 'answer_verify' | 'accept' | 'reject' | 'file' | 'dispatch' | 'take' | 'ask_return' | 'ask_extension' | 'ask_suspension' | 'ask_void' | 'approve' | 'refuse' | 'withdraw' | 'resume' | 'feed_back' | 'send_check' | 'answer_check' | 'rework' | 'close' | 'note';
  amount?: number;
  at?: string;
  classification?: ClassificationJSON;
  client_id?: string;
  departments?: Array<string>;
  device?: string;
  duplicate_of?: string;
  expect_entries?: number;
  filing?: FilingJSON;
  inspector?: string;
  media?: Array<CaseMediaJSON>;
  outcome?: 'yes' | 'no';
  position?: PositionJSON;
  reason?: string;
  request?: number;
  role?: 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department';
  text?: string;
}

export interface ActorJSON {
  department?: string;
  person: string;
  role: string;
}

export interface AdviceJSON {
  account: AccountJSON;
  open: string;
  overdue: string;
  owed: string;
  room: string;
  since: string;
  step: 'none' | 'warn' | 'limit' | 'stop';
  unbilled: string | null;
  until?: string;
  why?: string;
}

export interface AreaJSON {
  code: string;
  geometry?: GeometryJSON;
  kind: string;
  name: string;
  valid: SpanJSON;
}

export interface AssetPageAreaJSON {
  next?: string;
  rows: Array<AreaJSON>;
}

export interface AssetPageCellJSON {
  next?: string;
  rows: Array<CellJSON>;
}

export interface AssetPageComponentJSON {
  next?: string;
  rows: Array<ComponentJSON>;
}

export interface AssetPageDepartmentJSON {
  next?: string;
  rows: Array<DepartmentJSON>;
}

export interface AssetPageDutyJSON {
  next?: string;
  rows: Array<DutyJSON>;
}

export interface AssetPageGridPersonJSON {
  next?: string;
  rows: Array<GridPersonJSON>;
}

export interface AssetPageMeterLinkJSON {
  next?: string;
  rows: Array<MeterLinkJSON>;
}

export interface BatchInputBody {
  items: Array<BatchItemJSON>;
}

export interface BatchItemJSON {
  act?: ActJSON;
  case?: string;
  client_id: string;
  report?: NewReportJSON;
}

export interface BatchOutputBody {
  results: Array<BatchResultJSON>;
}

export interface BatchResultJSON {
  client_id: string;
  done?: ActDoneJSON;
  problem?: Problem;
}

export interface BillFeeJSON {
  amount: string;
  order: string;
}

export interface BillJSON {
  amount: string;
  at: string;
  begin: string;
  by: string;
  channel: string;
  customer: string;
  end: string;
  fees: Array<BillFeeJSON>;
  id: number;
  import: number;
  installed: string;
  lines: Array<BillLineJSON>;
  meter: string;
  month: string;
  order: string;
  plan: string;
  position: number;
  quantity: string;
  registers: Array<BillRegisterJSON>;
  sm3: string;
  standing: StateItemJSON;
  total: string;
  use: number;
  utility: 'water' | 'power' | 'gas';
}

export interface BillLineJSON {
  amount: string;
  price: number;
  prices_from: string;
  rate: number;
  step: number;
  use: number;
}

export interface BillRegisterJSON {
  at: string;
  by_rate?: Array<number>;
  taken: string;
  total: number;
}

export interface BillsMadeJSON {
  accounts: number;
  amount: string;
  dry_run: boolean;
  files: Array<ImportJSON>;
  left_out: Array<LeftOutJSON>;
  made: number;
  missing: number;
  month: string;
  not_in_use: number;
  refused: number;
  repeated: number;
  use: number;
  utility: 'water' | 'power' | 'gas';
}

export interface BrokerStep {
  published: number;
  reason: string;
  received: number;
  received_per_s: number;
  state: 'ok' | 'waiting' | 'down';
}

export interface CaseAllowedJSON {
  acts: Array<string>;
  role: string;
}

export interface CaseDetail {
  allowed: Array<CaseAllowedJSON>;
  area_class: string;
  cell: string;
  checked: string;
  checker: string;
  class: string;
  class_name: string;
  cleared: boolean;
  condition: string;
  deadline?: string;
  duplicate_of: string;
  entries: number;
  handler: string;
  handler_name: string;
  has_petitioner: boolean;
  head: string;
  id: string;
  light: 'none' | 'green' | 'yellow' | 'red';
  limit?: CaseLimitJSON;
  report: CaseReportJSON;
  reported: string;
  reporter: ActorJSON;
  request?: CaseRequestJSON;
  reworks: number;
  sent_to: Array<string>;
  since: string;
  state: string;
  suggested: Array<string>;
  verified: string;
  verifier: string;
}

export interface CaseJSON {
  cell: string;
  class: string;
  class_name: string;
  clock: 'none' | 'running' | 'stopped' | 'met' | 'missed';
  component: string;
  condition: string;
  deadline?: string;
  description: string;
  duplicate_of: string;
  duty: string;
  ended?: string;
  entries: number;
  event: string;
  handler: string;
  id: string;
  inspector: string;
  light: 'none' | 'green' | 'yellow' | 'red';
  location: string;
  position?: PositionJSON;
  reported: string;
  request: string;
  reworks: number;
  since: string;
  source: string;
  state: 'reported' | 'verifying' | 'verified' | 'accepted' | 'filed' | 'dispatched' | 'handling' | 'suspended' | 'fed_back' | 'checking' | 'checked' | 'closed' | 'rejected' | 'voided';
  urgency: 'normal' | 'urgent' | 'dangerous';
}

export interface CaseLimitJSON {
  amount: number;
  unit: 'urgent_hour' | 'work_hour' | 'work_day';
}

export interface CaseMediaJSON {
  kind?: 'image' | 'video' | 'audio';
  sm3: string;
  stage: 'report' | 'verify' | 'handled' | 'check';
}

export interface CasePage {
  next?: string;
  rows: Array<CaseJSON>;
  total?: number;
}

export interface CaseReportJSON {
  cell?: string;
  class: string;
  class_name: string;
  component?: string;
  condition?: string;
  description?: string;
  duty?: string;
  event?: string;
  location?: string;
  petitioner_sm3?: string;
  position?: PositionJSON;
  reply_wanted?: boolean;
  self_handled?: boolean;
  source: string;
  task?: string;
  type: string;
  urgency: string;
}

export interface CaseRequestJSON {
  amount?: number;
  at: string;
  by: ActorJSON;
  kind: 'return' | 'extension' | 'suspension' | 'void';
  number: number;
  reason: string;
}

export interface CellJSON {
  area: number;
  code: string;
  community: string;
  duty: string;
  geometry?: GeometryJSON;
  name: string;
  valid: SpanJSON;
}

export interface CensusFileJSON {
  added: number;
  changed: number;
  errors: number;
  file: string;
  kind: string;
  no_position: Array<string>;
  problems: Array<CensusProblemJSON>;
  records: number;
  same: boolean;
  sm3: string;
  unchanged: number;
  unlocated: number;
  warnings: number;
}

export interface CensusJSON {
  dry_run: boolean;
  errors: number;
  files: Array<CensusFileJSON>;
  relocated: number;
  stored: boolean;
  warnings: number;
}

export interface CensusProblemJSON {
  field?: string;
  line?: number;
  record?: number;
  remedy?: string;
  rule: string;
  value?: string;
  warning: boolean;
}

export interface ClassificationJSON {
  class: string;
  class_name?: string;
  condition?: string;
}

export interface ClearingAnswerJSON {
  accepted: ClearingSumsJSON;
  at: string;
  by: string;
  name: string;
  refused: ClearingSumsJSON;
  sm3: string;
}

export interface ClearingDirectionJSON {
  accepted: ClearingSumsJSON;
  files: number;
  pending: ClearingSumsJSON;
  refused: ClearingSumsJSON;
  sent: ClearingSumsJSON;
}

export interface ClearingFileJSON {
  answer?: ClearingAnswerJSON;
  at: string;
  by: string;
  day: string;
  details: ClearingSumsJSON;
  direction: 'sent' | 'received';
  from: string;
  name: string;
  number: number;
  sm3: string;
  to: string;
  utility: 'water' | 'power' | 'gas';
}

export interface ClearingHeldJSON {
  amount: string;
  card: string;
  event: string;
  meter_number: string;
  order: string;
  purchase: number;
  utility: 'water' | 'power' | 'gas';
  what: 'sale' | 'entry';
  why: string;
}

export interface ClearingMadeJSON {
  files: Array<ClearingFileJSON>;
  held: number;
  why: Array<ClearingHeldJSON>;
}

export interface ClearingMakeInputBody {
  day: string;
}

export interface ClearingPageJSON {
  rows: Array<ClearingFileJSON>;
  total: number;
}

export interface ClearingPositionJSON {
  balance: string;
  ours: ClearingDirectionJSON;
  owe: string;
  owed: string;
  partner: string;
  theirs: ClearingDirectionJSON;
}

export interface ClearingSumsJSON {
  count: number;
  net: string;
  returned: string;
  taken: string;
}

export interface ClearingTakenJSON {
  file: ClearingFileJSON;
  repeated: boolean;
}

export interface CodeClassJSON {
  code: string;
  en: string;
  for: string;
  kind: 'component' | 'event';
  major: CodeMajorJSON;
  of: string;
  ref: string;
  standard: string;
  utility: string;
  version: string;
  withdrawn: boolean;
  zh: string;
}

export interface CodeClassPage {
  rows: Array<CodeClassJSON>;
  total: number;
}

export interface CodeListJSON {
  classes: number;
  from: string;
  kind: 'component' | 'event';
  majors: Array<CodeMajorJSON>;
  missing: Array<string>;
  note: string;
  source: string;
  standard: string;
  sure: string;
  until: string;
  version: string;
}

export interface CodeMajorJSON {
  code: string;
  en: string;
  zh: string;
}

export interface CodePartJSON {
  digits: string;
  means: string;
  name: string;
}

export interface CodeReadingJSON {
  against: Array<string>;
  parts: Array<CodePartJSON>;
  standard: string;
  what: string;
}

export interface CodeTermJSON {
  en: string;
  key: string;
  zh: string;
}

export interface CodeTermsJSON {
  name: string;
  source: string;
  sure: string;
  terms: Array<CodeTermJSON>;
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

export interface ComponentDetail {
  accuracy: 'A' | 'B' | 'C' | '';
  authority: string;
  cell: string;
  changed?: string;
  class: string;
  class_name: string;
  id: string;
  location: string;
  meters: Array<MeterLinkJSON>;
  more?: Record<string, string>;
  name: string;
  note: string;
  owner: string;
  place: PlaceOfJSON;
  position?: PositionJSON;
  recorded?: string;
  source: string;
  state: 'intact' | 'damaged' | 'missing' | 'abandoned' | 'removed' | '';
  upkeep: string;
}

export interface ComponentJSON {
  accuracy: 'A' | 'B' | 'C' | '';
  authority: string;
  cell: string;
  changed?: string;
  class: string;
  class_name: string;
  id: string;
  location: string;
  more?: Record<string, string>;
  name: string;
  note: string;
  owner: string;
  position?: PositionJSON;
  recorded?: string;
  source: string;
  state: 'intact' | 'damaged' | 'missing' | 'abandoned' | 'removed' | '';
  upkeep: string;
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

export interface DepartmentJSON {
  classes: Array<string>;
  id: string;
  name: string;
  phone?: string;
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

export interface DutyJSON {
  code: string;
  inspectors: Array<string>;
  name: string;
}

export interface EntryFilingJSON {
  area_class?: string;
  cell?: string;
  condition: string;
  limit?: CaseLimitJSON;
  no_cell?: string;
}

export interface EntryJSON {
  act: string;
  amount?: number;
  at: string;
  case: string;
  classification?: ClassificationJSON;
  client_id?: string;
  clock_refused?: boolean;
  counts_at: string;
  department?: string;
  departments?: Array<string>;
  device?: string;
  duplicate_of?: string;
  event?: string;
  filing?: EntryFilingJSON;
  inspector?: string;
  media?: Array<CaseMediaJSON>;
  number: number;
  outcome?: string;
  person: string;
  position?: PositionJSON;
  previous?: string;
  reason?: string;
  received_at: string;
  report?: CaseReportJSON;
  request?: number;
  role: string;
  sm3: string;
  text?: string;
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

export interface FeatureJSON {
  geometry: GeometryJSON;
  id: string;
  properties: CellJSON;
  type: 'Feature';
}

export interface FeaturesJSON {
  features: Array<FeatureJSON>;
  type: 'FeatureCollection';
}

export interface FilingJSON {
  cell?: string;
  condition?: string;
  no_cell?: string;
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

export interface GeometryJSON {
  coordinates: Array<Array<Array<Array<number> | null> | null> | null>;
  type: 'MultiPolygon';
}

export interface GridPersonJSON {
  department: string;
  disabled: boolean;
  duty: Array<string>;
  id: string;
  name: string;
  roles: Array<string>;
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

export interface ImportedJSON {
  added: number;
  at: string;
  by: string;
  bytes: number;
  changed: number;
  crs: string;
  file: string;
  id: number;
  kind: string;
  mapping: string;
  reason?: string;
  records: number;
  sm3: string;
  unchanged: number;
  unlocated: number;
  warnings: number;
}

export interface IndicatorRowJSON {
  counts: Record<string, number>;
  dimension: 'city' | 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department' | 'cell' | 'community' | 'street' | 'class';
  grade?: string;
  indicators: Record<string, RatioJSON>;
  key: string;
  period: string;
  score?: string;
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

export interface LateFeeJSON {
  cap: number;
  free_days: number;
  per_day: number;
}

export interface LeftOutJSON {
  customer: string;
  installed: string;
  meter: string;
  missing: Array<string>;
  state: 'missing' | 'refused';
  why: string;
}

export interface MakeBillsInputBody {
  dry_run?: boolean;
  meter?: string;
  month: string;
  utility: 'water' | 'power' | 'gas';
}

export interface MeJSON {
  department?: string;
  id: string;
  roles: Array<string>;
}

export interface MediaJSON {
  kind: 'image' | 'video' | 'audio';
  original: string;
  position?: PositionJSON;
  repeated: boolean;
  size: number;
  sm3: string;
  taken_at?: string;
  type: string;
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

export interface MeterLinkJSON {
  collector: string;
  component: string;
  line: string;
  meter: string;
  valid: SpanJSON;
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

export interface NettingJSON {
  balance: string;
  from: string;
  home: string;
  owe: string;
  owed: string;
  positions: Array<ClearingPositionJSON>;
  to: string;
}

export interface NewReportJSON {
  at?: string;
  device?: string;
  media?: Array<CaseMediaJSON>;
  petitioner?: PetitionerJSON;
  position?: PositionJSON;
  report: ReportedJSON;
  role?: 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department';
  text?: string;
}

export interface PersonJSON {
  name: string;
  roles: Array<string>;
}

export interface PetitionerJSON {
  email?: string;
  name?: string;
  phone?: string;
}

export interface PlaceJSON {
  installations: Array<InstallationJSON>;
  meter: string;
  plan: string;
  purse: 'fen' | 'L' | 'Wh';
  readout: 'remote' | 'card';
  utility: 'water' | 'power' | 'gas';
}

export interface PlaceOfJSON {
  area_kind: string;
  cell: string;
  departments: Array<string>;
  duty: string;
  position?: PositionJSON;
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

export interface PositionJSON {
  accuracy?: number;
  crs: 'CGCS2000' | 'WGS84' | 'GCJ-02';
  lat: number;
  lon: number;
}

export interface Problem {
  allowed?: Array<string>;
  code: string;
  detail: string;
  errors?: Array<ProblemField>;
  status: number;
  title: string;
  type: string;
  why?: string;
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

export interface RatioJSON {
  den: number;
  num: number;
  percent?: string;
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

export interface ReportInputBody {
  at?: string;
  client_id?: string;
  device?: string;
  media?: Array<CaseMediaJSON>;
  petitioner?: PetitionerJSON;
  position?: PositionJSON;
  report: ReportedJSON;
  role?: 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department';
  text?: string;
}

export interface ReportedJSON {
  class: string;
  component?: string;
  condition?: string;
  description: string;
  location?: string;
  position?: PositionJSON;
  reply_wanted?: boolean;
  self_handled?: boolean;
  source?: 'inspector' | 'public' | 'hotline' | 'video' | 'leader' | 'media' | 'web' | 'assessment' | 'inspection';
  task?: string;
  type?: 'daily' | 'census' | 'other';
  urgency?: 'normal' | 'urgent' | 'dangerous';
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

export interface SpanJSON {
  from?: string;
  to?: string;
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

export interface StateItemJSON {
  billed: string;
  day: string;
  due: string;
  late: number;
  open: string;
  order: string;
  paid: string;
}

export interface StateRowJSON {
  amount: string;
  balance: string;
  bill: boolean;
  day: string;
  order: string;
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

export interface StsInputBody {
  base?: string;
  opened?: string;
  token: string;
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

export interface TokenJSON {
  class: 'credit' | 'test' | 'management' | 'reserved';
  issued?: string;
  purchase?: string;
  says: Array<string>;
  unit?: string;
  units?: number;
  utility?: string;
}

export interface Version {
  commit: string;
  go: string;
  version: string;
}
