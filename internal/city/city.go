// Package city runs the whole river on one machine, each part a process of its
// own, and checks in the end that every stored point is what the meter showed.
//
//	simulators --Modbus TCP, serial lines--> collector --MQTT--> broker --MQTT--> hub --> influxd
//
// It is the engine of `citygrid demo` and of the end-to-end tests, which kill
// and restart the parts.
package city

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	brokerconfig "citygrid/broker-config"
	collectorconfig "citygrid/collector/config"
	hubconfig "citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/influxd"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
	"citygrid/simulators"
)

// The names of the parts.
const (
	Simulators = "simulators"
	Broker     = "broker"
	Influxd    = "influxd"
	Hub        = "hub"
	Collector  = "collector"
)

const (
	tenant      = "demo"
	area        = schemas.AreaCode("310115")
	collectorID = schemas.CollectorID("demo-1")
	passphrase  = "CITYGRID_PASSPHRASE"
	// answerTimeout bounds the wait for one answer of a simulated meter behind a
	// gateway, wireTimeout that for the first byte of one on a serial line.
	answerTimeout = 150 * time.Millisecond
	wireTimeout   = 300 * time.Millisecond
	// drain bounds how long the collector goes on publishing at the end.
	drain = 30 * time.Second
	// partTimeout bounds the start and the stop of a part.
	partTimeout = 30 * time.Second
	// A restart waits so often and so long for its old port.
	portTries = 20
	portPause = 500 * time.Millisecond
)

// Options say what to run.
type Options struct {
	// Citygrid and Collector are the paths of the programs.
	Citygrid, Collector string
	// Dir is an empty folder for all files. It is not removed.
	Dir string
	// Fleet are the simulated meters; Start is set by Start.
	Fleet simulators.FleetConfig
	// Interval is the time between two reads of a meter.
	Interval time.Duration
	// Listen is the address of the page; empty takes a free port.
	Listen string
	// OutsideBroker, when set, is called with the access rules and returns the
	// URL of a broker that enforces them, instead of the embedded one.
	OutsideBroker func(*brokerconfig.Access) (url string, err error)
	// SpoolQuota bounds the collector's spool; 0 is the default.
	SpoolQuota int64
	// Grid makes a district around the meters, cases of what goes wrong with them, and
	// simulators that take orders (Break). Nil: there is none, and the collector
	// decides no events.
	Grid *GridOptions
	// Hooks let a test stand between the parts.
	Hooks Hooks
	// Past gives the city a past and people who can sign in. Nil: it begins with nothing.
	Past *PastOptions
}

// City is a running city.
type City struct {
	o      Options
	fleet  *simulators.Fleet
	secret secret.Secret // the passphrase of the master key
	keys   enrolment.Folder

	addresses         []string // of the lines
	brokerURL, hubURL string
	collectorURL      string
	controlURL        string // of the simulators
	grid              *grid
	past              *past
	mu                sync.Mutex // of influx and parts: one may end while another starts
	influx            *influxd.Server
	parts             map[string]*part
	readFrom, readTo  time.Time
	drained           time.Time // when the collector had ended
	owed              owed      // what killed collectors had on disk
	influxLog         *os.File
	influxKilled      bool
	earlier           Counts // of the collector's runs before the present one
}

// Start makes the keys and starts every part. On an error, and in the end,
// call Stop.
func Start(ctx context.Context, o Options) (*City, error) {
	now := time.Now()
	o.Fleet.Start = now.UTC().Truncate(time.Second)
	c := &City{keys: enrolment.Folder(filepath.Join(o.Dir, "keys")), parts: make(map[string]*part)}
	if o.Past != nil {
		if o.Grid == nil {
			return nil, errors.New("a past needs a grid")
		}
		p, err := newPast(*o.Past, now)
		if err != nil {
			return nil, err
		}
		c.past, o.Fleet.Start = p, p.midnight(p.o.Days).UTC()
	}
	fleet, err := simulators.NewFleet(o.Fleet)
	if err != nil {
		return nil, err
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	c.o, c.fleet = o, fleet
	if err := c.makeKeys(); err != nil {
		return c, err
	}
	return c, c.begin(ctx)
}

// begin makes what the hub finds, and starts the parts.
func (c *City) begin(ctx context.Context) error {
	parts := []stage{{"simulators", c.startSimulators}, {"broker", c.startBroker}, {"InfluxDB", c.startInflux}}
	if c.past != nil {
		parts = []stage{{"past", c.makePast}}
	}
	all := slices.Concat([]stage{{"district", c.makeGrid}}, parts, []stage{{"hub", c.startHub}, {"collector", c.startCollector}})
	return c.stages(ctx, all...)
}

// HubURL returns the address of the page.
func (c *City) HubURL() string { return c.hubURL }

// InfluxURL returns the address of InfluxDB, which a restart keeps.
func (c *City) InfluxURL() string { return c.influx.URL() }

// Fleet returns the simulated meters, which are the oracle too.
func (c *City) Fleet() *simulators.Fleet { return c.fleet }

func (c *City) path(elements ...string) string {
	return filepath.Join(append([]string{c.o.Dir}, elements...)...)
}

// makeKeys makes the master key under a passphrase that only this process and
// the hub's environment know, and enrols the collector.
func (c *City) makeKeys() error {
	c.secret = secret.New(brokerconfig.NewPassword())
	office := enrolment.Office{Folder: c.keys, By: "demo"}
	if err := office.Init(tenant, c.secret, seal.MinRounds); err != nil {
		return err
	}
	master, err := seal.ReadMaster(c.keys.Master(), c.secret)
	if err != nil {
		return err
	}
	_, err = office.Issue(master, enrolment.Request{Area: area, Collector: collectorID, Bundle: c.path("collector.bundle")})
	return err
}

// ledger is the address of the city's books.
func (c *City) ledger() string { return "sqlite:" + c.path("ledger.db") }

func (c *City) startSimulators(ctx context.Context) error {
	args := simulateArgs(c.o.Fleet)
	if c.grid != nil {
		args = append(args, "--control", "127.0.0.1:0")
	}
	ready, err := c.start(ctx, Simulators, exec.Command(c.o.Citygrid, args...))
	if err != nil {
		return err
	}
	c.addresses, c.controlURL = ready.Addresses, ready.URL
	return nil
}

func (c *City) startBroker(ctx context.Context) error {
	if c.o.OutsideBroker != nil {
		list, err := enrolment.Load(c.keys.List())
		if err != nil {
			return err
		}
		access, err := list.Access(nil)
		if err != nil {
			return err
		}
		c.brokerURL, err = c.o.OutsideBroker(access)
		return err
	}
	listen := "127.0.0.1:0"
	if c.o.Hooks.Between == nil {
		listen = hostOf(c.brokerURL, listen)
	}
	ready, err := c.start(ctx, Broker, exec.Command(c.o.Citygrid, "broker", "--listen", listen, "--dir", c.path("broker"), "--enrolment", c.keys.List()))
	if err != nil {
		return err
	}
	again := c.brokerURL != ""
	if c.brokerURL = ready.URL; !again {
		return nil
	}
	// A broker that was away for minutes may find its port with another program, so behind
	// proxies it takes a new one.
	for _, from := range []string{Hub, Collector} {
		if _, err := c.between(from, Broker, c.brokerURL); err != nil {
			return err
		}
	}
	return nil
}

// startInflux starts the store, on its old port when it ran before.
func (c *City) startInflux(ctx context.Context) error {
	if c.influxLog == nil {
		log, err := os.OpenFile(c.path(Influxd+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		c.influxLog = log
	}
	port := 0
	if c.influx != nil {
		port = c.influx.Port()
	}
	server, err := influxd.Start(ctx, influxd.Options{Dir: c.path("influxdb"), Database: hubconfig.DefaultBucket, Port: port, Log: c.influxLog})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.influx, c.influxKilled = server, false
	return nil
}

func (c *City) startHub(ctx context.Context) error {
	broker, err := c.between(Hub, Broker, c.brokerURL)
	if err != nil {
		return err
	}
	influx, err := c.between(Hub, Influxd, c.influx.URL())
	if err != nil {
		return err
	}
	err = c.writeYAML("hub.yaml", &hubconfig.Config{
		DataDir: c.path("hub"), Listen: hostOf(c.hubURL, c.o.Listen),
		Master: hubconfig.Master{File: c.keys.Master()}, Passphrase: "env:" + passphrase, Enrolment: c.keys.List(),
		CrossCheckEvery: 1000,
		Broker:          hubconfig.Broker{URL: broker, User: enrolment.HubUser, Password: "file:" + c.keys.HubPassword()},
		Influx:          hubconfig.Influx{URL: influx},
		Ledger:          c.hubLedger(),
		Grid:            c.hubGrid(),
		Accounts:        c.hubAccounts(),
	})
	if err != nil {
		return err
	}
	cmd := exec.Command(c.o.Citygrid, "hub", "-c", c.path("hub.yaml"))
	cmd.Env = append(os.Environ(), passphrase+"="+string(c.secret.Reveal()))
	ready, err := c.start(ctx, Hub, cmd)
	if err != nil {
		return err
	}
	c.hubURL = ready.URL
	return nil
}

// collectorConfig is what the edge program is to do.
func (c *City) collectorConfig() (*collectorconfig.Config, error) {
	broker, err := c.between(Collector, Broker, c.brokerURL)
	if err != nil {
		return nil, err
	}
	cfg := &collectorconfig.Config{
		Collector: collectorID, Bundle: c.path("collector.bundle"), DataDir: c.path("collector"),
		Interval: collectorconfig.Duration(c.o.Interval),
		Spread:   collectorconfig.Duration(c.o.Interval / 2),
		Broker:   collectorconfig.Broker{URL: broker},
		Spool:    collectorconfig.Spool{Quota: collectorconfig.Size(c.o.SpoolQuota)},
		Metrics:  "127.0.0.1:0",
		Events:   c.demoEvents(),
		Lines:    c.lines(),
	}
	if c.o.Hooks.Adjust != nil {
		c.o.Hooks.Adjust(cfg)
	}
	return cfg, nil
}

// startCollector starts the edge program.
func (c *City) startCollector(ctx context.Context) error {
	cfg, err := c.collectorConfig()
	if err != nil {
		return err
	}
	if err := c.writeYAML("collector.yaml", cfg); err != nil {
		return err
	}
	if _, err := os.Stat(c.o.Collector); err != nil {
		return fmt.Errorf("the edge program is missing; build it with: make build: %w", err)
	}
	ready, err := c.start(ctx, Collector, exec.Command(c.o.Collector, "run", "-c", c.path("collector.yaml"),
		"--summary", c.path("summary.json"), "--drain", c.drain().String()))
	if err != nil {
		return err
	}
	if c.readFrom.IsZero() {
		c.readFrom = time.Now()
	}
	c.collectorURL = "http://" + ready.Metrics
	return nil
}

func (c *City) writeYAML(name string, value any) error {
	data, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.WriteFile(c.path(name), data, 0o600)
}

// hostOf returns the host and port of a URL that is known from an earlier
// start, so that a part comes back where it was.
func hostOf(known, otherwise string) string {
	u, err := url.Parse(known)
	if err != nil || u.Host == "" {
		return otherwise
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return otherwise
	}
	return u.Host
}

// Kill ends a part as a power cut would.
func (c *City) Kill(name string) error {
	if name == Influxd {
		c.influxKilled = true
		c.influx.Kill()
		return nil
	}
	p, ok := c.part(name)
	if !ok {
		return fmt.Errorf("no part %s", name)
	}
	if name == Collector {
		counts, err := c.CollectorCounts(context.Background())
		if err != nil {
			return err
		}
		c.earlier = c.earlier.plus(counts)
	}
	p.expected = true
	p.Kill()
	if name == Collector {
		return c.oweSpool()
	}
	return nil
}

// oweSpool notes what the killed collector had on disk: it must be in the
// store in the end, whatever the counters say.
func (c *City) oweSpool() error {
	durable, err := c.readSpool(context.Background())
	if err != nil {
		return fmt.Errorf("read the spool of the killed collector: %w", err)
	}
	if c.owed == nil {
		c.owed = make(owed)
	}
	maps.Copy(c.owed, durable)
	return nil
}

// Restart starts a part that was killed, on its old files and address; the broker's is a
// new one where Hooks.Between stands before it.
func (c *City) Restart(ctx context.Context, name string) error {
	start, ok := map[string]func(context.Context) error{
		Broker: c.startBroker, Influxd: c.startInflux, Hub: c.startHub, Collector: c.startCollector,
	}[name]
	if !ok {
		return fmt.Errorf("%s cannot come back: it would take new ports", name)
	}
	// Between the kill and the restart another program's connection may have
	// been given the port; it lets go of it again.
	pause := time.NewTicker(portPause)
	defer pause.Stop()
	for tries := 1; ; tries++ {
		err := start(ctx)
		if err == nil || tries == portTries || !strings.Contains(err.Error(), "in use") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}

// Ended returns an error when a part has ended by itself, with its last words.
func (c *City) Ended() error {
	for _, name := range order {
		p, ok := c.part(name)
		if !ok || p.expected {
			continue
		}
		p.Sample()
		if state := p.State(); state != nil {
			return fmt.Errorf("%s ended by itself (%s):\n%s", name, state, tail(c.path(name+".log")))
		}
	}
	select {
	case <-c.influx.Done():
		if !c.influxKilled {
			return fmt.Errorf("%s ended by itself:\n%s", Influxd, tail(c.path(Influxd+".log")))
		}
	default:
	}
	return nil
}

// StopReading stops the collector in good order: it sends what it has. It
// returns when the spool is empty, or the time for that is over.
func (c *City) StopReading() error {
	c.readTo = time.Now()
	p, _ := c.part(Collector)
	p.expected = true
	err := p.Stop(c.drain() + partTimeout)
	c.drained = time.Now()
	return err
}

// Stop stops what still runs, last started first.
func (c *City) Stop() error {
	var errs []error
	for i := len(order) - 1; i >= 0; i-- {
		if p, ok := c.part(order[i]); ok {
			errs = append(errs, p.Stop(partTimeout))
		}
		if order[i] == Influxd && c.influx != nil {
			errs = append(errs, c.influx.Stop(), c.influxLog.Close())
		}
	}
	return errors.Join(errs...)
}
