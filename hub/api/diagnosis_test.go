package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// fakeDiagnoses answers from lists.
type fakeDiagnoses struct {
	times    []time.Time // of the main quantity, ascending
	doubtful []schemas.Reading
	more     bool
	err      error
}

func (f *fakeDiagnoses) Attendance(_ context.Context, _ schemas.MeterID, _ schemas.Quantity, from, to time.Time, limit int) (a Attendance, err error) {
	for _, t := range slices.Backward(f.times) {
		switch {
		case !t.Before(to):
		case t.Before(from):
			a.Before = true
		case len(a.Times) == limit:
			a.More = true
		default:
			a.Times = append(a.Times, t)
		}
	}
	return a, f.err
}

func (f *fakeDiagnoses) Doubtful(context.Context, schemas.MeterID, time.Time, time.Time, int) ([]schemas.Reading, bool, error) {
	return f.doubtful, f.more, f.err
}

// mustDiagnose asks for the diagnosis of a meter.
func mustDiagnose(t *testing.T, id string, change func(*Options)) DiagnosisJSON {
	t.Helper()
	w := ask(newHandler(t, change), "GET", "/api/v1/meters/"+id+"/diagnosis")
	return mustDecode[DiagnosisJSON](t, w)
}

func mustDecode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// moments returns n moments that are d apart and end at last, ascending.
func moments(d time.Duration, n int, last time.Time) []time.Time {
	list := make([]time.Time, n)
	for i := range list {
		list[n-1-i] = last.Add(-time.Duration(i) * d)
	}
	return list
}

// TestSuccessFromReadings: a meter of which no collector tells has a rate all the
// same, from what is stored against its usual interval.
func TestSuccessFromReadings(t *testing.T) {
	minute := time.Minute
	whole := moments(minute, 1500, epoch.Add(-30*time.Second))
	holes := append(append([]time.Time{}, whole[:700]...), whole[1000:]...)
	fresh := moments(minute, 30, epoch.Add(-30*time.Second))
	// Every five minutes until an hour ago, and every two seconds since.
	changed := append(moments(5*minute, 400, epoch.Add(-time.Hour)), moments(2*time.Second, 1799, epoch.Add(-time.Second))...)
	var every3rd []time.Time
	for i, at := range whole {
		if i%3 != 0 {
			every3rd = append(every3rd, at)
		}
	}
	for _, c := range []struct {
		name          string
		times         []time.Time
		day, dayRead  uint64
		rate          string
		today, source string
	}{
		{"every minute", whole, 1440, 1440, "1.0000", "1.0000", "readings"},
		{"five hours missing", holes, 1440, 1140, "0.7917", "1.0000", "readings"},
		{"fitted half an hour ago", fresh, 30, 30, "1.0000", "1.0000", "readings"},
		{"silent for the last hours", whole[:1000], 1440, 940, "0.6528", "0.0000", "readings"},
		{"begun an hour ago, after long", append(moments(minute, 5, epoch.AddDate(0, 0, -2)), moments(minute, 60, epoch.Add(-30*time.Second))...), 1440, 60, "0.0417", "0.5000", "readings"},
		{"every third missing", every3rd, 1440, 960, "0.6667", "0.6667", "readings"},
		{"another schedule since an hour ago", changed, 2076, 2076, "1.0000", "1.0000", "readings"},
		{"more than are looked at", moments(time.Second, 30_000, epoch.Add(-time.Second)), 20_000, 20_000, "1.0000", "1.0000", "readings"},
		{"two readings", moments(minute, 2, epoch.Add(-time.Second)), 0, 2, "", "", "readings"},
		{"none", nil, 0, 0, "", "", "readings"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustDiagnose(t, "W-1", func(o *Options) { o.Diagnoses = &fakeDiagnoses{times: c.times} })
			if d.Day.Read != c.dayRead || d.Day.Source != c.source || rateText(d.Day.Rate) != c.rate || rateText(d.Today.Rate) != c.today {
				t.Errorf("day %+v (%s), today %s; want %d of %d, %s, %s", d.Day, rateText(d.Day.Rate), rateText(d.Today.Rate), c.dayRead, c.day, c.rate, c.today)
			}
			if (d.Day.Planned == nil) != (c.day == 0) || d.Day.Planned != nil && *d.Day.Planned != c.day {
				t.Errorf("planned %v, want %d", d.Day.Planned, c.day)
			}
		})
	}
}

func rateText(rate *float64) string {
	if rate == nil {
		return ""
	}
	return fmt.Sprintf("%.4f", *rate)
}

// TestSuccessFromCollector: the collector's own count of today goes before stored
// readings, but not one of yesterday.
func TestSuccessFromCollector(t *testing.T) {
	health := func(at time.Time) func(*Options) {
		l := city()
		l.now = func() time.Time { return epoch.Add(time.Hour) }
		l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: at, StartedAt: epoch.Add(-time.Hour),
			Health: []schemas.MeterHealth{{Meter: "W-1", Planned: 96, Read: 90, Drift: -90 * time.Second, DriftKnown: true, Error: "no answer"}}})
		return func(o *Options) { o.Live, o.Diagnoses = l, &fakeDiagnoses{} }
	}
	d := mustDiagnose(t, "W-1", health(epoch))
	if d.Today.Source != "collector" || *d.Today.Planned != 96 || d.Today.Read != 90 || rateText(d.Today.Rate) != "0.9375" ||
		d.DriftMS == nil || *d.DriftMS != -90_000 || d.Collector != "c1" || d.Failure == nil || d.Failure.Error != "no answer" {
		t.Errorf("%+v", d)
	}
	old := city()
	old.now = func() time.Time { return epoch.Add(30 * time.Hour) }
	if err := old.collectors["c1"]; err == nil {
		t.Fatal("no collector")
	}
	change := health(epoch)
	d = mustDiagnose(t, "W-1", func(o *Options) { change(o); o.Live.now = old.now })
	if d.Today.Source != "readings" {
		t.Errorf("yesterday's count was taken for today's: %+v", d.Today)
	}
}

// TestTodayIsTheCitys: at 02:00 UTC it is 10:00 in Shanghai, and today has begun eight
// hours before midnight UTC. A collector's count since midnight UTC is not of that day.
func TestTodayIsTheCitys(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	times := moments(time.Minute, 1560, epoch.Add(-30*time.Second))
	for _, c := range []struct {
		zone *time.Location
		now  time.Time
		from string
		read uint64
	}{
		{nil, epoch, "2026-03-01T00:00:00Z", 120},
		{zone("Asia/Shanghai"), epoch, "2026-02-28T16:00:00Z", 600},
		{zone("Asia/Shanghai"), epoch.Add(13*time.Hour + 59*time.Minute), "2026-02-28T16:00:00Z", 600},
		{zone("Asia/Shanghai"), epoch.Add(14 * time.Hour), "2026-03-01T16:00:00Z", 0},
		{zone("America/New_York"), epoch, "2026-02-28T05:00:00Z", 1260},
	} {
		d := mustDiagnose(t, "W-1", func(o *Options) {
			o.Zone, o.Diagnoses = c.zone, &fakeDiagnoses{times: times}
			o.Live.now = func() time.Time { return c.now }
		})
		if got := d.Today.From.Format(time.RFC3339); got != c.from || d.Today.Read != c.read || d.Today.Source != "readings" {
			t.Errorf("in %v at %s: since %s %+v, want %s and %d", c.zone, c.now, got, d.Today, c.from, c.read)
		}
	}
	long := zone("America/New_York") // 25 hours on 2026-11-01
	now := time.Date(2026, 11, 2, 4, 59, 30, 0, time.UTC)
	d := mustDiagnose(t, "W-1", func(o *Options) {
		o.Zone, o.Diagnoses = long, &fakeDiagnoses{times: moments(time.Minute, 3000, now)[:2999]}
		o.Live.now = func() time.Time { return now }
	})
	if d.Today.Read != 1499 || d.Day.Read != 1440 {
		t.Errorf("of a day of 25 hours %d readings, of 24 hours %d", d.Today.Read, d.Day.Read)
	}
	counted := city()
	counted.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: epoch, StartedAt: epoch.Add(-time.Hour),
		Health: []schemas.MeterHealth{{Meter: "W-1", Planned: 96, Read: 90, Error: "no answer"}}})
	d = mustDiagnose(t, "W-1", func(o *Options) {
		o.Live, o.Zone, o.Diagnoses = counted, zone("Asia/Shanghai"), &fakeDiagnoses{times: times}
	})
	if d.Today.Source != "readings" || d.Today.Read != 600 || d.Failure == nil || d.Failure.Error != "no answer" {
		t.Errorf("%+v, failure %+v", d.Today, d.Failure)
	}
}

// TestVerdicts counts by quantity and reason, the most first, and lists the newest.
func TestVerdicts(t *testing.T) {
	var list []schemas.Reading
	for n := range 150 {
		r := reading("W-1", "water.volume.forward", int64(n), epoch.Add(-time.Duration(n)*time.Minute))
		r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRollback
		if n%3 == 0 {
			r = missing(r, schemas.ReasonSentinel)
		}
		list = append(list, r)
	}
	d := mustDiagnose(t, "W-1", func(o *Options) { o.Diagnoses = &fakeDiagnoses{doubtful: list, more: true} })
	if len(d.Verdicts) != 2 || d.Verdicts[0].Reason != "rollback" || d.Verdicts[0].Count != 100 || d.Verdicts[1].Count != 50 ||
		!d.Verdicts[1].Last.Equal(epoch) || d.DoubtfulAll {
		t.Errorf("%+v", d.Verdicts)
	}
	if len(d.Doubtful) != maxDoubtfulList || !d.Doubtful[0].TakenAt.Equal(epoch) || d.Doubtful[0].Value != nil || *d.Doubtful[1].Value != "0.01" {
		t.Errorf("%d listed, %+v", len(d.Doubtful), d.Doubtful[:2])
	}
}

// failing gives the table a status in which W-1 fails since the given time.
func failing(l *Live, at, since time.Time, e *schemas.Exchange) {
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: at, StartedAt: epoch.Add(-time.Hour), FailingTotal: 1,
		Failing: []schemas.MeterFault{{Meter: "W-1", Since: since, Error: "it ended after 2 bytes", Cause: schemas.CauseCutShort, Exchange: e}}})
}

// TestFailureIsKept: the frames of a failure outlive messages that leave them out, and
// the failure itself; another failure does not inherit them.
func TestFailureIsKept(t *testing.T) {
	l := city()
	since := epoch.Add(-time.Minute)
	e := &schemas.Exchange{At: epoch, Protocol: schemas.DLT645, Sent: []byte{0x68, 0x11}, Received: []byte{0xFE}, ReceivedCut: 3}
	get := func() *FailureJSON { return mustDiagnose(t, "W-1", func(o *Options) { o.Live = l }).Failure }
	failing(l, epoch.Add(time.Second), since, e)
	failing(l, epoch.Add(2*time.Second), since, nil)
	f := get()
	if f == nil || f.Exchange == nil || f.Exchange.Sent != "6811" || f.Exchange.Received != "fe" || f.Exchange.ReceivedCut != 3 || f.Exchange.Protocol != "dlt645" ||
		f.Until != nil || f.Cause != "cut_short" || f.Collector != "c1" || !f.Since.Equal(since) {
		t.Fatalf("%+v", f)
	}
	over := epoch.Add(3 * time.Second)
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: over, StartedAt: epoch.Add(-time.Hour)})
	if f = get(); f == nil || f.Exchange == nil || f.Until == nil || !f.Until.Equal(over) {
		t.Fatalf("after it was over: %+v", f)
	}
	failing(l, epoch.Add(4*time.Second), epoch.Add(4*time.Second), nil)
	if f = get(); f == nil || f.Exchange != nil || f.Until != nil {
		t.Errorf("the new failure: %+v", f)
	}
	// It answered and failed again between two messages.
	failing(l, epoch.Add(5*time.Second), epoch.Add(4*time.Second), e)
	failing(l, epoch.Add(6*time.Second), epoch.Add(6*time.Second), nil)
	if f = get(); f == nil || f.Exchange != nil || !f.Since.Equal(epoch.Add(6*time.Second)) {
		t.Errorf("the failure after that: %+v", f)
	}
}

func TestDiagnosisRefusals(t *testing.T) {
	if w := ask(newHandler(t, nil), "GET", "/api/v1/meters/W-99/diagnosis"); w.Code != 404 || !strings.Contains(w.Body.String(), codeMeterUnknown) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := ask(newHandler(t, func(o *Options) { o.Diagnoses = &fakeDiagnoses{err: errors.New("secret-host refused")} }), "GET", "/api/v1/meters/W-1/diagnosis")
	if w.Code != 503 || strings.Contains(w.Body.String(), "secret-host") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestDiagnosisInstallations shows the newest meter first.
func TestDiagnosisInstallations(t *testing.T) {
	swap := epoch.Add(-240 * time.Hour)
	one := schemas.Decimal{Mantissa: 1}
	d := mustDiagnose(t, "W-1", func(o *Options) {
		o.Installations = func(schemas.MeterID) []schemas.Installation {
			return []schemas.Installation{
				{Meter: "W-1", Serial: "111", From: epoch.AddDate(-5, 0, 0), To: swap, Multiplier: one,
					Last: map[schemas.Quantity]schemas.Decimal{"water.volume.forward": {Mantissa: 48210_37, Exponent: -2}}},
				{Meter: "W-1", Serial: "222", From: swap, Multiplier: one},
			}
		}
	})
	if i := d.Installed; len(i) != 2 || i[0].Serial != "222" || i[0].To != nil || !i[1].To.Equal(swap) || i[1].Last["water.volume.forward"] != "48210.37" {
		t.Errorf("%+v", i)
	}
}

// TestCollectorAccount: what a collector shows of itself, and what the hub saw of it.
func TestCollectorAccount(t *testing.T) {
	l := city()
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: epoch.Add(-4 * time.Second), StartedAt: epoch.Add(-2 * time.Hour)}) // older: dropped
	l.now = func() time.Time { return epoch.Add(5 * time.Second) }
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: epoch.Add(time.Second), StartedAt: epoch.Add(-time.Hour),
		KeyGeneration: 258, CertificateEnds: epoch.Add(-time.Hour), SpoolDropped: 7,
		Lines: []schemas.LineStatus{{Name: "riser", Kind: schemas.LineSerial, Address: "/dev/ttyS0", Meters: 3, Planned: 4, Read: 3, Used: 340}}})
	l.Session("c1", schemas.Readings, 7, [8]byte{1}, epoch)
	l.Session("c1", schemas.Readings, 7, [8]byte{1}, epoch.Add(time.Second))
	l.Session("c1", schemas.Readings, 6, [8]byte{9}, epoch.Add(2*time.Second)) // sent again from before a restart
	for range 3 {
		l.Refused("c1", "tag_wrong", epoch)
	}
	l.Refused("c1", "duplicate", epoch)
	l.StoredFrom("c1", []schemas.Reading{reading("W-1", "water.flow", 1, epoch)}, epoch)
	h := newHandler(t, func(o *Options) { o.Live = l })
	c := mustDecode[CollectorJSON](t, ask(h, "GET", "/api/v1/collectors/c1"))
	if c.KeyGeneration == nil || *c.KeyGeneration != 258 || c.CertificateDays == nil || *c.CertificateDays != -1 || *c.StatusAgeS != 4 {
		t.Errorf("%+v", c.CollectorLinkJSON)
	}
	if c.SpoolDropped != 7 || l.SpoolDropped() != 7 {
		t.Errorf("%d records dropped, %d by all", c.SpoolDropped, l.SpoolDropped())
	}
	if len(c.Lines) != 1 || c.Lines[0].Used != 0.34 || rateText(c.Lines[0].Success) != "0.7500" || c.Lines[0].Kind != "serial" {
		t.Errorf("%+v", c.Lines)
	}
	if s := c.Sessions; len(s) != 1 || s[0].Boot != 7 || !s[0].Since.Equal(epoch) || !s[0].At.Equal(epoch.Add(time.Second)) {
		t.Errorf("%+v", s)
	}
	if r := c.Refusals; len(r) != 2 || r[0].Code != "tag_wrong" || r[0].Count != 3 {
		t.Errorf("%+v", r)
	}
	if d := mustDecode[DiagnosisJSON](t, ask(h, "GET", "/api/v1/meters/W-1/diagnosis")); d.Collector != "c1" {
		t.Errorf("the meter's collector is %q", d.Collector)
	}
	if list := mustDecode[[]CollectorJSON](t, ask(h, "GET", "/api/v1/collectors")); len(list) != 1 || len(list[0].Lines) != 1 {
		t.Errorf("%+v", list)
	}
	if w := ask(h, "GET", "/api/v1/collectors/c9"); w.Code != 404 || !strings.Contains(w.Body.String(), codeCollectorUnknown) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestConsumptionSteps adds up to the whole, hour by hour, and has no value where
// nothing was read.
func TestConsumptionSteps(t *testing.T) {
	start := epoch.Add(-4 * time.Hour)
	var list []schemas.Reading
	for n := range 25 {
		if n > 12 && n < 18 {
			continue // an hour without a reading inside
		}
		list = append(list, reading("W-1", "water.volume.forward", int64(100*n*n), start.Add(time.Duration(n-1)*10*time.Minute)))
	}
	h := newHandler(t, func(o *Options) { o.Series = &fakeSeries{readings: list} })
	ask4 := func(step string) ConsumptionStepsJSON {
		return mustDecode[ConsumptionStepsJSON](t, ask(h, "GET", "/api/v1/meters/W-1/consumption/steps?quantity=water.volume.forward&step="+step+
			"&from="+start.Format(time.RFC3339)))
	}
	hours, day := ask4("hour"), ask4("day")
	if len(hours.Steps) != 4 || hours.StepS != 3600 || hours.Unit != "m3" || len(day.Steps) != 1 || !day.Steps[0].To.Equal(epoch) {
		t.Fatalf("%+v, %+v", hours, day)
	}
	var sum schemas.Decimal
	for _, s := range hours.Steps {
		if s.Value == nil {
			continue
		}
		v, err := schemas.ParseDecimal(*s.Value)
		if err != nil {
			t.Fatal(err)
		}
		var ok bool
		if sum, ok = sum.Add(v); !ok {
			t.Fatal("the sum does not fit")
		}
	}
	if day.Steps[0].Value == nil || sum.String() != *day.Steps[0].Value {
		t.Errorf("the hours make %s, the day %v", sum, day.Steps[0].Value)
	}
	if w := ask(h, "GET", "/api/v1/meters/W-1/consumption/steps?quantity=water.volume.forward&step=hour&from=2026-01-01T00:00:00Z"); w.Code != 422 {
		t.Errorf("1400 hours: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/api/v1/meters/W-1/consumption/steps?quantity=water.flow&from="+start.Format(time.RFC3339)); w.Code != 422 {
		t.Errorf("no counter: %d %s", w.Code, w.Body)
	}
}
