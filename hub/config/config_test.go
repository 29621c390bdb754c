package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"citygrid/schemas/seal"
)

const good = `data_dir: data
listen: 127.0.0.1:8080
master: keys/master.key
passphrase: env:P
enrolment: keys/enrolment.yaml
broker:
  url: tcp://127.0.0.1:1883
  user: hub
  password: file:keys/hub-broker.password
influx:
  url: http://127.0.0.1:8086
`

func TestGood(t *testing.T) {
	c, err := Parse([]byte(good), "/etc/citygrid")
	if err != nil {
		t.Fatal(err)
	}
	if c.Provider != seal.DefaultProvider().Name() || c.Influx.Bucket != DefaultBucket {
		t.Errorf("defaults: provider %q, bucket %q", c.Provider, c.Influx.Bucket)
	}
	for in, want := range map[string]string{"": "", "/a": "/a", "keys/b": "/etc/citygrid/keys/b"} {
		if got := c.Path(in); got != want {
			t.Errorf("Path(%q) = %q, want %q", in, got, want)
		}
	}
	embedded := strings.Replace(good, "url: tcp://127.0.0.1:1883", "listen: 127.0.0.1:1883\n  cert: c.pem\n  key: k.pem", 1)
	if _, err := Parse([]byte(embedded), ""); err != nil {
		t.Errorf("embedded broker: %v", err)
	}
}

// TestErrors changes one line of the good file; each error names its key.
func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "listen:", "lissten:", "line 2: field lissten not found"},
		{"wrong kind", "data_dir: data", "data_dir: [1]", "line 1"},
		{"second document", "influx:", "---\ninflux:", "one YAML document"},
		{"no data_dir", "data_dir: data\n", "", "data_dir: missing"},
		{"no master", "master: keys/master.key\n", "", "master: missing"},
		{"no passphrase", "passphrase: env:P\n", "", "passphrase: missing"},
		{"no enrolment", "enrolment: keys/enrolment.yaml\n", "", "enrolment: missing"},
		{"no listen", "listen: 127.0.0.1:8080\n", "", "listen: "},
		{"listen without port", "127.0.0.1:8080", "127.0.0.1", "listen: "},
		{"bad area", "data_dir:", "areas: [31x]\ndata_dir:", "areas[0]"},
		{"provider", "data_dir:", "provider: openssl\ndata_dir:", "provider: "},
		{"cross check", "data_dir:", "cross_check_every: -1\ndata_dir:", "cross_check_every"},
		{"no broker", "  url: tcp://127.0.0.1:1883\n", "", "either url"},
		{"two brokers", "  user: hub", "  user: hub\n  listen: 127.0.0.1:1", "either url"},
		{"broker without port", "url: tcp://127.0.0.1:1883", "listen: localhost", "broker.listen"},
		{"no user", "  user: hub\n", "", "user and password"},
		{"no password", "  password: file:keys/hub-broker.password\n", "", "user and password"},
		{"cert without key", "  user: hub", "  user: hub\n  cert: a", "both cert and key"},
		{"ca of the embedded broker", "url: tcp://127.0.0.1:1883", "listen: 127.0.0.1:1\n  ca: a", "client_ca"},
		{"no store", "  url: http://127.0.0.1:8086\n", "  bucket: x\n", "influx: "},
		{"two stores", "  url: http://127.0.0.1:8086\n", "  url: http://127.0.0.1:8086\n  bundled: true\n", "influx: "},
		{"store that is no URL", "http://127.0.0.1:8086", "127.0.0.1:8086", "influx.url"},
		{"secret in the URL", "http://127.0.0.1:8086", "http://a:hunter2@127.0.0.1:8086", "influx.token"},
		{"secret in the query", "http://127.0.0.1:8086", "http://127.0.0.1:8086?p=hunter2", "influx.token"},
		{"broker without scheme", "tcp://127.0.0.1:1883", "127.0.0.1:9", "broker.url: want tcp://"},
		{"broker without host", "tcp://127.0.0.1:1883", "tcp://:1883", "broker.url: want tcp://"},
		{"broker by HTTP", "tcp://127.0.0.1:1883", "http://127.0.0.1:1883", "broker.url: want tcp://"},
		{"broker with a path", "tcp://127.0.0.1:1883", "tcp://127.0.0.1:1883/hunter2", "broker.url: want tcp://host:port and nothing else"},
		{"secret for the broker", "tcp://127.0.0.1:1883", "tcp://hub:hunter2@127.0.0.1:1883", "broker.url: holds credentials"},
		{"broken secret for the broker", "tcp://127.0.0.1:1883", "tcp://hub:%zhunter2@127.0.0.1:1883", "broker.url: want tcp://"},
		{"certificates in clear", "  user: hub", "  user: hub\n  ca: a", "broker.url: tcp:// is not encrypted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			if text == good {
				t.Fatal("the row changes nothing")
			}
			c, err := Parse([]byte(text), "")
			if err == nil || !strings.Contains(err.Error(), tt.want) || c != nil {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "nowhere.yaml")); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(path, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "empty") || !strings.Contains(err.Error(), path) {
		t.Errorf("empty file: %v", err)
	}
}

// TestSample keeps the sample that people get valid and whole: every key of the
// format stands in it, commented out where two exclude each other.
func TestSample(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "hub.sample.yaml")
	if _, err := Load(path); err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[Config](), 0) {
		if !regexp.MustCompile(`(?m)^(# ?)?` + key + `:`).Match(sample) {
			t.Errorf("the sample does not show the key %q at its depth", key)
		}
	}
}

// yamlKeys returns the keys of a type and of the types in it, indented.
func yamlKeys(t reflect.Type, depth int) (keys []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
			keys = append(keys, strings.Repeat("  ", depth)+key)
			keys = append(keys, yamlKeys(t.Field(i).Type, depth+1)...)
		}
	}
	return keys
}

// FuzzParse: no text makes Parse panic, and what it takes it can be given again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("areas: [\"310115\"]\ndata_dir: &a x\nmaster: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "/f")
		if (c == nil) == (err == nil) {
			t.Fatalf("%v with error %v", c, err)
		}
		if err == nil && c.check() != nil {
			t.Errorf("accepted, but %v", c.check())
		}
	})
}
