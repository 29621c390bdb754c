// Package config is the collector's configuration file: its YAML form, the
// checks that need no socket, and the lines that it describes.
//
// The file is strict: an unknown key is refused with its line number, and
// everything that can be known to be wrong is said before the first socket is
// opened (`collector check`).
package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Config is the file. Durations are written "1s", "15m"; sizes "512MiB".
type Config struct {
	// Collector must equal the id in the key bundle.
	Collector schemas.CollectorID `yaml:"collector"`
	// Bundle is the file that `citygrid keys issue` made for this collector.
	// A relative path is taken from the configuration file's folder.
	Bundle string `yaml:"bundle"`
	// DataDir holds the spool and the boot counter.
	DataDir string `yaml:"data_dir"`
	// Interval is the default time between two reads of a meter.
	Interval Duration `yaml:"interval"`
	// Spread shifts the lines' slots against each other, up to this much, so
	// that they do not all start at once. It must be shorter than Interval.
	Spread Duration `yaml:"spread,omitempty"`
	// Provider is the SM4 implementation: emmansun (default) or tjfoc.
	Provider string    `yaml:"provider,omitempty"`
	Broker   Broker    `yaml:"broker"`
	Batch    Batch     `yaml:"batch,omitempty"`
	Spool    Spool     `yaml:"spool,omitempty"`
	Metrics  string    `yaml:"metrics,omitempty"`
	Profiles []string  `yaml:"profiles,omitempty"`
	Lines    []Line    `yaml:"lines"`
	folder   string    // of the file, for relative paths
	nodes    yaml.Node // the parsed file, for line numbers in errors
}

// Broker says where the MQTT broker is. User and password come from the bundle.
type Broker struct {
	// URL is tcp://host:port or ssl://host:port.
	URL string `yaml:"url"`
	// CA, Cert and Key are PEM files for TLS.
	CA   string `yaml:"ca,omitempty"`
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
}

// Batch bounds what is sealed at once.
type Batch struct {
	MaxReadings int      `yaml:"max_readings,omitempty"`
	MaxAge      Duration `yaml:"max_age,omitempty"`
}

// Spool bounds the durable queue.
type Spool struct {
	Quota       Size     `yaml:"quota,omitempty"`
	CommitEvery Duration `yaml:"commit_every,omitempty"`
}

// Line is one Modbus TCP endpoint: a meter, or a gateway with many unit ids.
type Line struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"`
	// Timeout bounds the wait for one answer; QuietTime is the pause after an
	// error that closed the connection.
	Timeout   Duration `yaml:"timeout,omitempty"`
	QuietTime Duration `yaml:"quiet_time,omitempty"`
	// NoTransactionID is for gateways that do not echo the transaction id.
	NoTransactionID bool    `yaml:"no_transaction_id,omitempty"`
	Meters          []Meter `yaml:"meters"`
}

// Meter is one meter on a line.
type Meter struct {
	ID      schemas.MeterID `yaml:"id"`
	Unit    int             `yaml:"unit"`
	Profile string          `yaml:"profile"`
	// Interval overrides the default for this meter.
	Interval Duration `yaml:"interval,omitempty"`
	// Limits narrow the plausible range by quantity, in the quantity's unit.
	Limits map[schemas.Quantity]Limit `yaml:"limits,omitempty"`
}

// Limit is a range of plausible values; an empty bound is not checked.
type Limit struct {
	Min string `yaml:"min,omitempty"`
	Max string `yaml:"max,omitempty"`
	// Unit, when given, must be the quantity's unit; it guards against a bound
	// thought of in another one.
	Unit schemas.Unit `yaml:"unit,omitempty"`
}

// The defaults, in one place.
const (
	defaultTimeout     = Duration(time.Second)
	defaultQuietTime   = Duration(200 * time.Millisecond)
	defaultMaxReadings = 100
	defaultMaxAge      = Duration(250 * time.Millisecond)
	defaultQuota       = Size(512 << 20)
	defaultCommit      = Duration(100 * time.Millisecond)
)

// Load reads and checks the file at path.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

// Parse reads and checks the text of a configuration whose relative paths are
// taken from folder. It opens no file and no socket.
func Parse(data []byte, folder string) (*Config, error) {
	c := &Config{folder: folder}
	if err := strictyaml.Decode(data, c); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(data, &c.nodes); err != nil {
		return nil, err
	}
	c.applyDefaults()
	return c, c.check()
}

func (c *Config) applyDefaults() {
	orDefault(&c.Provider, seal.DefaultProvider().Name())
	orDefault(&c.Batch.MaxReadings, defaultMaxReadings)
	orDefault(&c.Batch.MaxAge, defaultMaxAge)
	orDefault(&c.Spool.Quota, defaultQuota)
	orDefault(&c.Spool.CommitEvery, defaultCommit)
	for i := range c.Lines {
		orDefault(&c.Lines[i].Timeout, defaultTimeout)
		orDefault(&c.Lines[i].QuietTime, defaultQuietTime)
	}
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Path returns p, taken from the configuration file's folder when relative.
func (c *Config) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.folder, p)
}

// at wraps err with where in the file the value stands.
func (c *Config) at(err error, path ...any) error {
	where := ""
	n := &c.nodes
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	for _, step := range path {
		next := child(n, step)
		switch s := step.(type) {
		case string:
			if where != "" {
				where += "."
			}
			where += s
		case int:
			where += fmt.Sprintf("[%d]", s)
		}
		if next != nil {
			n = next
		}
	}
	return fmt.Errorf("line %d: %s: %w", n.Line, where, err)
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == s {
					return n.Content[i+1]
				}
			}
		}
	}
	return nil
}

// check reports the first value that cannot work, with its line.
func (c *Config) check() error {
	if err := c.Collector.Validate(); err != nil {
		return c.at(err, "collector")
	}
	if c.Bundle == "" {
		return c.at(errors.New("missing; make one with: citygrid keys issue"), "bundle")
	}
	if c.DataDir == "" {
		return c.at(errors.New("missing: the folder for the spool"), "data_dir")
	}
	if c.Interval < Duration(100*time.Millisecond) {
		return c.at(fmt.Errorf("%s is shorter than 100ms", c.Interval), "interval")
	}
	if c.Spread < 0 || c.Spread >= c.Interval {
		return c.at(fmt.Errorf("%s must be shorter than the interval %s", c.Spread, c.Interval), "spread")
	}
	if _, err := seal.ProviderByName(c.Provider); err != nil {
		return c.at(err, "provider")
	}
	if err := c.checkBroker(); err != nil {
		return err
	}
	if n := c.Batch.MaxReadings; n < 1 || n > schemas.MaxReadings {
		return c.at(fmt.Errorf("%d is outside 1..%d", n, schemas.MaxReadings), "batch", "max_readings")
	}
	if c.Batch.MaxAge < 0 {
		return c.at(errNegative, "batch", "max_age")
	}
	if c.Spool.CommitEvery < 0 {
		return c.at(errNegative, "spool", "commit_every")
	}
	if c.Spool.Quota < 1<<20 {
		return c.at(errors.New("the quota must be at least 1MiB"), "spool", "quota")
	}
	if c.Metrics != "" {
		if _, _, err := net.SplitHostPort(c.Metrics); err != nil {
			return c.at(fmt.Errorf("want host:port: %w", err), "metrics")
		}
	}
	return c.checkLines()
}

var errNegative = errors.New("must not be negative")

// checkBroker finds what every broker connection would fail on; the rest is
// said when the connection is made.
func (c *Config) checkBroker() error {
	u, err := url.Parse(c.Broker.URL)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"tcp", "mqtt", "ssl", "tls", "mqtts"}, u.Scheme) {
		// The text is not repeated: somebody may have put a password there.
		return c.at(errors.New("want tcp://host:port or ssl://host:port"), "broker", "url")
	}
	if u.User != nil {
		return c.at(errors.New("holds credentials; user and password come from the bundle"), "broker", "url")
	}
	if (c.Broker.Cert == "") != (c.Broker.Key == "") {
		return c.at(errors.New("give both cert and key, or none"), "broker")
	}
	return nil
}

func (c *Config) checkLines() error {
	if len(c.Lines) == 0 {
		return c.at(errors.New("no line to read"), "lines")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	meters := map[schemas.MeterID]string{}
	for i, l := range c.Lines {
		if l.Name == "" || names[l.Name] {
			return c.at(fmt.Errorf("%q: want a name of its own for each line", l.Name), "lines", i, "name")
		}
		names[l.Name] = true
		if _, _, err := net.SplitHostPort(l.Address); err != nil {
			return c.at(fmt.Errorf("want host:port: %w", err), "lines", i, "address")
		}
		if other, ok := addresses[l.Address]; ok {
			return c.at(fmt.Errorf("%s is the address of line %s too; one line is one owner: put the meters under one", l.Address, other), "lines", i, "address")
		}
		addresses[l.Address] = l.Name
		if l.Timeout < 0 {
			return c.at(errNegative, "lines", i, "timeout")
		}
		if l.QuietTime < 0 {
			return c.at(errNegative, "lines", i, "quiet_time")
		}
		if len(l.Meters) == 0 {
			return c.at(errors.New("no meter on this line"), "lines", i, "meters")
		}
		for j, m := range l.Meters {
			if err := c.checkMeter(i, j, m); err != nil {
				return err
			}
			if line, ok := meters[m.ID]; ok {
				return c.at(fmt.Errorf("meter %s stands on line %s already", m.ID, line), "lines", i, "meters", j, "id")
			}
			meters[m.ID] = l.Name
		}
		if err := c.checkUnits(i, l); err != nil {
			return err
		}
	}
	return nil
}

// checkUnits refuses two meters that are the same registers: the readings of
// one would be stored under the name of the other. One unit may be several
// meters by different profiles.
func (c *Config) checkUnits(i int, l Line) error {
	type place struct {
		unit    int
		profile string
	}
	meters := make(map[place]schemas.MeterID)
	for j, m := range l.Meters {
		p := place{m.Unit, m.Profile}
		if other, ok := meters[p]; ok {
			return c.at(fmt.Errorf("unit %d with profile %s is meter %s already", m.Unit, m.Profile, other), "lines", i, "meters", j, "unit")
		}
		meters[p] = m.ID
	}
	return nil
}

func (c *Config) checkMeter(i, j int, m Meter) error {
	if err := m.ID.Validate(); err != nil {
		return c.at(err, "lines", i, "meters", j, "id")
	}
	if m.Unit < 0 || m.Unit > 255 {
		return c.at(fmt.Errorf("%d is no Modbus unit id: want 0 to 255", m.Unit), "lines", i, "meters", j, "unit")
	}
	if m.Interval != 0 && m.Interval < Duration(100*time.Millisecond) {
		return c.at(fmt.Errorf("%s is shorter than 100ms", m.Interval), "lines", i, "meters", j, "interval")
	}
	for _, q := range slices.Sorted(maps.Keys(m.Limits)) {
		if _, err := m.Limits[q].parse(q); err != nil {
			return c.at(err, "lines", i, "meters", j, "limits", string(q))
		}
	}
	return nil
}
