package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// fake reads the device without a protocol. Its faults are what the suite must
// notice.
type fake struct {
	device *Device
	qs     [2]schemas.Quantity
	held   []schemas.Reading
	fault  string
}

var errSilent = errors.New("no answer")

func (f *fake) fails(class adapters.Class, err error) error {
	e := &adapters.Error{Meter: Meter, Class: class, Request: "a request", Err: err}
	switch f.fault {
	case "plain error":
		return err
	case "error of another meter":
		e.Meter = "OTHER"
	case "wrong class":
		e.Class = adapters.Config
	}
	return e
}

func (f *fake) Read(ctx context.Context) ([]schemas.Reading, error) {
	var out []schemas.Reading
	var failed error
	for _, q := range f.qs {
		if ctx.Err() != nil && f.fault != "hides the context" {
			return out, f.fails(adapters.Transient, ctx.Err())
		}
		r := f.reading(q)
		switch f.device.Next() {
		case Silence:
			if failed == nil {
				failed = f.silence(ctx)
			}
			continue
		case Hold:
			f.held = append(f.held, r)
			if failed == nil {
				failed = f.fails(adapters.Transient, errSilent)
			}
			continue
		}
		if f.fault == "takes the late answer" && len(f.held) > 0 {
			r.Value, f.held = f.held[0].Value, f.held[1:]
		}
		out = append(out, r)
	}
	switch {
	case f.fault == "twice" && failed == nil:
		out[1] = out[0]
	case f.fault == "drops one" && failed == nil:
		out = out[:1]
	case f.fault == "loses the first" && failed != nil:
		out = nil
	case f.fault == "swallows the error":
		failed = nil
	}
	return out, failed
}

func (f *fake) silence(ctx context.Context) error {
	wait := 20 * time.Millisecond
	if f.fault == "slow" {
		wait = 400 * time.Millisecond
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return f.fails(adapters.Transient, errSilent)
	case <-ctx.Done():
	}
	if f.fault == "hides the context" {
		return f.fails(adapters.Transient, errSilent)
	}
	return f.fails(adapters.Transient, ctx.Err())
}

func (f *fake) reading(q schemas.Quantity) schemas.Reading {
	info, _ := q.Info()
	r := schemas.Reading{Meter: Meter, Quantity: q, Unit: info.Unit, TakenAt: time.Now().UTC().Truncate(time.Millisecond)}
	v, ok := f.device.Value(q)
	if ok {
		r.Value.Mantissa = v
	} else if f.fault != "zero for absent" {
		r.Quality, r.Reason = schemas.Missing, schemas.ReasonSentinel
	}
	switch f.fault {
	case "local time":
		r.TakenAt = r.TakenAt.In(time.FixedZone("CST", 8*3600))
	case "finer than ms":
		r.TakenAt = r.TakenAt.Add(time.Microsecond)
	case "old time":
		r.TakenAt = r.TakenAt.Add(-time.Minute)
	case "time to come":
		r.TakenAt = r.TakenAt.Add(time.Minute)
	case "wrong unit":
		r.Unit = "V"
	case "wrong meter":
		r.Meter = "OTHER"
	case "suspect":
		r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRange
	case "off by one":
		r.Value.Mantissa++
	}
	return r
}

func subject(fault string) Subject {
	qs := [2]schemas.Quantity{"water.volume.forward", "water.flow"}
	return Subject{
		Quantities: qs, Patience: 200 * time.Millisecond,
		Open: func(_ *testing.T, d *Device) adapters.Source { return &fake{device: d, qs: qs, fault: fault} },
	}
}

func TestSuitePassesAGoodSource(t *testing.T) { Run(t, subject("")) }

// TestSuiteNotices breaks a source in one way at a time.
func TestSuiteNotices(t *testing.T) {
	for _, fault := range []string{
		"plain error", "error of another meter", "wrong class", "takes the late answer", "twice", "drops one",
		"loses the first", "swallows the error", "slow", "hides the context", "zero for absent", "local time",
		"finer than ms", "old time", "time to come", "wrong unit", "wrong meter", "suspect", "off by one",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			noticed := 0
			for _, c := range checks() {
				b := newBench(t, subject(fault))
				if c.check(b) != nil {
					noticed++
				}
			}
			if noticed == 0 {
				t.Error("nothing noticed")
			}
		})
	}
}
