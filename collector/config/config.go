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
	Provider string `yaml:"provider,omitempty"`
	Broker   Broker `yaml:"broker"`
	Batch    Batch  `yaml:"batch,omitempty"`
	Spool    Spool  `yaml:"spool,omitempty"`
	Events   Events `yaml:"events,omitempty"`
	Metrics  string `yaml:"metrics,omitempty"`
	// Profiles are files beside the built-in ones.
	Profiles []ProfileFile `yaml:"profiles,omitempty"`
	// Counters are the points of sale beside this collector.
	Counters []Counter `yaml:"counters,omitempty"`
	Lines    []Line    `yaml:"lines"`
	folder   string    // of the file, for relative paths
	nodes    yaml.Node // the parsed file, for line numbers in errors
	warnings []string
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

// The defaults, in one place.
const (
	defaultTimeout = Duration(time.Second)
	// defaultQuietTime is for Modbus TCP, where an answer names its request. On
	// any other line a late answer must not be taken for the next one, and the
	// quiet time is the timeout.
	defaultQuietTime   = Duration(200 * time.Millisecond)
	defaultMaxReadings = 100
	defaultMaxAge      = Duration(250 * time.Millisecond)
	defaultQuota       = Size(512 << 20)
	defaultCardsQuota  = Size(64 << 20)
	defaultEventsQuota = Size(16 << 20)
	defaultCardsEvery  = Duration(15 * time.Minute)
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
// taken from folder. It opens no file, no port and no socket; where a device's
// path leads is looked up, because two paths may be one port.
func Parse(data []byte, folder string) (*Config, error) {
	c := &Config{folder: folder}
	if err := strictyaml.Decode(data, c); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(data, &c.nodes); err != nil {
		return nil, err
	}
	c.applyDefaults()
	if err := c.check(); err != nil {
		return c, err
	}
	c.warn()
	return c, nil
}

// errOpenMetrics is a warning and no error: the centre fetches the metrics of boxes on a
// network of their own. They hold counters and the ids of meters, no values and no keys.
var errOpenMetrics = errors.New("whoever reaches this address reads the counters and the ids of the meters, in clear: " +
	"use 127.0.0.1, or let the firewall admit the centre alone")

// Warnings says what works and yet should not stay so, one line for the
// operator each.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

func (c *Config) applyDefaults() {
	orDefault(&c.Provider, seal.DefaultProvider().Name())
	orDefault(&c.Batch.MaxReadings, defaultMaxReadings)
	orDefault(&c.Batch.MaxAge, defaultMaxAge)
	orDefault(&c.Spool.Quota, defaultQuota)
	orDefault(&c.Spool.CommitEvery, defaultCommit)
	orDefault(&c.Spool.CardsQuota, defaultCardsQuota)
	orDefault(&c.Spool.EventsQuota, defaultEventsQuota)
	orDefault(&c.Spool.WhenFull, Stop)
	orDefault(&c.Spool.CardsWhenFull, Stop)
	orDefault(&c.Spool.EventsWhenFull, Stop)
	orDefault(&c.Events.Zone, defaultZone)
	for i := range c.Lines {
		c.Lines[i].applyDefaults()
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

// has reports whether the file gives a value there.
func (c *Config) has(path ...any) bool {
	n := &c.nodes
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	for _, step := range path {
		if n = child(n, step); n == nil {
			return false
		}
	}
	return n.ShortTag() != "!!null"
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		if n.Kind == yaml.MappingNode {
			return entry(n, s)
		}
	}
	return nil
}

// entry finds a key of a mapping, its own before those that it merges in (<<).
func entry(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		merged := []*yaml.Node{n.Content[i+1]}
		if merged[0].Kind == yaml.SequenceNode {
			merged = merged[0].Content
		}
		for _, m := range merged {
			if found := child(m, key); found != nil {
				return found
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
	if err := c.Interval.checkInterval(); err != nil {
		return c.at(err, "interval")
	}
	if c.Spread < 0 || c.Spread >= c.Interval {
		return c.at(fmt.Errorf("%s must be shorter than the interval %s", c.Spread, c.Interval), "spread")
	}
	if err := c.Spread.checkWhole(); err != nil {
		return c.at(err, "spread")
	}
	if _, err := seal.ProviderByName(c.Provider); err != nil {
		return c.at(err, "provider")
	}
	if err := c.checkBroker(); err != nil {
		return err
	}
	if err := c.checkCounters(); err != nil {
		return err
	}
	if n := c.Batch.MaxReadings; n < 1 || n > schemas.MaxReadings {
		return c.at(fmt.Errorf("%d is outside 1..%d", n, schemas.MaxReadings), "batch", "max_readings")
	}
	if c.Batch.MaxAge < 0 {
		return c.at(errNegative, "batch", "max_age")
	}
	if err := c.Spool.check(c); err != nil {
		return err
	}
	if c.Metrics != "" {
		host, _, err := net.SplitHostPort(c.Metrics)
		if err != nil {
			return c.at(fmt.Errorf("want host:port: %w", err), "metrics")
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			c.warnings = append(c.warnings, c.at(errOpenMetrics, "metrics").Error())
		}
	}
	if err := c.checkProfiles(); err != nil {
		return err
	}
	if err := c.checkLines(); err != nil {
		return err
	}
	return c.checkEvents()
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
