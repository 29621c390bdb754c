// Package peers measures citygrid beside Telegraf, in one run. Reading is
// measured on the same simulated meters: what a value costs, what a dead meter
// costs its neighbours, and what a late answer on a serial line does to the
// values. Storing is measured between the same Mosquitto and the same InfluxDB,
// with the same points.
//
// Both programs run as processes of their own; their processor time and peak
// memory are the system's account of them. What they read is counted by the
// simulators or by their own output, and checked by the simulators' oracle.
package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
)

// Options say what to run.
type Options struct {
	// Telegraf, Collector and Citygrid are the paths of the programs.
	Telegraf, Collector, Citygrid string
	// Dir is an empty folder for all files. It is not removed.
	Dir string
	// Each is how long each of the measurements lasts, at least 5 s.
	Each time.Duration
	// Points is how many points are brought from the broker into InfluxDB.
	Points int
	// Only is one half, or empty for both.
	Only Part
	// Rows, when not empty, leaves out the rows of storing whose names do not
	// begin so.
	Rows string
	Log  func(format string, args ...any)
}

// Part is a half of the comparison.
type Part string

// The halves.
const (
	ReadingPart Part = "reading"
	StoringPart Part = "storing"
)

// fewestPoints is the least that says anything: a second of work.
const fewestPoints = 20_000

// shortest is the shortest measurement that says anything: some slots.
const shortest = 5 * time.Second

// Validate reports the first option with which nothing can be measured.
func (o Options) Validate() error {
	if o.Each < shortest {
		return fmt.Errorf("%s for each measurement; want at least %s", o.Each, shortest)
	}
	if o.Points < fewestPoints {
		return fmt.Errorf("%d points; want at least %d", o.Points, fewestPoints)
	}
	switch o.Only {
	case "", ReadingPart, StoringPart:
	default:
		return fmt.Errorf("no part %q; want %s or %s", o.Only, ReadingPart, StoringPart)
	}
	for _, p := range []struct{ what, path string }{{"the edge program", o.Collector}, {"Telegraf", o.Telegraf}, {"citygrid", o.Citygrid}} {
		if _, err := exec.LookPath(p.path); err != nil {
			return fmt.Errorf("%s is missing; \"make bench-peers\" builds both programs: %w", p.what, err)
		}
	}
	return nil
}

// Report is the comparison.
type Report struct {
	Throughput Pair[Throughput] `json:"throughput"`
	Dead       Pair[Dead]       `json:"dead"`
	Late       Pair[Late]       `json:"late"`
	// Storing has a row for each program and layout, InfluxDB alone last.
	Storing []Storing `json:"storing,omitempty"`
}

// Pair is one measurement of both.
type Pair[T any] struct {
	Citygrid T `json:"citygrid"`
	Telegraf T `json:"telegraf"`
}

// Throughput is what reading costs on one TCP connection.
type Throughput struct {
	ValuesPerSecond float64 `json:"values_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_value"`
	PeakMiB         float64 `json:"peak_memory_mib"`
}

// Dead is what dead meters cost the others of their line.
type Dead struct {
	// Kept is the share of the healthy meters' slots that gave values.
	Kept float64 `json:"schedule_kept_by_healthy"`
}

// Late is what late answers do to values on a serial line.
type Late struct {
	Values uint64 `json:"values"`
	Wrong  uint64 `json:"wrong"`
	First  string `json:"first_wrong,omitempty"`
}

const (
	// The one connection of the throughput measurement: what peers.md offered.
	throughputMeters = 200
	throughputEvery  = 100 * time.Millisecond
	// The line with dead meters.
	deadMeters, deadShare = 10, 0.1
	// Telegraf's own default, and the usual one of field devices.
	answerTimeout = time.Second
	// lateBy is longer than that.
	lateBy    = 1500 * time.Millisecond
	lateShare = 0.1
)

// layout is a profile made for measuring: 32-bit floats at even distances.
type layout struct {
	id          string
	most, every int // so many numbers, one every so many registers
}

// wide has all of its numbers, as many as quantities allow up to the 50 of the
// comparison's source, in one request: it shows the price of a value, not of a
// request.
func wide() layout { return layout{"bench-wide", 50, 2} }

// apart has each of its numbers in a request of its own, all of the same length:
// a late answer to one fits any other, if nobody looks.
func apart() layout { return layout{"bench-apart", 8, 100} }

func (l layout) file() string { return l.id + ".yaml" }

func (l layout) yaml() []byte {
	var b strings.Builder
	b.WriteString("maker: citygrid\nmodel: bench\nmedium: power\ndocument: \"for measuring only\"\nfunction: 3\nfields:\n")
	n := 0
	for _, q := range schemas.Quantities() {
		if q.Kind != schemas.State && (q.Medium == schemas.Power || q.Medium == schemas.Device) && n < l.most {
			fmt.Fprintf(&b, "  - {quantity: %s, at: %d, type: f32}\n", q.Quantity, l.every*n)
			n++
		}
	}
	return []byte(b.String())
}

// Run measures everything, one program at a time, and ends with the first
// measurement that fails.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	set, err := profiles.Embedded()
	if err != nil {
		return nil, err
	}
	for _, l := range []layout{wide(), apart()} {
		p, err := profiles.Parse(l.file(), l.yaml())
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(o.Dir, l.file()), l.yaml(), 0o600); err != nil {
			return nil, err
		}
		if set, err = set.With(p); err != nil {
			return nil, err
		}
	}
	b := &bench{Options: o, set: set}
	r := new(Report)
	parts := map[Part][]func(context.Context, *Report) error{
		ReadingPart: {b.throughput, b.dead, b.late},
		StoringPart: {b.storing},
	}
	for _, part := range []Part{ReadingPart, StoringPart} {
		if o.Only != "" && o.Only != part {
			continue
		}
		for _, measure := range parts[part] {
			if err := measure(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// bench is a running comparison.
type bench struct {
	Options
	set *profiles.Set
	n   int // runs so far, to name their files
}

func (b *bench) throughput(ctx context.Context, r *Report) error {
	fleet := simulators.FleetConfig{Meters: throughputMeters, MetersPerGateway: throughputMeters, Seed: 1, Step: time.Second}
	return b.both(ctx, "one TCP connection, 200 meters", fleet, wide().id,
		func(s *session) error {
			out, err := s.collector(ctx, throughputEvery, "")
			if err != nil {
				return err
			}
			r.Throughput.Citygrid, err = s.cost(float64(out.Values), out.Seconds)
			return err
		},
		func(s *session) error {
			perRead, err := s.requestsOfOneGather(ctx)
			if err != nil {
				return err
			}
			before := s.requests()
			if err := s.telegraf(ctx, throughputEvery, ""); err != nil {
				return err
			}
			values := float64(s.requests()-before) / float64(perRead) * float64(s.fields())
			r.Throughput.Telegraf, err = s.cost(values, s.Each.Seconds())
			return err
		})
}

// cost is what the program that has just run needed for its values.
func (s *session) cost(values, seconds float64) (Throughput, error) {
	if values == 0 || seconds == 0 {
		return Throughput{}, fmt.Errorf("no value was read in %.1f s", seconds)
	}
	return Throughput{values / seconds, s.cpu.Seconds() * 1e6 / values, s.peak}, nil
}

func (b *bench) dead(ctx context.Context, r *Report) error {
	const interval = time.Second
	fleet := simulators.FleetConfig{
		Meters: deadMeters, MetersPerGateway: deadMeters, Seed: 1, Step: time.Second,
		Faults: simulators.Faults{Dead: deadShare},
	}
	return b.both(ctx, "ten meters on a line, one dead", fleet, "eastron-sdm630",
		func(s *session) error {
			file := s.path("values")
			if _, err := s.collector(ctx, interval, file); err != nil {
				return err
			}
			readings, err := readOurs(file)
			r.Dead.Citygrid.Kept = s.kept(readings, interval)
			return err
		},
		func(s *session) error {
			file := s.path("values")
			if err := s.telegraf(ctx, interval, file); err != nil {
				return err
			}
			readings, err := s.values(file)
			r.Dead.Telegraf.Kept = s.kept(readings, interval)
			return err
		})
}

// kept returns the share of the slots of the meters that are not dead in which
// they gave values, counted in the same way for both programs: a slot is kept
// when any value of the meter is of it. The first slot may be cut by the start
// of the program and does not count.
func (s *session) kept(readings []schemas.Reading, interval time.Duration) float64 {
	type slot struct {
		meter schemas.MeterID
		n     int64
	}
	met := make(map[slot]bool)
	for _, r := range readings {
		if r.Origin == schemas.Live {
			met[slot{r.Meter, r.TakenAt.UnixNano() / int64(interval)}] = true
		}
	}
	slots := (int(s.Each/interval) - 1) * s.healthy()
	return min(1, float64(len(met))/float64(slots))
}

func (b *bench) late(ctx context.Context, r *Report) error {
	const interval = time.Second
	fleet := simulators.FleetConfig{
		Meters: 1, MetersPerLine: 1, SerialLines: 1, Seed: 3, Step: time.Second, Baud: 9600,
		Protocols: []simulators.Protocol{simulators.RTU},
		Faults:    simulators.Faults{Late: lateShare, LateBy: lateBy},
	}
	judge := func(s *session, into *Late, readings []schemas.Reading) {
		for _, reading := range readings {
			into.Values++
			// A value may be as old as a whole gather of the line.
			if err := s.fleet.Check(reading, 2*interval+lateBy); err != nil {
				into.Wrong++
				if into.First == "" {
					into.First = err.Error()
				}
			}
		}
	}
	return b.both(ctx, "a serial line with late answers", fleet, apart().id,
		func(s *session) error {
			file := s.path("values")
			if _, err := s.collector(ctx, interval, file); err != nil {
				return err
			}
			readings, err := readOurs(file)
			judge(s, &r.Late.Citygrid, readings)
			return err
		},
		func(s *session) error {
			file := s.path("values")
			if err := s.telegraf(ctx, interval, file); err != nil {
				return err
			}
			readings, err := s.values(file)
			judge(s, &r.Late.Telegraf, readings)
			return err
		})
}
