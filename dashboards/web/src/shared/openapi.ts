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

export interface AccountPersonJSON {
  department: string;
  disabled_at?: string;
  forgotten_at?: string;
  has_password: boolean;
  id: string;
  key: number;
  made_at: string;
  name: string;
  roles: Array<string>;
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
  person?: string;
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
  person?: string;
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

export interface AddAccountInputBody {
  department?: string;
  id: string;
  name?: string;
  roles: Array<string>;
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

export interface AlarmJSON {
  case: string;
  cell: string;
  component: string;
  id: string;
  kind: string;
  line: string;
  meter: string;
  note: string;
  opened: string;
  since: string | null;
}

export interface AreaJSON {
  code: string;
  geometry?: GeometryJSON;
  kind: string;
  name: string;
  valid: SpanJSON;
}

export interface AreaRefJSON {
  code: string;
  name: string;
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

export interface AuditCheckJSON {
  broken?: number;
  digest: string;
  ok: boolean;
  seq: number;
  what?: string;
}

export interface AuditEntryJSON {
  act: string;
  actor: number;
  at: string;
  detail: string;
  digest: string;
  from: string;
  seq: number;
  subject: number;
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

export interface CaseEventJSON {
  cleared?: string;
  collector: string;
  component: string;
  id: string;
  kind: string;
  line: string;
  meter: string;
  note: string;
  opened?: string;
  outcome: 'waiting' | 'case' | 'joined' | 'passed';
  since?: string;
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

export interface CaseLimitsJSON {
  as_of: string;
  clock: Array<ClockMarkJSON>;
  handling?: HandlingJSON;
  rules: Array<LimitRuleJSON>;
  step?: DueJSON;
}

export interface CaseMayJSON {
  acts: Array<MayActJSON>;
  entries: number;
  state: string;
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

export interface CasesStanding {
  by_light: Array<LightCount>;
  by_state: Array<StateCount>;
  open: number;
  overdue: number;
}

export interface CatalogueClassJSON {
  en: string;
  major_en: string;
  major_zh: string;
  of?: string;
  ref: string;
  zh: string;
}

export interface CatalogueJSON {
  cells: Array<RoundCellJSON>;
  classes: Array<CatalogueClassJSON>;
  components: Array<RoundComponentJSON>;
  person: RoundJSON;
  schemes: Array<CatalogueSchemeJSON>;
}

export interface CatalogueSchemeJSON {
  class: number;
  standard: string;
}

export interface CellClass {
  class: string;
  class_name: string;
  damaged: number;
  n: number;
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

export interface CellMeter {
  fault?: FaultJSON;
  id: string;
  medium: 'water' | 'power' | 'gas' | 'device';
  quality: 'good' | 'suspect' | 'missing' | 'none';
  quantity: string;
  reason: string;
  silent: boolean;
  state: 'answering' | 'late' | 'failing';
  taken_at: string | null;
  unit: string;
  value: string | null;
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

export interface ChangeAccountInputBody {
  department?: string;
  roles: Array<string>;
}

export interface CityCellJSON {
  cases: Array<CaseJSON>;
  cell: CellJSON;
  components: Array<CellClass>;
  detailed: boolean;
  meters: Array<CellMeter>;
  summary: CitySummaryJSON;
  within: Array<AreaRefJSON>;
}

export interface CityPoint {
  at: string;
  carried: number;
  completeness: number | null;
  final: boolean;
  flow: number | null;
  hours: number;
  meters: number;
  missing: number;
  partial: number;
  value: string | null;
  waiting: number;
}

export interface CitySeriesJSON {
  area: AreaRefJSON;
  flow_unit: string;
  from: string;
  hidden: boolean;
  medium: 'water' | 'power' | 'gas';
  points: Array<CityPoint>;
  step: 'hour' | 'day';
  to: string;
  unit: string;
}

export interface CitySummaryJSON {
  alarms: Array<AlarmJSON>;
  area: AreaRefJSON;
  at: string;
  by_medium: Array<MediumStanding>;
  cases: CasesStanding;
  completeness: CompletenessJSON;
  consumption: Array<ConsumptionTodayRow>;
  meters: MetersStanding;
  night: Array<NightRow>;
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

export interface ClockMarkJSON {
  amount?: number;
  at: string;
  kind: 'filed' | 'dispatched' | 'returned' | 'extended' | 'suspended' | 'resumed' | 'fed_back' | 'reworked' | 'ended';
}

export interface CloseDayInputBody {
  day: string;
  utility: 'water' | 'power' | 'gas';
  why?: string;
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

export interface CodeJSON {
  code: string;
  ends_at: string;
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
  certificate_days: number | null;
  certificate_ends?: string;
  envelopes_freed: number;
  envelopes_published: number;
  envelopes_sealed: number;
  failing: Array<FaultJSON>;
  failing_total: number;
  health: Array<HealthJSON>;
  id: string;
  key_generation: number | null;
  lines: Array<LineJSON>;
  online: boolean;
  reads_done: number;
  reads_failed: number;
  reads_missed: number;
  reads_planned: number;
  refusals: Array<RefusalJSON>;
  sessions: Array<CollectorSessionJSON>;
  since?: string;
  spool_bytes: number;
  spool_dropped: number;
  spool_full: boolean;
  spool_quota: number;
  spool_records: number;
  started_at?: string;
  status_age_s: number | null;
  status_at?: string;
  values_read: number;
  version: string;
}

export interface CollectorSessionJSON {
  at: string;
  boot: number;
  since: string;
  stream: 'readings' | 'cards' | 'events' | 'status';
}

export interface CollectorSlotsJSON {
  collector: string;
  expected: number;
  heard: string | null;
  late: number;
  lost: Record<string, number>;
  meters: number;
  received: number;
  refilled: number;
  silent: boolean;
  told: string | null;
  unknown: number;
}

export interface CompletenessJSON {
  expected: number;
  from: string;
  got: number;
  ratio: number | null;
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

export interface ConsumptionStep {
  from: string;
  gap: 'no_meter' | 'uncovered' | 'no_reading' | 'no_start' | 'no_end' | 'nothing_new' | 'fall' | '';
  to: string;
  value: string | null;
}

export interface ConsumptionStepsJSON {
  meter: string;
  quantity: string;
  recorded: boolean;
  step_s: number;
  steps: Array<ConsumptionStep>;
  unit: string;
}

export interface ConsumptionTodayRow {
  carried: number;
  hidden: boolean;
  medium: 'water' | 'power' | 'gas';
  meters: number;
  missing: number;
  partial: number;
  today: string | null;
  today_to: string | null;
  unit: string;
  until: string;
  waiting: number;
  yesterday: string | null;
}

export interface DayCloseJSON {
  maker: string;
  may: boolean;
  unlooked: number;
  why: '' | 'role_missing' | 'not_reconciled' | 'inside_run' | 'closed' | 'second_person_needed' | 'tour_read_only';
}

export interface DayClosingJSON {
  at: string;
  by: string;
  day: string;
  run: number;
  utility: 'water' | 'power' | 'gas';
  why: string;
}

export interface DayDetailJSON {
  close: DayCloseJSON;
  closed_to: string;
  entries: Array<LedgerSumJSON>;
  files: Array<ImportJSON>;
  last_run: string;
  line: DayJSON;
  payments: Array<LedgerSumJSON>;
  runs: Array<RunJSON>;
  sales: Array<LedgerSumJSON>;
  today: string;
  utility: 'water' | 'power' | 'gas';
}

export interface DayJSON {
  billed: SumJSON;
  closing?: DayClosingJSON;
  day: string;
  difference: string;
  entries: number;
  found: SumJSON;
  loaded: SumJSON;
  open: SumJSON;
  paid: SumJSON;
  paid_back: SumJSON;
  payment_files: number;
  refunded: SumJSON;
  run?: DayRunJSON;
  sales_files: number;
  sold: SumJSON;
  state: 'not_imported' | 'imported' | 'open' | 'reconciled' | 'closed';
}

export interface DayRunJSON {
  at: string;
  by: string;
  from: string;
  id: number;
  to: string;
  version: number;
}

export interface DaysJSON {
  today: string;
  utilities: Array<UtilityDaysJSON>;
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

export interface DeskJSON {
  clears: boolean;
  mappings: Array<MappingJSON>;
  today: string;
}

export interface DiagnosisJSON {
  at: string;
  collector: string;
  day: SuccessJSON;
  doubtful: Array<DoubtfulJSON>;
  doubtful_all: boolean;
  drift_ms: number | null;
  failure: FailureJSON;
  id: string;
  installations: Array<InstalledJSON>;
  line: string;
  medium: 'water' | 'power' | 'gas' | 'device';
  place: PlaceMark;
  state: 'answering' | 'late' | 'failing';
  today: SuccessJSON;
  verdicts: Array<VerdictJSON>;
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

export interface DossierEventJSON {
  amount: string;
  assignee: string;
  at: string;
  bought: string;
  card: string;
  channel: string;
  collector: string;
  customer: string;
  day: string;
  evidence: string;
  file: string;
  import: number;
  kind: string;
  meter_number: string;
  order: string;
  overdraft: string;
  purchase: number;
  residual: string;
  row: number;
  source: string;
  undoes: string;
  used: string;
  volume: number;
  what: 'sale' | 'payment' | 'entry' | 'decision';
  where: string;
  who: string;
  why: string;
}

export interface DossierHistoryJSON {
  amount: string;
  at: string;
  day: string;
  run: number;
  state: 'done' | 'set_aside';
  what: 'found' | 'cleared' | 'decided';
}

export interface DossierJSON {
  as_of: string;
  difference: WorkItemJSON;
  events: Array<DossierEventJSON>;
  history: Array<DossierHistoryJSON>;
  place?: PlaceJSON;
  steps: Array<DossierStepJSON>;
}

export interface DossierStepJSON {
  action: 'explain' | 'assign' | 'adjust' | 'close';
  may: boolean;
  other: string;
  why: '' | 'role_missing' | 'second_person_needed' | 'cleared' | 'tour_read_only';
}

export interface DoubtfulJSON {
  origin: 'live' | 'daily_freeze' | 'monthly_freeze' | 'load_record';
  quality: 'suspect' | 'missing';
  quantity: string;
  reason: string;
  taken_at: string;
  unit: string;
  value: string | null;
}

export interface DrawTokenInputBody {
  ends_at: string;
  name: string;
  owner?: number;
  roles: Array<string>;
}

export interface DrawnTokenJSON {
  id: number;
  token: string;
}

export interface DueJSON {
  deadline?: string;
  left_ms: number;
  light: 'none' | 'green' | 'yellow' | 'red';
  stage: 'handling' | 'send_verify' | 'verify' | 'accept' | 'file' | 'dispatch' | 'send_check' | 'check' | 'close';
  ticking: boolean;
  working: boolean;
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

export interface ExchangeJSON {
  at: string;
  protocol: 'modbus_tcp' | 'modbus_rtu' | 'dlt645' | 'cjt188';
  received: string;
  received_cut: number;
  sent: string;
  sent_cut: number;
}

export interface FailureJSON {
  cause: 'no_answer' | 'cut_short' | 'bad_answer' | 'refused' | 'unreachable' | '';
  collector: string;
  error: string;
  exchange: ExchangeJSON;
  since: string | null;
  until: string | null;
}

export interface FaultJSON {
  cause: 'no_answer' | 'cut_short' | 'bad_answer' | 'refused' | 'unreachable' | '';
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

export interface FileCheckJSON {
  file?: ImportJSON;
  held?: ImportJSON;
  mapping: string;
  mistakes: Array<FileFaultJSON>;
  more: boolean;
  state: 'new' | 'imported' | 'taken' | 'wrong';
}

export interface FileFaultJSON {
  column: number;
  field: string;
  line: number;
  text: string;
  what: string;
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

export interface GapJSON {
  asked: boolean;
  collector: string;
  do: string;
  expected: number;
  from: string;
  late: number;
  lost: Record<string, number>;
  meter?: string;
  reason: 'collector_off' | 'clock_set' | 'line_busy' | 'line_down' | 'meter_silent' | 'meter_refused' | 'disk_full' | 'spool_age' | 'spool_full' | 'store_lost' | 'unknown' | 'no_word';
  received: number;
  refilled: number;
  to: string;
  unknown: number;
}

export interface GapPageJSON {
  gaps: Array<GapJSON>;
  next?: string;
  since: string;
  until: string;
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

export interface HandlingJSON {
  begun: boolean;
  deadline?: string;
  done?: string;
  late: boolean;
  left_ms: number;
  light: 'none' | 'green' | 'yellow' | 'red';
  limit: CaseLimitJSON;
  overrun: number;
  rework: 'anew' | 'left';
  rounds: number;
  rule?: LimitRuleJSON;
  stage: 'handling' | 'send_verify' | 'verify' | 'accept' | 'file' | 'dispatch' | 'send_check' | 'check' | 'close';
  starts: 'filed' | 'dispatched';
  ticking: boolean;
  total_ms: number;
  used_ms: number;
  working: boolean;
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

export interface InboxPage {
  as_of: string;
  next?: string;
  role: string;
  rows: Array<InboxRowJSON>;
  searched_to?: string;
  tab: string;
  tabs: Array<InboxTabJSON>;
}

export interface InboxRowJSON {
  acts: Array<string>;
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
  handling?: DueJSON;
  id: string;
  inspector: string;
  light: 'none' | 'green' | 'yellow' | 'red';
  location: string;
  position?: PositionJSON;
  reported: string;
  request: string;
  reworks: number;
  sent_to: Array<string>;
  since: string;
  source: string;
  state: 'reported' | 'verifying' | 'verified' | 'accepted' | 'filed' | 'dispatched' | 'handling' | 'suspended' | 'fed_back' | 'checking' | 'checked' | 'closed' | 'rejected' | 'voided';
  step?: DueJSON;
  urgency: 'normal' | 'urgent' | 'dangerous';
}

export interface InboxTabJSON {
  count: number;
  key: string;
  late: number;
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

export interface InstalledJSON {
  first: Record<string, string>;
  from: string;
  last: Record<string, string>;
  multiplier: string;
  serial: string;
  to: string | null;
  wraps_at: Record<string, string>;
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

export interface LedgerSumJSON {
  amount: string;
  channel: string;
  count: number;
  kind: string;
  volume: number;
}

export interface LeftOutJSON {
  customer: string;
  installed: string;
  meter: string;
  missing: Array<string>;
  state: 'missing' | 'refused';
  why: string;
}

export interface LightCount {
  light: 'none' | 'green' | 'yellow' | 'red';
  n: number;
}

export interface LimitRuleJSON {
  area: string;
  class: string;
  closes: string;
  condition: string;
  department: string;
  limit: CaseLimitJSON;
  source: string;
}

export interface LineJSON {
  address: string;
  kind: 'modbus_tcp' | 'serial_server' | 'serial';
  meters: number;
  name: string;
  planned: number;
  read: number;
  success_rate: number | null;
  used: number;
}

export interface MakeBillsInputBody {
  dry_run?: boolean;
  meter?: string;
  month: string;
  utility: 'water' | 'power' | 'gas';
}

export interface MapAreaJSON {
  cells: Array<number> | null;
  code: string;
  name: string;
  outline?: Array<Array<Array<number> | null> | null> | null;
}

export interface MapGeometryJSON {
  areas: Array<MapAreaJSON>;
  codes: Array<string>;
  communities: Array<number>;
  crs: 'CGCS2000';
  duties: Array<number>;
  duty_codes: Array<string>;
  names: Array<string>;
  outlines: Array<Array<Array<Array<number> | null> | null> | null>;
  scale: number;
  version: string;
}

export interface MapHeadJSON {
  bounds: Array<number> | null;
  cells: number;
  centre: Array<number> | null;
  crs: 'CGCS2000';
  geometry: string;
  hidden_below: number;
  layers: Array<MapLayerJSON>;
  version: string;
  zone: string;
}

export interface MapLayerJSON {
  attribution: string;
  crs: 'EPSG:3857' | 'EPSG:4490' | 'EPSG:4326' | 'GCJ-02';
  format?: string;
  kind: 'xyz' | 'wmts' | 'wms';
  layer?: string;
  matrix_set?: string;
  max_zoom: number;
  min_zoom: number;
  name: string;
  parameters?: Record<string, string>;
  style?: string;
  url: string;
}

export interface MapValuesJSON {
  as_of: string;
  final: boolean;
  from?: string;
  hidden: Array<number>;
  medium: 'water' | 'power' | 'gas' | '';
  metric: 'open' | 'overdue' | 'offline' | 'completeness' | 'consumption';
  of: ValuesOf;
  to?: string;
  unit: string;
  values: Array<number | null>;
  version: string;
}

export interface MappingJSON {
  content: string;
  name: string;
  version: string;
}

export interface MayActJSON {
  act: string;
  deadline?: string;
  fields: Array<MayFieldJSON>;
  media_stage: 'report' | 'verify' | 'handled' | 'check';
  number?: number;
  possible: boolean;
  request?: 'return' | 'extension' | 'suspension' | 'void';
  role: string;
  to: Array<string>;
  why?: string;
}

export interface MayFieldJSON {
  name: 'reason' | 'text' | 'media' | 'class' | 'condition' | 'cell' | 'no_cell' | 'inspector' | 'outcome' | 'duplicate_of' | 'departments' | 'amount';
  required: boolean;
  value?: string;
  when?: 'outcome_no' | 'other_class' | 'no_cell' | 'no_media';
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

export interface MediumStanding {
  answering: number;
  failing: number;
  late: number;
  medium: 'water' | 'power' | 'gas' | 'device';
  silent: number;
  total: number;
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

export interface MetersStanding {
  answering: number;
  failing: number;
  late: number;
  silent: number;
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
  person?: string;
  petitioner?: PetitionerJSON;
  position?: PositionJSON;
  report: ReportedJSON;
  role?: 'inspector' | 'acceptor' | 'shift_leader' | 'dispatcher' | 'department';
  text?: string;
}

export interface NightRow {
  flow: number | null;
  from: string;
  hidden: boolean;
  medium: 'water' | 'power' | 'gas';
  to: string;
  unit: string;
}

export interface OpenSessionJSON {
  began_at: string;
  ends_at: string;
  from: string;
  seen_at: string;
  this: boolean;
}

export interface PasswordInputBody {
  old: string;
  password: string;
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

export interface PlaceMark {
  cell: string;
  component: string;
  location: string;
  name: string;
}

export interface PlaceMatchJSON {
  by: 'meter' | 'number' | 'customer' | 'card';
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

export interface ProgramTokenJSON {
  configured: boolean;
  ends_at?: string;
  id: number;
  made_at: string;
  name: string;
  owner: number;
  revoked_at?: string;
  roles: Array<string>;
  used_at?: string;
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

export interface RedeemInputBody {
  code: string;
  password: string;
}

export interface RefusalJSON {
  at: string;
  code: string;
  count: number;
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
  person?: string;
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

export interface RoundCellJSON {
  code: string;
  duty: string;
  name: string;
  outline: Array<Array<Array<Array<number> | null> | null> | null>;
}

export interface RoundComponentJSON {
  at?: Array<number>;
  cell: string;
  class: string;
  class_name: string;
  id: string;
  location?: string;
  name?: string;
}

export interface RoundJSON {
  duty: Array<string>;
  id: string;
  name: string;
}

export interface RowJSON {
  amount: string;
  assignee: string;
  at: string;
  bought: string;
  card: string;
  channel: string;
  collector: string;
  customer: string;
  day: string;
  evidence: string;
  file: string;
  import: number;
  kind: string;
  meter: string;
  meter_number: string;
  order: string;
  overdraft: string;
  purchase: number;
  residual: string;
  row: number;
  source: string;
  undoes: string;
  used: string;
  volume: number;
  what: 'sale' | 'payment' | 'entry' | 'decision';
  where: string;
  who: string;
  why: string;
}

export interface RowsJSON {
  rows: Array<RowJSON>;
  total: number;
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

export interface SessionJSON {
  ends_at?: string;
  oidc?: SessionOIDC;
  person: SessionPersonJSON | null;
  read_only: boolean;
  state: 'set_up' | 'signed_out' | 'signed_in' | 'tour' | 'open';
}

export interface SessionOIDC {
  name: string;
}

export interface SessionPersonJSON {
  department: string;
  id: string;
  key: number;
  name: string;
  roles: Array<string>;
}

export interface SetUpInputBody {
  code: string;
  id: string;
  name?: string;
  password: string;
}

export interface SignInInputBody {
  name: string;
  password: string;
}

export interface SourceJSON {
  import: ImportJSON;
  line: number;
  names: string;
  row: number;
  text: string;
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

export interface StateCount {
  n: number;
  state: string;
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

export interface SuccessJSON {
  from: string;
  planned: number | null;
  rate: number | null;
  read: number;
  source: 'collector' | 'readings' | 'none';
}

export interface SumJSON {
  amount: string;
  count: number;
  volume: number;
}

export interface TariffJSON {
  at: string;
  by: string;
  name: string;
  sm3: string;
  text: string;
}

export interface TaskJSON {
  asked?: string;
  case: CaseJSON;
  done?: string;
  due?: string;
  kind: 'verify' | 'check' | 'own';
  media: Array<TaskMediaJSON>;
  sent?: string;
}

export interface TaskMediaJSON {
  at: string;
  kind?: 'image' | 'video' | 'audio';
  sm3: string;
  stage: 'report' | 'verify' | 'handled' | 'check';
}

export interface TasksJSON {
  as_of: string;
  person: string;
  tasks: Array<TaskJSON>;
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

export interface UploadJSON {
  act: string;
  case: string;
  number: number;
  person: string;
  state: string;
}

export interface UtilityDaysJSON {
  closed_to: string;
  days: Array<DayJSON>;
  last_run: string;
  utility: 'water' | 'power' | 'gas';
}

export interface ValuesOf {
  carried: number;
  cells: number;
  meters: number;
  missing: number;
  outside: number;
  waiting: number;
}

export interface VerdictJSON {
  count: number;
  last: string;
  quality: 'suspect' | 'missing';
  quantity: string;
  reason: string;
}

export interface Version {
  commit: string;
  go: string;
  version: string;
}

export interface WorkGroupJSON {
  above: string;
  band: number;
  below: string;
  class: string;
  count: number;
  state: string;
}

export interface WorkItemJSON {
  allowed: Array<string>;
  amount: string;
  assignee: string;
  card: string;
  channel: string;
  class: string;
  cleared_run: number;
  day: string;
  expected: string;
  found_run: number;
  from?: string;
  key: string;
  last_at?: string;
  last_by: string;
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

export interface WorkListJSON {
  as_of: string;
  assignees: Array<string>;
  groups: Array<WorkGroupJSON>;
  rows: Array<WorkItemJSON>;
  total: number;
}
