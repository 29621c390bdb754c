package api

import (
	"sync"
	"time"

	"citygrid/schemas"
)

// FlowCounters are the hub's own counters along the river. All counts are
// since the hub's start and never fall. What happens at the collectors' side
// is in their statuses (Live.CollectorStatus).
type FlowCounters struct {
	// BrokerConnected says whether the hub is connected and subscribed.
	BrokerConnected bool
	// Received counts messages of every kind that came from the broker, Opened
	// the envelopes among them that opened, statuses too, Duplicates those of
	// Opened that were seen before.
	Received, Opened, Duplicates uint64
	// Refused counts envelopes that were not opened, by code.
	Refused map[string]uint64
	// Missing counts sequence numbers that are known to exist and have not
	// come (yet).
	Missing uint64
	// StoreUp says whether the store answered last time it was asked.
	StoreUp bool
	// StoredPoints counts readings that the store has acknowledged,
	// RejectedPoints those that it refused for good.
	StoredPoints, RejectedPoints uint64
	// StoreQueue is the number of readings that wait for the store now, and
	// StoreQueueLimit the most that may.
	StoreQueue, StoreQueueLimit uint64
	// Receipts counts envelopes whose receipt was sent.
	Receipts uint64
}

// Flow is the state of the whole river at one moment. All its totals count
// from StartedAt and never fall; those of the collectors' side are as fresh as
// the collectors' last statuses.
type Flow struct {
	At         time.Time    `json:"at"`
	StartedAt  time.Time    `json:"started_at" doc:"When this hub started; every total counts from here"`
	Meters     MetersStep   `json:"meters"`
	Collectors CollectStep  `json:"collectors"`
	Seal       SealStep     `json:"seal"`
	Spool      SpoolStep    `json:"spool"`
	Broker     BrokerStep   `json:"broker"`
	Hub        HubStep      `json:"hub"`
	Store      StoreStep    `json:"store"`
	Receipts   ReceiptsStep `json:"receipts"`
}

// Step says how a step of the river is.
type Step struct {
	State  string `json:"state" enum:"ok,waiting,down"`
	Reason string `json:"reason" doc:"Stable code of the reason; empty when ok"`
}

// MetersStep is the meters in the field.
type MetersStep struct {
	Step
	Answering int            `json:"answering"`
	Late      int            `json:"late" doc:"Nothing for three of their own intervals"`
	Failing   int            `json:"failing" doc:"Their collectors report that they do not answer"`
	Total     int            `json:"total"`
	ByMedium  map[string]int `json:"by_medium"`
	Recorded  uint64         `json:"recorded" doc:"Readings stored that came from meters' own memories: freezes and load records"`
	NotShown  uint64         `json:"not_shown" doc:"Readings stored of meters beyond the size of the live table"`
}

// CollectStep is the collectors.
type CollectStep struct {
	Step
	Online     int     `json:"online"`
	Total      int     `json:"total"`
	ValuesRead uint64  `json:"values_read" doc:"As the collectors' statuses tell"`
	Rate       float64 `json:"values_per_s"`
}

// SealStep is the sealing with SM4-GCM at the collectors.
type SealStep struct {
	Step
	Sealed uint64  `json:"sealed" doc:"Envelopes with readings, as the collectors' statuses tell"`
	Rate   float64 `json:"sealed_per_s"`
}

// SpoolStep is the collectors' disks.
type SpoolStep struct {
	Step
	Records uint64 `json:"records" doc:"Sealed records that wait for a receipt"`
	Bytes   uint64 `json:"bytes"`
	Quota   uint64 `json:"quota"`
	Full    int    `json:"full" doc:"Collectors that stopped reading because their spool is full"`
}

// BrokerStep is the way through the broker.
type BrokerStep struct {
	Step
	Published uint64  `json:"published" doc:"Envelopes with readings, as the collectors' statuses tell; one that is sent again counts again"`
	Received  uint64  `json:"received" doc:"Messages of every kind: readings, statuses and online flags"`
	Rate      float64 `json:"received_per_s"`
}

// HubStep is the opening of the envelopes.
type HubStep struct {
	Step
	Opened       uint64            `json:"opened" doc:"Envelopes with readings or a status"`
	Rate         float64           `json:"opened_per_s"`
	Duplicates   uint64            `json:"duplicates"`
	Missing      uint64            `json:"missing" doc:"Sequence numbers that are known to exist and have not come"`
	Refused      map[string]uint64 `json:"refused" doc:"By code"`
	RefusedTotal uint64            `json:"refused_total"`
}

// StoreStep is the series store.
type StoreStep struct {
	Step
	Points     uint64  `json:"points" doc:"Readings that the store acknowledged"`
	Rate       float64 `json:"points_per_s"`
	Rejected   uint64  `json:"rejected" doc:"Readings that the store refused for good"`
	Queue      uint64  `json:"queue"`
	QueueLimit uint64  `json:"queue_limit"`
	P50        *int64  `json:"p50_ms" doc:"From taken to stored, over the last 30 to 60 s, at most 1/16 too high; null: nothing stored"`
	P99        *int64  `json:"p99_ms"`
}

// ReceiptsStep is the way back.
type ReceiptsStep struct {
	Step
	Sent  uint64  `json:"sent" doc:"Envelopes whose receipt was sent"`
	Rate  float64 `json:"sent_per_s"`
	Freed uint64  `json:"freed" doc:"Envelopes that receipts have freed from the spools, as the collectors' statuses tell"`
}

// The states and reasons of a step.
const (
	stepOK      = "ok"
	stepWaiting = "waiting"
	stepDown    = "down"
)

// flowMeter makes Flows from the counters and remembers earlier samples for
// the rates. It takes at most one sample a second, whoever asks.
type flowMeter struct {
	live     *Live
	counters func() FlowCounters
	now      func() time.Time
	started  time.Time

	mu      sync.Mutex
	samples []sample // ascending; the newest is the last
	flow    Flow
}

// sample is what rates are the differences of.
type sample struct {
	at                                                time.Time
	values, sealed, received, opened, points, receipt uint64
	refused                                           uint64
}

// rateSpan is how far back a rate looks: long enough to be steady, short
// enough to show a change.
const rateSpan = 10

// sampleAge is how old a sample may be before another is taken; a little below
// the tick of the streams, so that each tick sees news.
const sampleAge = 900 * time.Millisecond

func newFlowMeter(live *Live, counters func() FlowCounters, now func() time.Time) *flowMeter {
	return &flowMeter{live: live, counters: counters, now: now, started: now().UTC()}
}

// Flow returns the state of the river, at most a second old.
func (f *flowMeter) Flow() Flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now().UTC()
	if n := len(f.samples); n > 0 && now.Sub(f.samples[n-1].at) < sampleAge {
		return f.flow
	}
	c := f.counters()
	census := f.live.census(now)
	s := sample{
		at: now, values: census.seen.values, sealed: census.seen.sealed, received: c.Received, opened: c.Opened,
		points: c.StoredPoints, receipt: c.Receipts, refused: sum(c.Refused),
	}
	if len(f.samples) > rateSpan {
		f.samples = append(f.samples[:0], f.samples[1:]...)
	}
	f.samples = append(f.samples, s)
	f.flow = f.build(now, &c, &census)
	return f.flow
}

func sum(counts map[string]uint64) (total uint64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// rate returns the mean growth a second of the counter over the samples kept.
func (f *flowMeter) rate(counter func(*sample) uint64) float64 {
	first, last := &f.samples[0], &f.samples[len(f.samples)-1]
	span := last.at.Sub(first.at).Seconds()
	if span <= 0 || counter(last) < counter(first) {
		return 0
	}
	return float64(counter(last)-counter(first)) / span
}

func (f *flowMeter) build(now time.Time, c *FlowCounters, n *census) Flow {
	fl := Flow{
		At: now, StartedAt: f.started,
		Meters: MetersStep{Answering: n.answering, Late: n.late, Failing: n.failing, Total: n.meters, ByMedium: n.byMedium, NotShown: n.notShown, Recorded: n.recorded},
		Collectors: CollectStep{
			Online: n.online, Total: n.collectors, ValuesRead: n.seen.values,
			Rate: f.rate(func(s *sample) uint64 { return s.values }),
		},
		Seal:   SealStep{Sealed: n.seen.sealed, Rate: f.rate(func(s *sample) uint64 { return s.sealed })},
		Spool:  SpoolStep{Records: n.spoolRecords, Bytes: n.spoolBytes, Quota: n.spoolQuota, Full: n.spoolFull},
		Broker: BrokerStep{Published: n.seen.published, Received: c.Received, Rate: f.rate(func(s *sample) uint64 { return s.received })},
		Hub: HubStep{
			Opened: c.Opened, Duplicates: c.Duplicates, Missing: c.Missing,
			Refused: c.Refused, RefusedTotal: sum(c.Refused),
			Rate: f.rate(func(s *sample) uint64 { return s.opened }),
		},
		Store: StoreStep{
			Points: c.StoredPoints, Rejected: c.RejectedPoints, Queue: c.StoreQueue, QueueLimit: c.StoreQueueLimit,
			P50: n.p50, P99: n.p99, Rate: f.rate(func(s *sample) uint64 { return s.points }),
		},
		Receipts: ReceiptsStep{Sent: c.Receipts, Freed: n.seen.freed, Rate: f.rate(func(s *sample) uint64 { return s.receipt })},
	}
	if fl.Hub.Refused == nil {
		fl.Hub.Refused = map[string]uint64{}
	}
	judge(&fl, c, n, f.rate(func(s *sample) uint64 { return s.refused }) > 0)
	return fl
}

// judge gives each step its state; refusing is true while envelopes are being
// refused.
func judge(fl *Flow, c *FlowCounters, n *census, refusing bool) {
	fl.Meters.Step = firstOf(
		when(n.meters == 0, stepWaiting, "no_meters"),
		when(n.answering == 0, stepDown, "none_answering"),
		when(n.answering < n.meters, stepWaiting, "some_silent"))
	fl.Collectors.Step = firstOf(
		when(n.collectors == 0, stepWaiting, "no_collectors"),
		when(n.online == 0, stepDown, "all_offline"),
		when(n.online < n.collectors, stepWaiting, "some_offline"))
	fl.Seal.Step = firstOf(when(n.seen.sealed == 0 && c.Opened == 0, stepWaiting, "no_data"))
	fl.Spool.Step = firstOf(
		when(n.spoolFull > 0, stepDown, "spool_full"),
		when(n.statuses == 0, stepWaiting, "no_status"),
		when(n.spoolBytes > n.spoolQuota/2, stepWaiting, "spool_filling"))
	fl.Broker.Step = firstOf(
		when(!c.BrokerConnected, stepDown, "broker_disconnected"),
		when(c.Received == 0, stepWaiting, "no_data"))
	fl.Hub.Step = firstOf(
		when(refusing, stepWaiting, "refusing"),
		when(c.Opened == 0, stepWaiting, "no_data"))
	fl.Store.Step = firstOf(
		when(!c.StoreUp, stepDown, "store_down"),
		when(c.StoreQueueLimit > 0 && c.StoreQueue >= c.StoreQueueLimit-c.StoreQueueLimit/5, stepWaiting, "queue_filling"),
		when(c.StoredPoints == 0, stepWaiting, "no_data"))
	fl.Receipts.Step = firstOf(when(c.Receipts == 0, stepWaiting, "no_data"))
}

func when(cond bool, state, reason string) Step {
	if !cond {
		return Step{}
	}
	return Step{State: state, Reason: reason}
}

func firstOf(steps ...Step) Step {
	for _, s := range steps {
		if s.State != "" {
			return s
		}
	}
	return Step{State: stepOK}
}

// census is one pass over the live table.
type census struct {
	meters, answering, late, failing     int
	byMedium                             map[string]int
	notShown, recorded                   uint64
	collectors, online, statuses         int
	seen                                 tally
	spoolRecords, spoolBytes, spoolQuota uint64
	spoolFull                            int
	p50, p99                             *int64
}

func (l *Live) census(now time.Time) census {
	l.mu.Lock() // the percentiles turn their window
	defer l.mu.Unlock()
	n := census{meters: len(l.meters), collectors: len(l.collectors), notShown: l.notShown, recorded: l.recorded}
	n.byMedium = map[string]int{string(schemas.Water): 0, string(schemas.Power): 0, string(schemas.Gas): 0}
	ms := now.UnixMilli()
	for _, m := range l.meters {
		n.byMedium[string(m.medium)]++
		switch m.state(ms) {
		case stateAnswering:
			n.answering++
		case stateLate:
			n.late++
		default:
			n.failing++
		}
	}
	for _, c := range l.collectors {
		n.count(c)
	}
	if p50, p99, ok := l.latency.percentiles(now); ok {
		n.p50, n.p99 = &p50, &p99
	}
	return n
}

func (n *census) count(c *collector) {
	if c.online {
		n.online++
	}
	n.seen.add(c.seen)
	if !c.hasStatus {
		return
	}
	n.statuses++
	n.spoolRecords += c.status.SpoolRecords
	n.spoolBytes += c.status.SpoolBytes
	n.spoolQuota += c.status.SpoolQuota
	if c.status.SpoolFull {
		n.spoolFull++
	}
}
