package city

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	hubconfig "citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/simulators"
)

// Counts is the collector's account of itself, over all its runs.
type Counts struct {
	ValuesRead    uint64 `json:"values_read"`
	BatchesSealed uint64 `json:"batches_sealed"`
	Published     uint64 `json:"published"`
	Resent        uint64 `json:"resent"`
	Receipts      uint64 `json:"receipts"`
	// CardEntries were durable in the card spool.
	CardEntries uint64 `json:"card_entries"`
	// Events are beginnings and ends of component events, durable in their spool.
	Events uint64 `json:"component_events"`
	// SpoolRecords is what lies in the spool now.
	SpoolRecords uint64 `json:"spool_records"`
}

func (c Counts) plus(o Counts) Counts {
	return Counts{
		ValuesRead: c.ValuesRead + o.ValuesRead, BatchesSealed: c.BatchesSealed + o.BatchesSealed,
		Published: c.Published + o.Published, Resent: c.Resent + o.Resent, Receipts: c.Receipts + o.Receipts,
		CardEntries:  c.CardEntries + o.CardEntries,
		Events:       c.Events + o.Events,
		SpoolRecords: o.SpoolRecords,
	}
}

// Report is what was measured. Nothing in it is computed from what ought to
// be: the counts come from three independent places (the collector's spool, the
// hub, and InfluxDB itself, read back point by point).
type Report struct {
	Meters   int     `json:"meters"`
	Interval string  `json:"interval"`
	Seconds  float64 `json:"seconds"`
	Faults   string  `json:"faults,omitempty"`
	// Counts: values that were durable in the spool, envelopes sealed,
	// published, published again, freed by receipts, and left in the spool.
	Counts
	// PointsStored counts the points that InfluxDB gives back; PointsWritten
	// those that the hub has written since its (last) start.
	PointsStored  uint64 `json:"points_stored"`
	PointsWritten uint64 `json:"points_written"`
	// CardsBooked counts the card entries that the books have. A collector that was
	// killed tells some again, and the books join them.
	CardsBooked uint64 `json:"card_entries_booked"`
	// Grid is what became of component events; null without a grid.
	Grid *GridReport `json:"grid,omitempty"`
	// Past counts the points from before the city was started, which are in no other
	// number but Lost, Duplicated and Wrong.
	Past PastPoints `json:"past"`
	// StoredPerS is over the time from the first read until the spool was
	// empty, so a store that is too slow for its load shows here.
	StoredPerS float64 `json:"points_stored_per_s"`
	// Lost is read and not stored; Duplicated is stored and not read, or
	// written more than once; Wrong differs from what the meter showed.
	// Missing envelopes are known to have been sealed and never came.
	Lost             uint64   `json:"lost"`
	Duplicated       uint64   `json:"duplicated"`
	Wrong            uint64   `json:"wrong"`
	WrongExamples    []string `json:"wrong_examples,omitempty"`
	MissingEnvelopes uint64   `json:"missing_envelopes"`
	Refused          uint64   `json:"refused"`
	// Suspect and WithoutValue count stored points by quality.
	Suspect      uint64 `json:"suspect"`
	WithoutValue uint64 `json:"without_value"`
	// ScheduleKept is the share of the due slots of answering meters that have
	// a stored reading; WorstMeter is the lowest share of any of them.
	ScheduleKept float64 `json:"schedule_kept"`
	WorstMeter   float64 `json:"schedule_kept_worst_meter"`
	DeadMeters   int     `json:"dead_meters"`
	// Lines tells the same by kind of line.
	Lines map[simulators.Kind]*KindReport `json:"lines"`
	// Latency is from the meter's answer to the point in the store, over the
	// last ten minutes of the run; null when nothing was stored in them.
	Latency *Latency `json:"latency_ms"`
	Parts   []Cost   `json:"parts"`
}

// PastPoints are points that were in the store before the collector began.
type PastPoints struct {
	Written uint64 `json:"points_written"`
	Stored  uint64 `json:"points_stored"`
}

// KindReport is what became of the lines of one kind.
type KindReport struct {
	Lines  int `json:"lines"`
	Meters int `json:"meters"`
	// Points counts the stored points; Kept of the readings are from the meters'
	// own memory.
	Points uint64 `json:"points_stored"`
	Kept   uint64 `json:"points_from_memory"`
	// ScheduleKept and WorstMeter are those of the report.
	ScheduleKept float64 `json:"schedule_kept"`
	WorstMeter   float64 `json:"schedule_kept_worst_meter"`

	due, met int64
}

// Latency holds quantiles in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Cost is what one process cost until the reading stopped, without the
// verification after it.
type Cost struct {
	Name    string  `json:"name"`
	CPU     float64 `json:"cpu_s"`
	PeakRSS int64   `json:"peak_rss_bytes"`
}

// Verify reads every stored point back, holds it against the oracle, and
// returns what was measured. Call it after StopReading, while the hub and the
// store still run.
func (c *City) Verify(ctx context.Context) (*Report, error) {
	r := &Report{
		Meters: c.o.Fleet.Meters, Interval: c.o.Interval.String(), Faults: c.o.Fleet.Faults.String(),
		Seconds: c.readTo.Sub(c.readFrom).Seconds(), Parts: c.costs(),
	}
	last, err := c.finalCounts()
	if err != nil {
		return nil, err
	}
	r.Counts = c.earlier.plus(last)
	happened, err := c.mishaps(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the simulators what they made happen: %w", err)
	}
	if err := c.readHub(ctx, r); err != nil {
		return nil, err
	}
	if c.grid != nil {
		if r.Grid, err = c.auditGrid(ctx, r.Events, happened, c.readTo); err != nil {
			return nil, fmt.Errorf("audit of events and cases: %w", err)
		}
	}
	if err := c.readBack(ctx, r); err != nil {
		return nil, err
	}
	if err := c.readBooks(ctx, r); err != nil {
		return nil, err
	}
	r.conclude(c.drained.Sub(c.readFrom))
	return r, nil
}

// readBooks counts what the hub has booked. A city without a past has no register of
// meters, so every entry waits for its place.
func (c *City) readBooks(ctx context.Context, r *Report) error {
	if c.past != nil {
		return c.countBooked(ctx, r)
	}
	b, err := books.Open(ctx, c.ledger(), books.Options{Rules: reconcile.DefaultRules(ledger.Calendar{Zone: time.UTC})})
	if err != nil {
		return err
	}
	_, total, err := b.UnresolvedEntries(ctx, books.Page{Limit: 1})
	r.CardsBooked = uint64(total)
	return errors.Join(err, b.Close())
}

// countBooked counts the entries of the collector in the tables themselves: those of
// the past are beside them.
func (c *City) countBooked(ctx context.Context, r *Report) error {
	db, err := sql.Open("sqlite", "file:"+c.path("ledger.db")+"?mode=ro")
	if err != nil {
		return err
	}
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM card_entries WHERE collector = ?", string(collectorID)).Scan(&r.CardsBooked)
	return errors.Join(err, db.Close())
}

// isPast reports a reading from before the city was started.
func (c *City) isPast(r schemas.Reading) bool {
	return c.past != nil && r.Origin == schemas.Live && r.TakenAt.Before(c.past.until())
}

// conclude works out what follows from the counts. It adds to Lost, which holds
// the values already that a killed collector had on disk and the store has not.
func (r *Report) conclude(length time.Duration) {
	r.Lost += r.ValuesRead - min(r.ValuesRead, r.PointsStored) + r.Past.Written - min(r.Past.Written, r.Past.Stored)
	r.Duplicated = r.PointsStored - min(r.PointsStored, r.ValuesRead) + r.PointsWritten - min(r.PointsWritten, r.PointsStored) +
		r.Past.Stored - min(r.Past.Stored, r.Past.Written)
	if length > 0 {
		r.StoredPerS = float64(r.PointsStored) / length.Seconds()
	}
}

// costs samples every part.
func (c *City) costs() (costs []Cost) {
	for _, name := range order {
		switch p, ok := c.part(name); {
		case ok:
			u := p.Sample()
			costs = append(costs, Cost{Name: name, CPU: u.CPU.Seconds(), PeakRSS: u.PeakRSS})
		case name == Influxd:
			u := c.influx.Sample()
			costs = append(costs, Cost{Name: name, CPU: u.CPU.Seconds(), PeakRSS: u.PeakRSS})
		}
	}
	return costs
}

// finalCounts reads what the collector wrote when it stopped.
func (c *City) finalCounts() (n Counts, err error) {
	data, err := os.ReadFile(c.path("summary.json"))
	if err != nil {
		return n, fmt.Errorf("the collector left no summary: %w", err)
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return n, fmt.Errorf("summary of the collector: %w", err)
	}
	return n, nil
}

// CollectorCounts asks the running collector.
func (c *City) CollectorCounts(ctx context.Context) (n Counts, err error) {
	err = get(ctx, c.collectorURL+"/summary", func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&n)
	})
	return n, err
}

// CollectorProblems asks the running collector what keeps it from its whole
// job; none when all is well.
func (c *City) CollectorProblems(ctx context.Context) (problems []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.collectorURL+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil || answer.StatusCode == http.StatusOK {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(string(body)), "\n"), nil
}

func get(ctx context.Context, url string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	if err := read(answer.Body); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// HubMetrics returns the hub's counters and summaries by name.
func (c *City) HubMetrics(ctx context.Context) (families map[string]*dto.MetricFamily, err error) {
	err = get(ctx, c.hubURL+"/metrics", func(body io.Reader) (err error) {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err = parser.TextToMetricFamilies(body)
		return err
	})
	return families, err
}

// readHub takes the hub's counts and latencies.
func (c *City) readHub(ctx context.Context, r *Report) error {
	families, err := c.HubMetrics(ctx)
	if err != nil {
		return err
	}
	lags := families["citygrid_hub_latency_seconds"].GetMetric()
	if len(lags) != 1 {
		return errors.New("metrics of the hub: the latency of the receiving side is not there")
	}
	r.PointsWritten = uint64(Sum(families["citygrid_hub_points_stored_total"]))
	r.Refused = uint64(Sum(families["citygrid_hub_refused_total"]))
	r.MissingEnvelopes = uint64(Sum(families["citygrid_hub_missing_envelopes"]))
	if l := (Latency{P50: quantile(lags[0], 0.5), P99: quantile(lags[0], 0.99)}); !math.IsNaN(l.P50) {
		r.Latency = &l
	}
	return nil
}

// Sum adds up the metrics of a family of counters or gauges.
func Sum(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum
}

// quantile returns a quantile of a summary in milliseconds, NaN when there was
// nothing to observe lately.
func quantile(m *dto.Metric, q float64) float64 {
	for _, have := range m.GetSummary().GetQuantile() {
		if have.GetQuantile() == q {
			return 1000 * have.GetValue()
		}
	}
	return 0
}

// readBack holds every stored point against the oracle. It leaves no time out:
// what a meter kept in its memory is older than the city, and what it kept by a
// clock that is ahead is of a moment to come.
func (c *City) readBack(ctx context.Context, r *Report) error {
	series, err := store.Open(store.Config{URL: c.influx.URL(), Bucket: hubconfig.DefaultBucket, Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer series.Close()
	plans := c.plans()
	r.Lines = c.kinds()
	if c.past != nil {
		r.Past.Written = c.past.written
	}
	a := newAudit(r, func(reading schemas.Reading) error {
		return c.fleet.Check(reading, plans[reading.Meter].window)
	}, c.owed)
	met := make(slotsMet, len(plans))
	err = series.Each(ctx, time.Time{}, endOfTime(), func(reading schemas.Reading) error {
		if c.isPast(reading) {
			a.earlier(reading)
			return nil
		}
		a.add(reading)
		if p, known := plans[reading.Meter]; known { // else the audit has found it wrong
			r.Lines[p.kind].add(reading)
			met.add(reading, p)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read back what is stored: %w", err)
	}
	a.end()
	c.schedule(r, met, plans)
	return nil
}

// endOfTime is beyond every reading that the store takes.
func endOfTime() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }

// add counts one stored reading.
func (k *KindReport) add(r schemas.Reading) {
	k.Points++
	if r.Origin != schemas.Live {
		k.Kept++
	}
}

// slotsMet are the slots of the schedule in which a meter was read.
type slotsMet map[schemas.MeterID]map[int64]bool

// add notes a live reading. One from the meter's memory shows no read at its
// moment.
func (s slotsMet) add(r schemas.Reading, p plan) {
	if r.Origin != schemas.Live {
		return
	}
	if s[r.Meter] == nil {
		s[r.Meter] = make(map[int64]bool)
	}
	s[r.Meter][p.slot(r.TakenAt)] = true
}

// kinds returns an empty account of each kind of line that there is.
func (c *City) kinds() map[simulators.Kind]*KindReport {
	kinds := make(map[simulators.Kind]*KindReport)
	for _, l := range c.fleet.Lines() {
		k := kinds[l.Kind]
		if k == nil {
			k = &KindReport{WorstMeter: 1}
			kinds[l.Kind] = k
		}
		k.Lines++
		k.Meters += len(l.Meters)
	}
	return kinds
}

// schedule compares the slots that have readings with those that were due
// while the collector ran, for every meter that is not dead.
func (c *City) schedule(r *Report, met slotsMet, plans map[schemas.MeterID]plan) {
	var all KindReport
	all.WorstMeter = 1
	for _, m := range c.fleet.Meters {
		if m.Dead {
			r.DeadMeters++
			continue
		}
		p := plans[m.ID]
		// The first whole slot after the start to the last that ended.
		first, last := p.slot(c.readFrom)+1, p.slot(c.readTo)-1
		if last < first {
			continue
		}
		mine := int64(0)
		for s := first; s <= last; s++ {
			if met[m.ID][s] {
				mine++
			}
		}
		for _, k := range []*KindReport{&all, r.Lines[p.kind]} {
			k.due, k.met = k.due+last-first+1, k.met+mine
			k.WorstMeter = min(k.WorstMeter, float64(mine)/float64(last-first+1))
			k.ScheduleKept = float64(k.met) / float64(k.due)
		}
	}
	r.ScheduleKept, r.WorstMeter = all.ScheduleKept, all.WorstMeter
}

// String sums the report up in one line.
func (r *Report) String() string {
	line := fmt.Sprintf("%d values read, %d stored (%.0f/s): %d lost, %d duplicated, %d wrong; schedule kept %.1f %%",
		r.ValuesRead, r.PointsStored, r.StoredPerS, r.Lost, r.Duplicated, r.Wrong, 100*r.ScheduleKept)
	if r.CardEntries > 0 {
		line += fmt.Sprintf("; %d card entries, %d booked", r.CardEntries, r.CardsBooked)
	}
	if len(r.Lines) > 1 {
		for _, kind := range slices.Sorted(maps.Keys(r.Lines)) {
			line += fmt.Sprintf(", %s %.1f %%", kind, 100*r.Lines[kind].ScheduleKept)
		}
	}
	if g := r.Grid; g != nil {
		line += fmt.Sprintf("; %d events, %d wrong", g.Events, g.Wrong())
	}
	if r.Latency != nil {
		line += fmt.Sprintf("; latency p50 %.0f ms, p99 %.0f ms", r.Latency.P50, r.Latency.P99)
	}
	for _, p := range slices.SortedFunc(slices.Values(r.Parts), func(a, b Cost) int { return strings.Compare(a.Name, b.Name) }) {
		line += fmt.Sprintf("; %s %.1f s CPU, %d MiB", p.Name, p.CPU, p.PeakRSS>>20)
	}
	return line
}
