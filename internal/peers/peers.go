// Package peers measures citygrid's reading beside Telegraf's, in one run, on
// the same simulated meters: what a value costs, what a dead meter costs its
// neighbours, and what a late answer on a serial line does to the values.
//
// Both programs run as processes of their own; their processor time and peak
// memory are the system's account of them. What they read is counted by the
// simulators or by their own output, and checked by the simulators' oracle.
package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/adapters/modbus/profiles"
	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/simulators"
)

// Options say what to run.
type Options struct {
	// Telegraf and Collector are the paths of the programs.
	Telegraf, Collector string
	// Dir is an empty folder for all files. It is not removed.
	Dir string
	// Each is how long each of the measurements lasts.
	Each time.Duration
	Log  func(format string, args ...any)
}

// Report is the comparison.
type Report struct {
	Throughput Pair[Throughput] `json:"throughput"`
	Dead       Pair[Dead]       `json:"dead"`
	Late       Pair[Late]       `json:"late"`
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

// wideYAML is a profile of a meter whose numbers all come in one request: as many 32-bit
// floats, side by side, as quantities allow, at most the 50 of the comparison's
// source. It shows the price of a value, not of a request.
func wideYAML() []byte {
	const most = 50
	var b strings.Builder
	b.WriteString("maker: citygrid\nmodel: bench\nmedium: power\ndocument: \"for measuring only\"\nfunction: 3\nfields:\n")
	n := 0
	for _, q := range schemas.Quantities() {
		if q.Kind != schemas.State && (q.Medium == schemas.Power || q.Medium == schemas.Device) && n < most {
			fmt.Fprintf(&b, "  - {quantity: %s, at: %d, type: f32}\n", q.Quantity, 2*n)
			n++
		}
	}
	return []byte(b.String())
}

// wide is the id of that profile, wideFile its file.
const (
	wide     = "bench-wide"
	wideFile = wide + ".yaml"
)

// Run measures everything, one program at a time.
func Run(ctx context.Context, o Options) (*Report, error) {
	set, err := profiles.Embedded()
	if err != nil {
		return nil, err
	}
	p, err := profiles.Parse(wideFile, wideYAML())
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(o.Dir, wideFile), wideYAML(), 0o600); err != nil {
		return nil, err
	}
	if set, err = set.With(p); err != nil {
		return nil, err
	}
	b := &bench{Options: o, set: set}
	r := new(Report)
	return r, errors.Join(b.throughput(ctx, r), b.dead(ctx, r), b.late(ctx, r))
}

// bench is a running comparison.
type bench struct {
	Options
	set *profiles.Set
	n   int // runs so far, to name their files
}

func (b *bench) throughput(ctx context.Context, r *Report) error {
	fleet := simulators.FleetConfig{Meters: throughputMeters, MetersPerGateway: throughputMeters, Seed: 1, Step: time.Second}
	return b.both(ctx, "one TCP connection, 200 meters", fleet, wide,
		func(s *session) error {
			out, err := s.collector(ctx, throughputEvery, "")
			r.Throughput.Citygrid = Throughput{float64(out.Values) / out.Seconds, s.cpu.Seconds() * 1e6 / float64(out.Values), s.peak}
			return err
		},
		func(s *session) error {
			perRead, err := s.requestsOfOneGather(ctx)
			if err != nil {
				return err
			}
			before := s.requests()
			begun := time.Now()
			if err := s.telegraf(ctx, throughputEvery, ""); err != nil {
				return err
			}
			values := float64(s.requests()-before) / float64(perRead) * float64(s.fields())
			r.Throughput.Telegraf = Throughput{values / time.Since(begun).Seconds(), s.cpu.Seconds() * 1e6 / values, s.peak}
			return nil
		})
}

func (b *bench) dead(ctx context.Context, r *Report) error {
	const interval = time.Second
	fleet := simulators.FleetConfig{
		Meters: deadMeters, MetersPerGateway: deadMeters, Seed: 1, Step: time.Second,
		Faults: simulators.Faults{Dead: deadShare},
	}
	return b.both(ctx, "ten meters on a line, one dead", fleet, "eastron-sdm630",
		func(s *session) error {
			out, err := s.collector(ctx, interval, "")
			if err == nil {
				r.Dead.Citygrid.Kept = out.Lines[0].AnsweringKept
			}
			return err
		},
		func(s *session) error {
			file := s.path("values")
			if err := s.telegraf(ctx, interval, file); err != nil {
				return err
			}
			readings, err := s.values(file)
			if err != nil {
				return err
			}
			slots := float64(b.Each/interval) * float64(s.healthy()) * float64(s.fields()) / float64(len(s.fleet.Meters))
			r.Dead.Telegraf.Kept = min(1, float64(len(readings))/slots)
			return nil
		})
}

func (b *bench) late(ctx context.Context, r *Report) error {
	const interval = time.Second
	fleet := simulators.FleetConfig{
		Meters: 2, MetersPerLine: 2, SerialLines: 1, Seed: 3, Step: time.Second, Baud: 9600,
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
	return b.both(ctx, "a serial line with late answers", fleet, "",
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

// session is one program on one line.
type session struct {
	*bench
	fleet *simulators.Fleet
	line  simulators.Line
	name  string
	cpu   time.Duration
	peak  float64 // MiB
}

// both runs the two programs one after the other, each on a fresh, equal fleet.
func (b *bench) both(ctx context.Context, title string, c simulators.FleetConfig, model string, runs ...func(*session) error) error {
	for i, run := range runs {
		b.n++
		s := &session{bench: b, name: fmt.Sprintf("%02d-%s", b.n, []string{"citygrid", "telegraf"}[i])}
		b.Log("%s: %s, %s", title, s.name[3:], b.Each)
		if err := s.with(ctx, c, model, run); err != nil {
			return fmt.Errorf("%s: %s: %w", title, s.name, err)
		}
	}
	return nil
}

// with serves a fleet while run runs.
func (s *session) with(ctx context.Context, c simulators.FleetConfig, model string, run func(*session) error) error {
	if model != "" {
		p, err := s.set.Get(model)
		if err != nil {
			return err
		}
		c.Profiles = []*profiles.Profile{p}
	}
	c.Start = time.Now().UTC().Truncate(time.Second)
	fleet, err := simulators.NewFleet(c)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	if err := fleet.Listen(serving, "127.0.0.1"); err != nil {
		return err
	}
	s.fleet, s.line = fleet, fleet.Lines()[0]
	err = run(s)
	stop()
	return errors.Join(err, fleet.Wait())
}

func (s *session) path(name string) string { return filepath.Join(s.Dir, s.name+"."+name) }

// fields is how many values a gather of the whole line gives Telegraf.
func (s *session) fields() int {
	n := 0
	for _, m := range s.line.Meters {
		if p, err := s.set.Get(m.Profile); err == nil {
			fields, _ := plain(p)
			n += len(fields)
		}
	}
	return n
}

func (s *session) healthy() (n int) {
	for _, m := range s.fleet.Meters {
		if !m.Dead {
			n++
		}
	}
	return n
}

func (s *session) requests() (n uint64) {
	for _, g := range s.fleet.Gateways {
		n += g.Stats().Requests
	}
	return n
}

// values reads what Telegraf wrote.
func (s *session) values(file string) ([]schemas.Reading, error) {
	byMeter := make(map[schemas.MeterID]*profiles.Profile)
	for _, m := range s.line.Meters {
		p, err := s.set.Get(m.Profile)
		if err != nil {
			return nil, err
		}
		byMeter[m.ID] = p
	}
	return readTelegraf(file, byMeter)
}

// summary is the part of `collector try --json` that counts here.
type summary struct {
	Seconds float64 `json:"seconds"`
	Values  uint64  `json:"values"`
	Lines   []struct {
		AnsweringKept float64 `json:"schedule_kept_of_answering"`
	} `json:"lines"`
}

// collector runs `collector try` for the time of the measurement.
func (s *session) collector(ctx context.Context, interval time.Duration, readings string) (out summary, err error) {
	file, report := s.path("yaml"), s.path("json")
	data, err := yaml.Marshal(&collectorconfig.Config{
		Collector: "bench", Bundle: "none", DataDir: "none", Interval: collectorconfig.Duration(interval),
		Broker:   collectorconfig.Broker{URL: "tcp://127.0.0.1:1883"},
		Profiles: []collectorconfig.ProfileFile{{Protocol: collectorconfig.Modbus, File: wideFile}},
		Lines:    city.Lines(s.fleet, s.fleet.Addresses(), answerTimeout, interval),
	})
	if err != nil {
		return out, err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return out, err
	}
	args := []string{"try", "-c", file, "--for", s.Each.String(), "--json", report}
	if readings != "" {
		args = append(args, "--readings", readings)
	}
	if err := s.run(ctx, exec.CommandContext(ctx, s.Collector, args...), 0); err != nil {
		return out, err
	}
	if data, err = os.ReadFile(report); err != nil {
		return out, err
	}
	return out, json.Unmarshal(data, &out)
}

// telegraf runs Telegraf for the time of the measurement.
func (s *session) telegraf(ctx context.Context, interval time.Duration, output string) error {
	file, err := s.telegrafConfig(interval, output)
	if err != nil {
		return err
	}
	return s.run(ctx, exec.CommandContext(ctx, s.Telegraf, "--config", file, "--quiet"), s.Each)
}

func (s *session) telegrafConfig(interval time.Duration, output string) (file string, err error) {
	text, err := telegrafJob{line: s.line, set: s.set, interval: interval, timeout: answerTimeout, output: output}.config()
	if err != nil {
		return "", err
	}
	file = s.path("conf")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// requestsOfOneGather lets Telegraf read every meter once and counts.
func (s *session) requestsOfOneGather(ctx context.Context) (uint64, error) {
	file, err := s.telegrafConfig(throughputEvery, "")
	if err != nil {
		return 0, err
	}
	before := s.requests()
	if err := s.run(ctx, exec.CommandContext(ctx, s.Telegraf, "--config", file, "--quiet", "--once"), 0); err != nil {
		return 0, err
	}
	n := s.requests() - before
	if n == 0 {
		return 0, errors.New("Telegraf asked nothing in a whole gather")
	}
	return n, nil
}

// run runs a program, tells it to stop after d (0: it ends by itself), and notes
// what it cost.
func (s *session) run(ctx context.Context, cmd *exec.Cmd, d time.Duration) error {
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return err
	}
	if d > 0 {
		timer := time.AfterFunc(d, func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	if writeErr := os.WriteFile(s.path("log"), log.Bytes(), 0o600); err == nil {
		err = writeErr
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(log.String()))
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = float64(usage.Maxrss) / 1024
	}
	return ctx.Err()
}

// tail is the end of a log, for an error.
func tail(log string) string {
	const most = 500
	return strings.TrimSpace(log[max(0, len(log)-most):])
}

// readOurs reads what `collector try --readings` wrote.
func readOurs(path string) ([]schemas.Reading, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []schemas.Reading
	for in := json.NewDecoder(f); in.More(); {
		var r schemas.Reading
		if err := in.Decode(&r); err != nil {
			return nil, fmt.Errorf("readings %s: %w", path, err)
		}
		out = append(out, r)
	}
	return out, nil
}
