package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	hubconfig "citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/child"
)

// Storing is what it costs to bring points from the broker into InfluxDB, end
// to end: the clock runs from the first publish until InfluxDB has them all.
type Storing struct {
	// Name says whose row it is, Points how many points were stored.
	Name   string `json:"name"`
	Points int    `json:"points"`
	// PerMessage is how many points a message has; 0: no broker.
	PerMessage      int     `json:"points_per_message,omitempty"`
	PointsPerSecond float64 `json:"points_per_second"`
	// CPUMicros and PeakMiB are those of the program between the two servers.
	CPUMicros float64 `json:"cpu_us_per_point"`
	PeakMiB   float64 `json:"peak_memory_mib"`
	// BrokerCPUMicros and InfluxCPUMicros are what the servers needed for a point.
	BrokerCPUMicros float64 `json:"broker_cpu_us_per_point"`
	InfluxCPUMicros float64 `json:"influxdb_cpu_us_per_point"`
}

// The parameters of the rows. Telegraf's slow layouts get fewer points, or they
// would take most of the time.
const (
	slowLayoutShare = 5
	stopping        = 20 * time.Second
	// storingPatience bounds one row.
	storingPatience = 10 * time.Minute
	passphraseName  = "CITYGRID_PASSPHRASE"
	// ceilingWorkers and ceilingPoints are how lines go straight into InfluxDB, at
	// the size of request at which it is fastest.
	ceilingWorkers, ceilingPoints = 4, 5000
)

// contender is one row: how points are packed, and the program that stores them.
type contender struct {
	name   string
	points int
	pack   func(*river) packing
	start  func(*bench, context.Context, *river) (*child.Process, error)
	user   string // its account at the broker
	dry    bool   // in front of a sink instead of InfluxDB
	away   bool   // which takes nothing until everything was published
}

func (b *bench) contenders() []contender {
	lines := func(points int) func(*river) packing {
		return func(*river) packing { return packing{points, linesOf} }
	}
	telegraf := func(l telegrafLayout) func(*bench, context.Context, *river) (*child.Process, error) {
		return func(b *bench, _ context.Context, r *river) (*child.Process, error) { return b.startTelegraf(r, l) }
	}
	few := b.Points / slowLayoutShare
	list := []contender{
		{"citygrid, SM4, 100 a message", b.Points, func(r *river) packing { return packing{perMessage, r.sealing.pack} }, (*bench).startHub, enrolment.HubUser, false, false},
		{"Telegraf, line protocol, 100 a message", b.Points, lines(perMessage), telegraf(bestLayout()), telegrafUser, false, false},
		{"Telegraf, line protocol, 1 a message", few, lines(1), telegraf(defaultLayout("")), telegrafUser, false, false},
		{"Telegraf, JSON, 1 a message", few, func(*river) packing { return packing{1, jsonOf} }, telegraf(defaultLayout(jsonParser)), telegrafUser, false, false},
	}
	for _, c := range list[:2] {
		c.name, c.dry = c.name+dryName, true
		list = append(list, c)
	}
	back := list[0]
	back.name, back.dry, back.away = back.name+awayName, true, true
	return append(list, back)
}

// dryName marks the rows without InfluxDB, awayName the one that shows how much
// memory the hub needs when its store is away and everybody goes on sending.
const (
	dryName  = ", store that takes all at once"
	awayName = ", store away until all was sent"
)

// storing measures every contender, and InfluxDB alone.
func (b *bench) storing(ctx context.Context, r *Report) error {
	for _, c := range b.contenders() {
		if !strings.HasPrefix(c.name, b.Rows) {
			continue
		}
		b.Log("from the broker into InfluxDB: %s, %d points", c.name, c.points)
		row, err := b.store(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Storing = append(r.Storing, *row)
	}
	if b.Rows != "" {
		return nil
	}
	b.Log("InfluxDB alone: ready lines, %d points", b.Points)
	row, err := b.ceiling(ctx)
	if err != nil {
		return fmt.Errorf("InfluxDB alone: %w", err)
	}
	r.Storing = append(r.Storing, *row)
	return nil
}

// withRiver runs measure on fresh servers.
func (b *bench) withRiver(ctx context.Context, dry bool, measure func(context.Context, *river) error) (err error) {
	b.n++
	ctx, cancel := context.WithTimeout(ctx, storingPatience)
	defer cancel()
	r, err := openRiver(ctx, filepath.Join(b.Dir, fmt.Sprintf("river-%02d", b.n)), dry)
	defer func() { err = errors.Join(err, r.Close(), os.RemoveAll(r.dir)) }()
	if err != nil {
		return err
	}
	return measure(ctx, r)
}

// store measures one contender.
func (b *bench) store(ctx context.Context, c contender) (row *Storing, err error) {
	err = b.withRiver(ctx, c.dry, func(ctx context.Context, r *river) error {
		plan, err := planReadings(time.Now().Add(-time.Hour))
		if err != nil {
			return err
		}
		packing := c.pack(r)
		all, err := packing.messages(plan, c.points)
		if err != nil {
			return err
		}
		program, err := c.start(b, ctx, r)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, program.Stop(stopping)) }()
		if err := r.awaitSubscriber(ctx, c.user, program); err != nil {
			return err
		}
		row = &Storing{Name: c.name, Points: c.points, PerMessage: packing.points}
		return r.race(ctx, row, program, func(ctx context.Context) error {
			if c.away {
				r.sink.away.Store(true)
				defer r.sink.away.Store(false)
			}
			return r.feed(ctx, all)
		})
	})
	return row, err
}

// race runs feed until every point is in InfluxDB, and notes what that cost.
func (r *river) race(ctx context.Context, row *Storing, program *child.Process, feed func(context.Context) error) error {
	programs := []interface{ Sample() child.Usage }{program, r.mosquitto, r.series}
	if program == nil {
		programs[0] = idle{}
	}
	var before [3]child.Usage
	for i, p := range programs {
		before[i] = p.Sample()
	}
	began := time.Now()
	g, feeding := errgroup.WithContext(ctx)
	g.Go(func() error { return feed(feeding) })
	g.Go(func() error {
		return await(feeding, storingPatience, "the last point", func() (bool, error) {
			if program != nil && program.State() != nil {
				return false, fmt.Errorf("%s ended by itself: %s", program.Name(), program.State())
			}
			n, err := r.series.written(feeding)
			return n >= row.Points, err
		})
	})
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	row.PointsPerSecond = float64(row.Points) / took.Seconds()
	for i, into := range []*float64{&row.CPUMicros, &row.BrokerCPUMicros, &row.InfluxCPUMicros} {
		now := programs[i].Sample()
		*into = (now.CPU - before[i].CPU).Seconds() * 1e6 / float64(row.Points)
		if i == 0 {
			row.PeakMiB = float64(now.PeakRSS) / (1 << 20)
		}
	}
	n, err := r.series.count(ctx)
	if err == nil && n != row.Points {
		err = fmt.Errorf("InfluxDB holds %d of %d points", n, row.Points)
	}
	return err
}

// idle stands for a program that is not there.
type idle struct{}

// Sample returns nothing.
func (idle) Sample() child.Usage { return child.Usage{} }

// ceiling measures what InfluxDB takes when nobody stands in its way.
func (b *bench) ceiling(ctx context.Context) (row *Storing, err error) {
	err = b.withRiver(ctx, false, func(ctx context.Context, r *river) error {
		plan, err := planReadings(time.Now().Add(-time.Hour))
		if err != nil {
			return err
		}
		all, err := packing{ceilingPoints, linesOf}.messages(plan, b.Points)
		if err != nil {
			return err
		}
		row = &Storing{Name: "InfluxDB alone, ready lines", Points: b.Points}
		return r.race(ctx, row, nil, func(ctx context.Context) error { return r.post(ctx, all) })
	})
	return row, err
}

// post writes lines to InfluxDB without anything between.
func (r *river) post(ctx context.Context, all []message) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range ceilingWorkers {
		g.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(all) {
					return nil
				}
				if err := r.postOne(ctx, all[n].payload); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

func (r *river) postOne(ctx context.Context, lines []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.series.URL()+"/write?precision=ms&db="+seriesDatabase, bytes.NewReader(lines))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("write: %s", resp.Status)
	}
	return nil
}

// startHub starts the real hub on the river.
func (b *bench) startHub(ctx context.Context, r *river) (*child.Process, error) {
	file := filepath.Join(r.dir, "hub.yaml")
	data, err := yaml.Marshal(&hubconfig.Config{
		DataDir: filepath.Join(r.dir, "hub"), Listen: "127.0.0.1:0",
		Master: hubconfig.Master{File: r.keys.Master()}, Passphrase: "env:" + passphraseName, Enrolment: r.keys.List(), CrossCheckEvery: crossCheckEvery,
		Broker: hubconfig.Broker{URL: r.brokerURL, User: enrolment.HubUser, Password: "file:" + r.keys.HubPassword()},
		Influx: hubconfig.Influx{URL: r.series.URL(), Bucket: seriesDatabase},
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.Citygrid, "hub", "-c", file)
	cmd.Env = append(os.Environ(), passphraseName+"="+string(r.secret.Reveal()))
	return b.startLogged("hub", cmd)
}

// crossCheckEvery opens one of so many envelopes with the second implementation
// of SM4 too, as the demo does.
const crossCheckEvery = 1000

// startLogged starts a program whose words are kept in a file.
func (b *bench) startLogged(name string, cmd *exec.Cmd) (*child.Process, error) {
	log, err := os.Create(filepath.Join(b.Dir, fmt.Sprintf("%02d-%s.log", b.n, name)))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return child.Start(name, cmd)
}

// startTelegraf starts Telegraf on the river.
func (b *bench) startTelegraf(r *river, l telegrafLayout) (*child.Process, error) {
	file := filepath.Join(r.dir, "telegraf.conf")
	text := l.config(r.brokerURL, string(r.passwords[telegrafUser].Reveal()), r.series.URL())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b.startLogged("telegraf", exec.Command(b.Telegraf, "--config", file))
}
