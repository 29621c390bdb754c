package api

import (
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// collector is what the hub knows of one collector.
type collector struct {
	id          schemas.CollectorID
	online      bool
	onlineSince time.Time // since when online has its value; zero: never told
	status      schemas.Status
	hasStatus   bool
	// seen is the collector's work since the hub's start, over its restarts.
	seen    tally
	failing []schemas.MeterID
	// sessions are those of its newest envelopes, by stream; refusals what was
	// refused on its topics, by code. Both since the hub's start.
	sessions map[schemas.Stream]session
	refusals map[string]refusal
}

// tally is the work at the collectors' side that the river adds up.
type tally struct{ values, sealed, published, freed, dropped uint64 }

func tallyOf(s *schemas.Status) tally {
	return tally{values: s.ValuesRead, sealed: s.EnvelopesSealed, published: s.EnvelopesPublished, freed: s.EnvelopesFreed, dropped: s.SpoolDropped}
}

func (t *tally) add(o tally) {
	t.values += o.values
	t.sealed += o.sealed
	t.published += o.published
	t.freed += o.freed
	t.dropped += o.dropped
}

// since returns by how much each count grew from old to t. One that fell began
// again at zero.
func (t tally) since(old tally) tally {
	grown := func(now, before uint64) uint64 {
		if now < before {
			return now
		}
		return now - before
	}
	return tally{
		values: grown(t.values, old.values), sealed: grown(t.sealed, old.sealed),
		published: grown(t.published, old.published), freed: grown(t.freed, old.freed), dropped: grown(t.dropped, old.dropped),
	}
}

// news returns the work that s tells of and no earlier status did. A restarted
// collector counts from zero. The first status of one that is older than the
// hub tells of work of before the hub's start, which is not the hub's to count;
// ages are compared, not times: the two clocks may differ.
func (c *collector) news(s *schemas.Status, hubAge time.Duration) tally {
	now := tallyOf(s)
	switch {
	case c.hasStatus && s.StartedAt.Equal(c.status.StartedAt):
		return now.since(tallyOf(&c.status))
	case !c.hasStatus && s.At.Sub(s.StartedAt) > hubAge:
		return tally{}
	}
	return now
}

// CollectorOnline tells the table that a collector came or went, from its
// retained online message or its last will.
func (l *Live) CollectorOnline(id schemas.CollectorID, online bool, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.collector(id)
	if c == nil || (c.online == online && !c.onlineSince.IsZero()) {
		return
	}
	c.online, c.onlineSince = online, at
}

// willPatience is how long after a collector was said to be gone its statuses may still
// be on their way: several times the seconds between two.
const willPatience = 15 * time.Second

// heard takes a status as a sign of life. A broker may deliver the last will of a
// connection after the word of the next one that it stands; only what is published on a
// connection that stands comes so long after.
func (c *collector) heard(now time.Time) {
	if !c.online && !c.onlineSince.IsZero() && now.Sub(c.onlineSince) > willPatience {
		c.online, c.onlineSince = true, now
	}
}

// CollectorStatus gives the table a collector's newest account of itself. One
// that is older than the last is dropped: MQTT may deliver it late. Meters that
// the status names as failing appear in the table even if they never answered.
func (l *Live) CollectorStatus(s schemas.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.collector(s.Collector)
	if c == nil || (c.hasStatus && s.At.Before(c.status.At)) {
		return
	}
	c.seen.add(c.news(&s, l.now().Sub(l.started)))
	if c.hasStatus && s.At.After(c.status.At) { // not one that the broker keeps
		c.heard(l.now())
	}
	s.Collector = c.id
	s.Version = strings.Clone(s.Version)
	s.Health = slices.Clone(s.Health[:min(len(s.Health), schemas.MaxHealth)])
	s.Failing = slices.Clone(s.Failing[:min(len(s.Failing), schemas.MaxFailing)])
	s.Lines = slices.Clone(s.Lines[:min(len(s.Lines), schemas.MaxLines)])
	c.status, c.hasStatus = s, true
	l.setFaults(c)
}

// SpoolDropped is how many envelopes of readings the spools of all collectors have
// dropped without a receipt since the hub's start, as far as their statuses told.
func (l *Live) SpoolDropped() (n uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, c := range l.collectors {
		n += c.seen.dropped
	}
	return n
}

// setFaults moves the faults that c reports onto the meters' rows. Those that it no
// longer reports are over; what was told before of one that goes on stays.
func (l *Live) setFaults(c *collector) {
	before := make(map[schemas.MeterID]*fault, len(c.failing))
	for _, id := range c.failing {
		if m := l.byID[id]; m != nil && m.fault != nil && m.fault.collector == c.id {
			before[id], m.fault = m.fault, nil
		}
	}
	c.failing = c.failing[:0]
	for i := range c.status.Failing {
		f := &c.status.Failing[i]
		m := l.meter(f.Meter)
		if m == nil {
			continue
		}
		m.fault = &fault{collector: c.id, since: f.Since, text: f.Error, cause: f.Cause, exchange: f.Exchange}
		if old := before[m.id]; old != nil && old.since.Equal(f.Since) {
			if f.Exchange == nil {
				m.fault.exchange = old.exchange
			}
			delete(before, m.id)
		}
		c.failing = append(c.failing, m.id)
	}
	for id, f := range before {
		f.until = c.status.At
		l.byID[id].past = f
	}
}

// collector returns the entry of id, made when it is new, or nil when there
// are too many.
func (l *Live) collector(id schemas.CollectorID) *collector {
	if c, ok := l.collectors[id]; ok {
		return c
	}
	if len(l.collectors) >= MaxCollectors {
		return nil
	}
	id = schemas.CollectorID(strings.Clone(string(id)))
	c := &collector{id: id}
	l.collectors[id] = c
	return c
}

// CollectorJSON is a collector as the API shows it.
type CollectorJSON struct {
	ID     string `json:"id" doc:"The collector's id" example:"330106-01"`
	Area   string `json:"area" doc:"Area code; empty until the first status"`
	Online bool   `json:"online" doc:"Whether the broker has it connected"`
	// Since is when Online took its value.
	Since        *time.Time  `json:"since,omitempty" doc:"Since when it is online or offline, as far as this hub saw"`
	StatusAt     *time.Time  `json:"status_at,omitempty" doc:"When it last gave an account of itself"`
	StartedAt    *time.Time  `json:"started_at,omitempty" doc:"When its process started"`
	Version      string      `json:"version"`
	ReadsPlanned uint64      `json:"reads_planned" doc:"Since started_at"`
	ReadsDone    uint64      `json:"reads_done" doc:"Since started_at"`
	ReadsFailed  uint64      `json:"reads_failed" doc:"Since started_at"`
	ReadsMissed  uint64      `json:"reads_missed" doc:"Planned reads whose turn passed; since started_at"`
	ValuesRead   uint64      `json:"values_read" doc:"Since started_at"`
	Sealed       uint64      `json:"envelopes_sealed" doc:"With readings, durable in the spool; since started_at"`
	Published    uint64      `json:"envelopes_published" doc:"Handed to the broker, again when sent again; since started_at"`
	Freed        uint64      `json:"envelopes_freed" doc:"Freed from the spool by receipts; since started_at"`
	SpoolRecords uint64      `json:"spool_records" doc:"Sealed records on its disk that wait for a receipt"`
	SpoolBytes   uint64      `json:"spool_bytes"`
	SpoolQuota   uint64      `json:"spool_quota" doc:"Bytes that the spool may take"`
	SpoolFull    bool        `json:"spool_full" doc:"True while it has stopped reading because the spool is full"`
	SpoolDropped uint64      `json:"spool_dropped" doc:"Sealed records with readings that the spool dropped without a receipt, full or aged, as its operator chose; since started_at. The gaps name what is lost"`
	FailingTotal uint32      `json:"failing_total" doc:"Meters whose last read failed"`
	Failing      []FaultJSON `json:"failing" nullable:"false" doc:"The first of them, at most 100"`
	// Health is what the collector tells of the meters that need a look.
	Health []HealthJSON `json:"health" nullable:"false" doc:"Meters that need a look, the lowest success rate first, at most 100"`
	CollectorLinkJSON
	Lines    []LineJSON             `json:"lines" nullable:"false" doc:"Its lines in the order of its configuration, at most 100; empty before collectors told of them"`
	Sessions []CollectorSessionJSON `json:"sessions" nullable:"false" doc:"The session of its newest envelope on each stream, since this hub's start"`
	Refusals []RefusalJSON          `json:"refusals" nullable:"false" doc:"Messages on its topics that this hub refused since its start, the most first"`
}

// HealthJSON is how well one meter was read since midnight UTC.
type HealthJSON struct {
	Meter   string   `json:"meter"`
	Planned uint64   `json:"planned" doc:"Slots of its schedule since midnight UTC"`
	Read    uint64   `json:"read" doc:"Slots in which it gave its readings"`
	Success *float64 `json:"success_rate" doc:"Read over planned, 0 to 1; null while none was planned"`
	DriftMS *int64   `json:"drift_ms" doc:"How far the meter's clock is ahead of the collector's; null when not known"`
	Error   string   `json:"error" doc:"Its last failure, one line; empty when there was none"`
}

func healthJSON(h *schemas.MeterHealth) HealthJSON {
	j := HealthJSON{Meter: string(h.Meter), Planned: h.Planned, Read: h.Read, Error: h.Error}
	if rate, ok := h.SuccessRate(); ok {
		j.Success = &rate
	}
	if h.DriftKnown {
		ms := h.Drift.Milliseconds()
		j.DriftMS = &ms
	}
	return j
}

// FaultJSON says since when and why a meter does not answer.
type FaultJSON struct {
	Meter     string    `json:"meter"`
	Collector string    `json:"collector"`
	Since     time.Time `json:"since"`
	Error     string    `json:"error" doc:"What was asked and what came back, one line"`
	Cause     string    `json:"cause" enum:"no_answer,cut_short,bad_answer,refused,unreachable," doc:"The same in a word; empty where none fits"`
}

// Collectors returns all collectors by id.
func (l *Live) Collectors() []CollectorJSON {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]CollectorJSON, 0, len(l.collectors))
	for _, c := range l.collectors {
		list = append(list, c.json(l.now()))
	}
	slices.SortFunc(list, func(a, b CollectorJSON) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (c *collector) json(now time.Time) CollectorJSON {
	s := &c.status
	j := CollectorJSON{
		ID: string(c.id), Area: string(s.Area), Online: c.online, Since: timeOrNil(c.onlineSince),
		StatusAt: timeOrNil(s.At), StartedAt: timeOrNil(s.StartedAt), Version: s.Version,
		ReadsPlanned: s.ReadsPlanned, ReadsDone: s.ReadsDone, ReadsFailed: s.ReadsFailed,
		ReadsMissed: s.ReadsMissed, ValuesRead: s.ValuesRead,
		Sealed: s.EnvelopesSealed, Published: s.EnvelopesPublished, Freed: s.EnvelopesFreed,
		SpoolRecords: s.SpoolRecords, SpoolBytes: s.SpoolBytes, SpoolQuota: s.SpoolQuota,
		SpoolFull: s.SpoolFull, SpoolDropped: s.SpoolDropped, FailingTotal: s.FailingTotal, Failing: []FaultJSON{}, Health: []HealthJSON{},
	}
	for i := range s.Health {
		j.Health = append(j.Health, healthJSON(&s.Health[i]))
	}
	for _, f := range s.Failing {
		j.Failing = append(j.Failing, FaultJSON{
			Meter: string(f.Meter), Collector: string(c.id), Since: f.Since.UTC(), Error: f.Error, Cause: string(f.Cause),
		})
	}
	j.CollectorLinkJSON = c.linkJSON(now)
	j.Lines, j.Sessions, j.Refusals = linesJSON(s.Lines), c.sessionsJSON(), c.refusalsJSON()
	return j
}

// timeOrNil returns nil for the zero time, which JSON has no word for.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
