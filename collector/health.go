package collector

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/schemas"
)

// tally counts slots of a schedule: those that there were, and those in which
// the meter gave all that was asked of it. read is never above planned.
type tally struct{ planned, read uint64 }

// meterHealth is the account of one meter. The line that reads the meter
// writes it; the status message, /metrics and a trial read it.
type meterHealth struct {
	id       schemas.MeterID
	interval time.Duration

	mu           sync.Mutex
	day          int64 // the day, since the epoch, that today and fault are of
	today, total tally
	failed       uint64 // reads that did not give all
	values       uint64
	busy         time.Duration // spent on reads of the schedule
	took         time.Duration // by the last of them that gave anything; 0: the last gave nothing
	fault        string        // the last failure of the day
	drift        time.Duration
	driftKnown   bool
	recordsRead  uint64 // values
}

// dayOf numbers the days in UTC.
func dayOf(t time.Time) int64 { return t.Unix() / int64(24*time.Hour/time.Second) }

// turn forgets what was of another day than now's.
func (h *meterHealth) turn(now time.Time) {
	if day := dayOf(now); day != h.day {
		h.day, h.today, h.fault = day, tally{}, ""
	}
}

// passed counts the n slots from first on, which went by without a read.
func (h *meterHealth) passed(now, first time.Time, n, interval time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	h.total.planned += uint64(n)
	midnight := time.Unix(h.day*int64(24*time.Hour/time.Second), 0)
	if before := midnight.Sub(first); before > 0 {
		n -= min(n, (before+interval-1)/interval)
	}
	h.today.planned += uint64(n)
}

// done counts a read: how long it took, how many values it gave, and what went
// wrong.
func (h *meterHealth) done(now time.Time, took time.Duration, values int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	h.busy += took
	h.total.planned++
	h.today.planned++
	h.values += uint64(values)
	h.took = 0
	if values > 0 {
		h.took = took
	}
	if err != nil {
		h.failed++
		h.fault = schemas.FaultText(err.Error())
		return
	}
	h.total.read++
	h.today.read++
}

// clock notes how far the meter's clock is ahead, as far as the status message
// can say it: a clock may stand in any year.
func (h *meterHealth) clock(drift time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drift, h.driftKnown = min(max(drift.Round(time.Millisecond), -schemas.MaxDrift), schemas.MaxDrift), true
}

// drifted returns what clock was told last.
func (h *meterHealth) drifted() (drift time.Duration, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.drift, h.driftKnown
}

// records counts values read from the meter's memory.
func (h *meterHealth) records(values int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recordsRead += uint64(values)
}

// status returns the account for the status message.
func (h *meterHealth) status(now time.Time) schemas.MeterHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	return schemas.MeterHealth{
		Meter: h.id, Planned: h.today.planned, Read: h.today.read,
		Drift: h.drift, DriftKnown: h.driftKnown, Error: h.fault,
	}
}

// driftWorthALook is the drift from which a meter is listed in the status
// message although it answers.
const driftWorthALook = time.Minute

// worst returns the accounts of the meters that need a look, the lowest
// success rate first, at most schemas.MaxHealth.
func (b *board) worst(now time.Time) (list []schemas.MeterHealth) {
	for _, h := range b.all() {
		s := h.status(now)
		if s.Read < s.Planned || s.Drift.Abs() > driftWorthALook || s.Error != "" {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b schemas.MeterHealth) int {
		return cmp.Or(
			cmp.Compare(successRate(a.Planned, a.Read), successRate(b.Planned, b.Read)),
			cmp.Compare(b.Drift.Abs(), a.Drift.Abs()),
			strings.Compare(string(a.Meter), string(b.Meter)))
	})
	return list[:min(len(list), schemas.MaxHealth)]
}

// successRate is the 抄表成功率 of so many slots: 1 of none.
func successRate(planned, read uint64) float64 {
	if planned == 0 {
		return 1
	}
	return float64(read) / float64(planned)
}

// meterSeries exports the accounts: one set of series for each meter, made
// when somebody asks.
type meterSeries struct {
	board                       *board
	planned, read, ratio, drift *prometheus.Desc
}

func newMeterSeries(b *board) *meterSeries {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("citygrid_meter_"+name, help, []string{"meter"}, nil)
	}
	return &meterSeries{
		board:   b,
		planned: desc("slots_planned_total", "Slots of the meter's schedule."),
		read:    desc("slots_read_total", "Slots in which the meter gave all its readings."),
		ratio:   desc("success_ratio", "Slots read of slots planned since midnight UTC."),
		drift:   desc("clock_drift_seconds", "How far the meter's clock is ahead."),
	}
}

// Describe names the series.
func (s *meterSeries) Describe(out chan<- *prometheus.Desc) {
	out <- s.planned
	out <- s.read
	out <- s.ratio
	out <- s.drift
}

// Collect exports the accounts of this moment.
func (s *meterSeries) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, h := range s.board.all() {
		today := h.status(now)
		h.mu.Lock()
		total := h.total
		h.mu.Unlock()
		id := string(h.id)
		out <- prometheus.MustNewConstMetric(s.planned, prometheus.CounterValue, float64(total.planned), id)
		out <- prometheus.MustNewConstMetric(s.read, prometheus.CounterValue, float64(total.read), id)
		out <- prometheus.MustNewConstMetric(s.ratio, prometheus.GaugeValue, successRate(today.Planned, today.Read), id)
		if today.DriftKnown {
			out <- prometheus.MustNewConstMetric(s.drift, prometheus.GaugeValue, today.Drift.Seconds(), id)
		}
	}
}
