package city

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"citygrid/collector"
	collectorconfig "citygrid/collector/config"
	"citygrid/hub/cases/desk"
	hubconfig "citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/internal/child"
	"citygrid/schemas"
	"citygrid/schemas/seal"
	"citygrid/simulators"
)

// Hooks let a test stand between the parts of a city. The zero value changes nothing.
type Hooks struct {
	// Between returns the address under which the part from finds the part to, whose
	// own is url: that of a proxy.
	Between func(from, to, url string) (string, error)
	// Adjust may change the collector's configuration before it is written.
	Adjust func(*collectorconfig.Config)
	// Drain bounds how long the collector goes on publishing at the end; 0 means 30 s.
	Drain time.Duration
}

// between asks the hook.
func (c *City) between(from, to, url string) (string, error) {
	if c.o.Hooks.Between == nil {
		return url, nil
	}
	return c.o.Hooks.Between(from, to, url)
}

func (c *City) drain() time.Duration {
	if c.o.Hooks.Drain > 0 {
		return c.o.Hooks.Drain
	}
	return drain
}

// Crash ends a part as a power cut would, at once and without the questions that Kill
// asks. What the collector counted is gone with it, so Verify must not be called
// afterwards.
func (c *City) Crash(name string) error {
	if name == Influxd {
		c.mu.Lock()
		c.influxKilled = true
		c.mu.Unlock()
		c.server().Kill()
		return nil
	}
	p, ok := c.part(name)
	if !ok {
		return fmt.Errorf("no part %s", name)
	}
	p.expected = true
	p.Kill()
	return nil
}

// Pid returns the process of a part; 0 where it was never started.
func (c *City) Pid(name string) int {
	if server := c.server(); name == Influxd && server != nil {
		return server.Pid()
	}
	if p, ok := c.part(name); ok {
		return p.Pid()
	}
	return 0
}

// Signal sends a signal to a part.
func (c *City) Signal(name string, s syscall.Signal) error {
	pid := c.Pid(name)
	if pid == 0 {
		return fmt.Errorf("no part %s", name)
	}
	if err := syscall.Kill(pid, s); err != nil {
		return fmt.Errorf("signal %s to %s: %w", s, name, err)
	}
	return nil
}

// Sample measures a part now, or as it was when it ended.
func (c *City) Sample(name string) (u child.Usage) {
	if server := c.server(); name == Influxd && server != nil {
		return server.Sample()
	}
	if p, ok := c.part(name); ok {
		return p.Sample()
	}
	return u
}

// Twin starts a second collector with the configuration and the keys of the first, and
// a data folder and meters of its own, and returns the process: the copy of a stolen
// card, say.
func (c *City) Twin(ctx context.Context, dataDir string, change func(*collectorconfig.Config)) (*child.Process, error) {
	cfg, err := c.collectorConfig()
	if err != nil {
		return nil, err
	}
	cfg.DataDir, cfg.Counters = dataDir, nil
	change(cfg)
	if err := c.writeYAML("twin.yaml", cfg); err != nil {
		return nil, err
	}
	const name = "twin"
	cmd := exec.Command(c.o.Collector, "run", "-c", c.path("twin.yaml"), "--drain", c.drain().String())
	if _, err := c.start(ctx, name, cmd); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[name]
	delete(c.parts, name)
	return p.Process, nil
}

// Opener opens what the city's collector has sealed.
func (c *City) Opener() (*seal.Opener, error) { return c.spoolOpener() }

// Meter returns a simulated meter, and so whether there is one.
func (c *City) Meter(id schemas.MeterID) (*simulators.Meter, bool) { return c.fleet.Meter(id) }

// Truthful returns a function that returns nil for a reading that is what its meter
// showed, and otherwise what is wrong with it. late is how much longer than usual the
// answer may have lain before the collector looked at it.
func (c *City) Truthful() func(r schemas.Reading, late time.Duration) error {
	plans := c.plans()
	return func(r schemas.Reading, late time.Duration) error {
		return c.fleet.Check(r, plans[r.Meter].window+late)
	}
}

// Suffered asks the simulators what they have made happen, and tells the oracle.
func (c *City) Suffered(ctx context.Context) ([]simulators.Mishap, error) { return c.mishaps(ctx) }

// EachStored calls fn with every reading that the store holds.
func (c *City) EachStored(ctx context.Context, fn func(schemas.Reading) error) error {
	series, err := store.Open(store.Config{URL: c.influx.URL(), Bucket: hubconfig.DefaultBucket, Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer series.Close()
	return series.Each(ctx, time.Time{}, endOfTime(), fn)
}

// EachBooked calls fn with every card entry of the ledger, for a city without a
// register of meters.
func (c *City) EachBooked(ctx context.Context, fn func(*ledger.Entry)) error {
	b, err := books.Open(ctx, c.ledger(), books.Options{Rules: reconcile.DefaultRules(ledger.Calendar{Zone: time.UTC})})
	if err != nil {
		return err
	}
	defer b.Close()
	for offset := int64(0); ; {
		list, total, err := b.UnresolvedEntries(ctx, books.Page{Offset: offset, Limit: 500})
		if err != nil {
			return err
		}
		for n := range list {
			fn(&list[n])
		}
		if offset += int64(len(list)); len(list) == 0 || offset >= total {
			return nil
		}
	}
}

// Events returns every component event that the hub has.
func (c *City) Events(ctx context.Context) ([]desk.EventRecord, error) {
	d, err := c.openDesk(ctx)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	const all = 1_000_000
	return d.Events(ctx, time.Time{}, all)
}

// AuditCases holds the cases of the city against its events, its district, and what the
// simulators made happen.
func (c *City) AuditCases(ctx context.Context, happened []simulators.Mishap) (*GridReport, error) {
	return c.auditGrid(ctx, 0, happened, time.Now())
}

// SpoolRecords asks the running collector how many envelopes of each stream wait for a
// receipt.
func (c *City) SpoolRecords(ctx context.Context) (map[schemas.Stream]uint64, error) {
	var s collector.Summary
	err := get(ctx, c.collectorURL+"/summary", func(body io.Reader) error { return json.NewDecoder(body).Decode(&s) })
	return map[schemas.Stream]uint64{
		schemas.Readings: s.SpoolRecords, schemas.Cards: s.CardSpoolRecords, schemas.Events: s.EventSpoolRecords,
	}, err
}

// Log returns the path of the log of a part.
func (c *City) Log(part string) string { return c.path(part + ".log") }

// Logs returns the logs of all parts that have written one.
func (c *City) Logs() (paths []string) {
	for _, part := range append([]string{"twin"}, order...) {
		if path := c.Log(part); exists(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
