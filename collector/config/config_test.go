package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/schemas"
)

// whole is a file with a value of every kind; the tests below spoil one line.
const whole = `collector: c001
bundle: c001.bundle
data_dir: data
interval: 15m
spread: 10s
provider: tjfoc
broker:
  url: ssl://hub.example.org:8883
  ca: ca.pem
  cert: c.pem
  key: c.key
batch:
  max_readings: 50
  max_age: 1s
spool:
  quota: 64MiB
  commit_every: 20ms
metrics: 127.0.0.1:9100
lines:
  - name: hall
    address: 10.0.0.5:502
    timeout: 2s
    quiet_time: 100ms
    meters:
      - id: P-1
        unit: 1
        profile: eastron-sdm630
        interval: 1m
        limits:
          power.voltage.l1: {min: "180", max: "260", unit: V}
      - id: P-2
        unit: 2
        profile: eastron-sdm630
  - name: cellar
    address: 10.0.0.6:502
    meters:
      - id: W-1
        unit: 1
        profile: eastron-sdm630
`

func TestWhole(t *testing.T) {
	c, err := Parse([]byte(whole), "/etc/citygrid")
	if err != nil {
		t.Fatal(err)
	}
	if c.Interval != Duration(15*time.Minute) || c.Spool.Quota != 64<<20 || c.Provider != "tjfoc" || c.Batch.MaxReadings != 50 {
		t.Errorf("%+v", c)
	}
	if l := c.Lines[0]; l.Timeout != Duration(2*time.Second) || l.Meters[0].Limits["power.voltage.l1"].Max != "260" {
		t.Errorf("%+v", l)
	}
	if l := c.Lines[1]; l.Timeout != defaultTimeout || l.QuietTime != defaultQuietTime {
		t.Errorf("the defaults of a line: %+v", l)
	}
	if c.Path("x") != "/etc/citygrid/x" || c.Path("/x") != "/x" || c.Path("") != "" {
		t.Errorf("paths %q %q %q", c.Path("x"), c.Path("/x"), c.Path(""))
	}
	lines, err := c.BuildLines()
	if err != nil {
		t.Fatal(err)
	}
	m := lines[0].Meters
	if m[0].Interval != time.Minute || m[1].Interval != 15*time.Minute || lines[1].Meters[0].Offset != 5*time.Second || m[0].Offset != 0 {
		t.Errorf("meters %+v", lines)
	}
	limits := m[0].Rules.Limits["power.voltage.l1"]
	if limits.Min.String() != "180" || limits.Max.String() != "260" || len(m[1].Rules.Limits) != 0 {
		t.Errorf("limits %+v", m[0].Rules)
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse([]byte(`{collector: c, bundle: b, data_dir: d, interval: 1s, broker: {url: "tcp://h"},
lines: [{name: a, address: "h:1", meters: [{id: m, unit: 1, profile: eastron-sdm630}]}]}`), ".")
	if err != nil {
		t.Fatal(err)
	}
	if c.Provider != "emmansun" || c.Batch != (Batch{defaultMaxReadings, defaultMaxAge}) || c.Spool != (Spool{Quota: defaultQuota, CommitEvery: defaultCommit, WhenFull: Stop, CardsQuota: 64 << 20, CardsWhenFull: Stop, EventsQuota: 16 << 20, EventsWhenFull: Stop}) {
		t.Errorf("%+v", c)
	}
}

// Every refusal names the line and the place in the file.
func TestRefusals(t *testing.T) {
	tests := []struct{ old, new, want string }{
		// what YAML itself finds
		{whole, "", "the file is empty"},
		{"bundle: c001.bundle", "bundle: a\nbundle: b", "line 3: mapping key \"bundle\" already defined"},
		{"spread: 10s", "spraed: 10s", "line 5: field spraed not found"},
		{"        unit: 2", "        unit: two", "line 32: cannot unmarshal"},
		{"metrics: 127.0.0.1:9100", "metrics: 127.0.0.1:9100\n---", "more than one YAML document"},
		{"interval: 15m", "interval: 15", `line 4: "15" is no duration: write it with its unit`},
		{"  quota: 64MiB", "  quota: 64", `line 16: "64" is no size: write it as`},

		// check
		{"collector: c001", "collector: c 1", "line 1: collector: "},
		{"bundle: c001.bundle", `bundle: ""`, "line 2: bundle: missing; make one with: citygrid keys issue"},
		{"data_dir: data", `data_dir: ""`, "line 3: data_dir: missing"},
		{"data_dir: data\n", "", "line 1: data_dir: missing"},
		{"interval: 15m", "interval: 99ms", "line 4: interval: 99ms is shorter than 100ms"},
		{"interval: 15m", "interval: 744h1ms", "line 4: interval: 744h0m0.001s is longer than 744h0m0s, which is 31 days"},
		{"interval: 15m", "interval: 1.0005s", "line 4: interval: 1.0005s is not a whole number of milliseconds; write 1s"},
		{"interval: 15m", "interval: 100.9ms", "line 4: interval: 100.9ms is not a whole number of milliseconds; write 100ms"},
		{"spread: 10s", "spread: 10.0009s", "line 5: spread: 10.0009s is not a whole number of milliseconds; write 10s"},
		{"spread: 10s", "spread: 15m", "line 5: spread: 15m0s must be shorter than the interval 15m0s"},
		{"spread: 10s", "spread: -1s", "line 5: spread: -1s must be"},
		{"provider: tjfoc", "provider: gm", "line 6: provider: "},
		{"  url: ssl://hub.example.org:8883", `  url: ""`, "line 8: broker.url: want tcp://host:port"},
		{"  url: ssl://hub.example.org:8883", "  url: http://h:80", "line 8: broker.url: want tcp://host:port"},
		{"  url: ssl://hub.example.org:8883", "  url: ssl://", "line 8: broker.url: want tcp://host:port"},
		{"  url: ssl://hub.example.org:8883", "  url: ssl://me:hunter2@h:1", "line 8: broker.url: holds credentials"},
		{"  key: c.key\n", "", "line 8: broker: give both cert and key, or none"},
		{"  max_readings: 50", "  max_readings: 257", "line 13: batch.max_readings: 257 is outside 1..256"},
		{"  max_readings: 50", "  max_readings: -1", "line 13: batch.max_readings: -1 is outside 1..256"},
		{"  max_age: 1s", "  max_age: -1s", "line 14: batch.max_age: must not be negative"},
		{"  quota: 64MiB", "  quota: 1023KiB", "line 16: spool.quota: the quota must be at least 1MiB"},
		{"  commit_every: 20ms", "  commit_every: -20ms", "line 17: spool.commit_every: must not be negative"},
		{"metrics: 127.0.0.1:9100", "metrics: 9100", "line 18: metrics: want host:port"},
		{whole[strings.Index(whole, "lines:"):], "lines: []\n", "line 19: lines: no line to read"},
		{"  - name: hall", `  - name: ""`, `line 20: lines[0].name: "": want a name`},
		{"  - name: cellar", "  - name: hall", `line 34: lines[1].name: "hall": want a name of its own`},
		{"    address: 10.0.0.5:502", "    address: 10.0.0.5", "line 21: lines[0].address: want host:port"},
		{"    address: 10.0.0.6:502", "    address: 10.0.0.5:502", "line 35: lines[1].address: 10.0.0.5:502 is the address of line hall too"},
		{"    timeout: 2s", "    timeout: -2s", "line 22: lines[0].timeout: must not be negative"},
		{"    quiet_time: 100ms", "    quiet_time: -1ms", "line 23: lines[0].quiet_time: must not be negative"},
		{whole[strings.LastIndex(whole, "    meters:"):], "    meters: []\n", "line 36: lines[1].meters: no meter on this line"},
		{"      - id: P-2", "      - id: P 2", "line 31: lines[0].meters[1].id: "},
		{"      - id: W-1", "      - id: P-1", "line 37: lines[1].meters[0].id: meter P-1 stands on line hall already"},
		{"        unit: 2", "        unit: 256", "line 32: lines[0].meters[1].unit: 256 is no Modbus unit id"},
		{"        unit: 2", "        unit: -1", "line 32: lines[0].meters[1].unit: -1 is no Modbus unit id"},
		{"        unit: 2", "        unit: 1", "line 32: lines[0].meters[1].unit: unit 1 with profile eastron-sdm630 is meter P-1 already"},
		{"        interval: 1m", "        interval: 1ms", "line 28: lines[0].meters[0].interval: 1ms is shorter than 100ms"},
		{"        interval: 1m", "        interval: 1m0.0000001s", "line 28: lines[0].meters[0].interval: 1m0.0000001s is not a whole number of milliseconds; write 1m0s"},
		{"        interval: 1m", "        interval: 745h", "line 28: lines[0].meters[0].interval: 745h0m0s is longer than 744h0m0s"},
		{"unit: V}", "unit: kV}", `line 30: lines[0].meters[0].limits.power.voltage.l1: unit "kV" is not the unit`},
		{`"180"`, `"1e"`, "line 30: lines[0].meters[0].limits.power.voltage.l1: decimal"},
		{`"180"`, `"260.1"`, "line 30: lines[0].meters[0].limits.power.voltage.l1: min 260.1 is above max 260"},
		{"          power.voltage.l1:", "          power.voltige.l1:", `line 30: lines[0].meters[0].limits.power.voltige.l1: unknown quantity "power.voltige.l1"`},
	}
	for _, tt := range tests {
		if strings.Count(whole, tt.old) < 1 {
			t.Fatalf("%q is not in the file", tt.old)
		}
		c, err := Parse([]byte(strings.Replace(whole, tt.old, tt.new, 1)), ".")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v (%v), want %q", tt.new, err, c != nil, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is printed: %v", err)
		}
	}
}

// What only the register maps can tell is said by BuildLines, in the same way.
func TestBuildRefusals(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"profile: eastron-sdm630\n        interval", "profile: eastron\n        interval", "line 27: lines[0].meters[0].profile: "},
		{"power.voltage.l1: {min: \"180\", max: \"260\", unit: V}", "water.flow: {max: \"3\"}", "line 30: lines[0].meters[0].limits: profile eastron-sdm630 does not give water.flow"},
		{"metrics: 127.0.0.1:9100", "profiles: [nowhere.yaml]", "line 18: profiles[0]: open "},
	}
	for _, tt := range tests {
		text := strings.Replace(whole, tt.old, tt.new, 1)
		c, err := Parse([]byte(text), t.TempDir())
		if err != nil || text == whole {
			t.Fatalf("%q: %v", tt.new, err)
		}
		if _, err := c.BuildLines(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.new, err, tt.want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "nowhere.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || c.Path(c.Bundle) != filepath.Join(dir, "c001.bundle") {
		t.Errorf("%v, bundle at %s", err, c.Path(c.Bundle))
	}
	if err := os.WriteFile(path, []byte("collector: 1:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

// plain drops what Parse keeps for itself.
func plain(c *Config) Config {
	p := *c
	p.folder, p.nodes, p.warnings = "", yaml.Node{}, nil
	for _, w := range c.warnings {
		_, what, _ := strings.Cut(w, ": ") // the line may be another
		p.warnings = append(p.warnings, what)
	}
	return p
}

// checkRoundTrip writes c and expects to read the same.
func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text, c.folder)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !reflect.DeepEqual(plain(c), plain(again)) {
		t.Errorf("%+v\nis read as\n%+v", plain(c), plain(again))
	}
}

// The demo writes its collector's file with yaml.Marshal.
func TestMarshalledConfigurationIsAccepted(t *testing.T) {
	c, err := Parse([]byte(whole), ".")
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, c)

	least := &Config{
		Collector: "c001", Bundle: "/b", DataDir: "/d", Interval: Duration(250 * time.Millisecond),
		Broker: Broker{URL: "tcp://127.0.0.1:1883"},
		Lines:  []Line{{Name: "0x1", Address: "127.0.0.1:1", Meters: []Meter{{ID: "0123", Unit: 0, Profile: "p"}, {ID: "1e3", Unit: 255, Profile: "p"}}}},
	}
	text, err := yaml.Marshal(least)
	if err != nil {
		t.Fatal(err)
	}
	c, err = Parse(text, ".")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c.Lines[0].Name != "0x1" || c.Lines[0].Meters[0].ID != "0123" || c.Lines[0].Meters[1].ID != "1e3" {
		t.Errorf("ids that look like numbers: %+v", c.Lines[0])
	}
	checkRoundTrip(t, c)
}

func TestSizes(t *testing.T) {
	tests := []struct {
		text string
		want Size
	}{
		{"0B", 0}, {"1B", 1}, {"1KB", 1000}, {"1KiB", 1024}, {"3MB", 3e6}, {"512MiB", 512 << 20}, {"2GB", 2e9},
		{"2GiB", 2 << 30}, {`"4 MiB"`, 4 << 20}, {"4294967296GiB", 1 << 62},
		{"4294967297GiB", -1}, {"9223372036854775808B", -1}, {"-1MiB", -1}, {"1.5GiB", -1}, {"512", -1}, {"MiB", -1},
		{"1mib", -1}, {"1TiB", -1}, {`""`, -1}, {"[1MiB]", -1}, {"0x10B", -1}, {"null", 0},
	}
	for _, tt := range tests {
		var s Size
		err := yaml.Unmarshal([]byte(tt.text), &s)
		if (err != nil) != (tt.want < 0) || err == nil && s != tt.want {
			t.Errorf("size %s is read as %d, %v; want %d", tt.text, s, err, tt.want)
		}
	}
	for _, s := range []Size{0, 1, 1023, 1024, 1025, 1 << 20, 5 << 30, 1<<62 + 1 - 1<<30, math.MaxInt32} {
		text, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again Size
		if err := yaml.Unmarshal(text, &again); err != nil || again != s {
			t.Errorf("%d is written as %s and read as %d, %v", s, text, again, err)
		}
	}
}

func TestDurations(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"250ms", 250 * time.Millisecond, true}, {"15m", 15 * time.Minute, true}, {"1h30m", 90 * time.Minute, true},
		{"1.5s", 1500 * time.Millisecond, true}, {"0", 0, true}, {"-1s", -time.Second, true},
		{"15", 0, false}, {"15 m", 0, false}, {"1d", 0, false}, {"[1s]", 0, false}, {`""`, 0, false},
	}
	for _, tt := range tests {
		var d Duration
		err := yaml.Unmarshal([]byte(tt.text), &d)
		if (err == nil) != tt.ok || tt.ok && d != Duration(tt.want) {
			t.Errorf("duration %s is read as %s, %v; want %s", tt.text, d, err, tt.want)
		}
		if tt.ok {
			text, err := yaml.Marshal(Duration(tt.want))
			if got := strings.TrimSpace(string(text)); err != nil || got != tt.want.String() {
				t.Errorf("%s is written as %q, %v", tt.want, got, err)
			}
		}
	}
}

// FuzzParse: no text makes Parse panic, and what it accepts is written and
// read again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(field))
	f.Add([]byte("{}"))
	f.Add([]byte("null"))
	f.Add([]byte("- a"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("lines: &l\n  - meters: [{limits: {power.active: {min: 1}}}]\nbroker: *l"))
	f.Add([]byte("<<: {collector: c}\nlines: [{}]"))
	f.Add([]byte(fmt.Sprintf("collector: %s", strings.Repeat("x", schemas.MaxVersion))))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, ".")
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		checkRoundTrip(t, c)
	})
}
