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
	"sync"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/adapters/modbus/profiles"
	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/simulators"
)

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
	p, err := s.set.Get(model)
	if err != nil {
		return err
	}
	c.Profiles = []*profiles.Profile{p}
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

// requests is how many the fleet has heard so far.
func (s *session) requests() (n uint64) {
	for _, g := range s.fleet.Gateways {
		n += g.Stats().Requests
	}
	for _, w := range s.fleet.Wires {
		n += w.Bus.Stats().Requests
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
}

// collector runs `collector try` for the time of the measurement.
func (s *session) collector(ctx context.Context, interval time.Duration, readings string) (out summary, err error) {
	file, report := s.path("yaml"), s.path("json")
	config := city.TrialConfig(city.Lines(s.fleet, s.fleet.Addresses(), answerTimeout, interval), interval)
	config.Profiles = []collectorconfig.ProfileFile{
		{Protocol: collectorconfig.Modbus, File: wide().file()}, {Protocol: collectorconfig.Modbus, File: apart().file()},
	}
	data, err := yaml.Marshal(config)
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

// telegraf runs Telegraf for the time of the measurement, from its first request
// on.
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
		return 0, errors.New("no request came in a whole gather of Telegraf")
	}
	return n, nil
}

// run runs a program, tells it to stop d after its first request (0: it ends by
// itself), and notes what it cost.
func (s *session) run(ctx context.Context, cmd *exec.Cmd, d time.Duration) error {
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	if d > 0 {
		watch.Go(func() { s.interrupt(cmd.Process, d, ended) })
	}
	err := cmd.Wait()
	close(ended)
	watch.Wait()
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

// starting is how long a program may take to its first request.
const starting = 20 * time.Second

// interrupt tells a program to stop d after its first request, or when there is
// none for long. It returns early when the program has ended.
func (s *session) interrupt(p *os.Process, d time.Duration, ended <-chan struct{}) {
	before, end := s.requests(), time.Now().Add(starting)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for begun := false; ; {
		select {
		case <-ended:
			return
		case now := <-look.C:
			if !begun && s.requests() > before {
				begun, end = true, now.Add(d)
			}
			if now.After(end) {
				_ = p.Signal(os.Interrupt)
				return
			}
		}
	}
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
