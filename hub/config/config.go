// Package config is the hub's configuration file: its YAML form and the checks
// that need no socket. Unknown keys are refused with their line number.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Config is the file. Relative paths are taken from the file's folder.
type Config struct {
	// Areas are the areas that this hub serves; none means all.
	Areas []schemas.AreaCode `yaml:"areas,omitempty"`
	// DataDir holds the replay state, the dead letters and, where they are
	// embedded or bundled, the broker's and the store's files.
	DataDir string `yaml:"data_dir"`
	// Listen is the address of the pages and the API.
	Listen string `yaml:"listen"`
	// TLS is its certificate. Without it Listen is an address of this machine, or
	// BehindProxy says that a proxy in front encrypts.
	TLS         TLS  `yaml:"tls,omitempty"`
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
	// Limits is optional.
	Limits Limits `yaml:"limits,omitempty"`
	// Master is where the master keys come from. For the sealed file of
	// `citygrid keys init` Passphrase says where its passphrase is: fd:N,
	// file:PATH or env:NAME.
	Master     Master `yaml:"master"`
	Passphrase string `yaml:"passphrase,omitempty"`
	// Enrolment is the list of collectors that `citygrid keys issue` keeps.
	Enrolment string `yaml:"enrolment"`
	// Installations is the file of the meters' installation records, from which
	// consumption is computed over swaps (LoadInstallations); empty for none.
	Installations string `yaml:"installations,omitempty"`
	// Codes is the folder of the city's own code lists, which `citygrid codes import`
	// writes; empty for the program's lists alone.
	Codes string `yaml:"codes,omitempty"`
	// Provider is the SM4 implementation: emmansun (default) or tjfoc.
	Provider string `yaml:"provider,omitempty"`
	// CrossCheckEvery opens one of so many messages with both implementations;
	// 0 never.
	CrossCheckEvery int    `yaml:"cross_check_every,omitempty"`
	Broker          Broker `yaml:"broker"`
	Influx          Influx `yaml:"influx"`
	// Ledger is optional.
	Ledger Ledger `yaml:"ledger,omitempty"`
	// Grid is optional.
	Grid Grid `yaml:"grid,omitempty"`
	// Accounts is optional.
	Accounts Accounts `yaml:"accounts,omitempty"`
	// Map is optional.
	Map Map `yaml:"map,omitempty"`

	folder string
}

// Broker is an outside broker (URL), or the embedded one (Listen).
type Broker struct {
	// URL is tcp://host:port or ssl://host:port of an outside broker.
	URL string `yaml:"url,omitempty"`
	// Listen is host:port on which the embedded broker takes collectors.
	Listen string `yaml:"listen,omitempty"`
	// User is the hub's user; Password says where its password is: fd:N,
	// file:PATH or env:NAME.
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	// CA, Cert and Key are PEM files. For an outside broker CA holds the
	// authorities that may sign its certificate, and Cert and Key are the
	// hub's own where the broker wants them. For the embedded broker Cert and
	// Key are the broker's; without them it talks in clear.
	CA   string `yaml:"ca,omitempty"`
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
	// ClientCA holds the authorities of the clients' certificates, which the embedded
	// broker then asks for in place of passwords; CRL is the list of revoked ones.
	ClientCA string `yaml:"client_ca,omitempty"`
	CRL      string `yaml:"crl,omitempty"`
	// BehindProxy says that a proxy in front of the embedded broker encrypts.
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
}

// Influx is the series store: an InfluxDB 1.x or 2.x by URL, or the bundled
// one, which is for demonstrations and tests.
type Influx struct {
	Bundled bool   `yaml:"bundled,omitempty"`
	URL     string `yaml:"url,omitempty"`
	Org     string `yaml:"org,omitempty"`
	Bucket  string `yaml:"bucket,omitempty"`
	// Token says where the token is: file:PATH or env:NAME; empty for none.
	Token string `yaml:"token,omitempty"`
	// CA holds the authorities that may sign the certificate of an https URL; empty:
	// the system's.
	CA string `yaml:"ca,omitempty"`
	// Backup is host:port of the RPC service of an InfluxDB 1.8, through which citygrid
	// backup copies it. Whoever reaches it can do that too: keep it on the loopback.
	Backup string `yaml:"backup,omitempty"`
}

// DefaultBucket is the database or bucket when the file names none.
const DefaultBucket = "citygrid"

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

// Parse reads and checks the text of a configuration.
func Parse(data []byte, folder string) (*Config, error) {
	c := &Config{folder: folder}
	if err := strictyaml.Decode(data, c); err != nil {
		return nil, err
	}
	if c.Provider == "" {
		c.Provider = seal.DefaultProvider().Name()
	}
	if c.Influx.Bucket == "" {
		c.Influx.Bucket = DefaultBucket
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Path returns p, taken from the configuration file's folder when relative.
func (c *Config) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.folder, p)
}

// check reports every value that cannot work.
func (c *Config) check() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for i, a := range c.Areas {
		if err := a.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("areas[%d]: %w", i, err))
		}
	}
	need(c.DataDir != "", "data_dir: missing: the folder for the hub's state")
	need(c.Enrolment != "", "enrolment: missing: the list that citygrid keys issue keeps")
	need(validAddress(c.Listen), "listen: %q: want host:port, such as 127.0.0.1:8080", c.Listen)
	_, err := seal.ProviderByName(c.Provider)
	need(err == nil, "provider: %w", err)
	need(c.CrossCheckEvery >= 0, "cross_check_every: must not be negative")
	need((c.Broker.URL == "") != (c.Broker.Listen == ""), "broker: give either url (an outside broker) or listen (the embedded one)")
	need(c.Broker.Listen == "" || validAddress(c.Broker.Listen), "broker.listen: %q: want host:port", c.Broker.Listen)
	if c.Broker.URL != "" {
		err := c.Broker.checkURL()
		need(err == nil, "broker.url: %w", err)
	}
	need((c.Broker.Cert == "") == (c.Broker.Key == ""), "broker: give both cert and key, or none")
	need(c.Broker.Listen == "" || c.Broker.CA == "", "broker.ca: that is for an outside broker; the authority of the clients of the embedded one is client_ca")
	need(c.Broker.ClientCA == "" || c.Broker.Listen != "" && c.Broker.Cert != "", "broker.client_ca: that is for the embedded broker with its cert and key")
	need(c.Broker.CRL == "" || c.Broker.ClientCA != "", "broker.crl: the list of revoked certificates needs client_ca")
	need(c.Influx.CA == "" || strings.HasPrefix(c.Influx.URL, "https://"), "influx.ca: the url is not https://")
	need(c.Broker.User != "" && c.Broker.Password != "", "broker: user and password are missing: citygrid keys init makes them for the hub")
	need(c.Influx.Bundled == (c.Influx.URL == ""), "influx: give either url, or bundled: true")
	need(c.Influx.URL == "" || validURL(c.Influx.URL), "influx.url: want http://host:port or https://host:port and nothing else; credentials belong where influx.token says")
	errs = append(errs, c.Master.check(c.Passphrase), c.checkListen(), c.Ledger.check(), c.Grid.check(), c.Accounts.check(), c.Map.check())
	return errors.Join(errs...)
}

// checkURL finds what every connection to an outside broker would fail on. Its
// errors do not repeat the text: somebody may have put a password there.
func (b Broker) checkURL() error {
	u, err := url.Parse(b.URL)
	encrypted := err == nil && slices.Contains([]string{"ssl", "tls", "mqtts"}, u.Scheme)
	switch {
	case err != nil || u.Hostname() == "" || !encrypted && u.Scheme != "tcp" && u.Scheme != "mqtt":
		return errors.New("want tcp://host:port or ssl://host:port")
	case u.User != nil:
		return errors.New("holds credentials; give broker.user and broker.password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return fmt.Errorf("want %s://host:port and nothing else", u.Scheme)
	case !encrypted && (b.CA != "" || b.Cert != ""):
		return fmt.Errorf("%s:// is not encrypted although certificates are given: use ssl://", u.Scheme)
	}
	return nil
}

// validURL accepts no place where a secret could stand. Errors about the URL
// must not repeat it.
func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func validAddress(a string) bool {
	_, _, err := net.SplitHostPort(a)
	return err == nil
}
