package influxd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
)

// configText is the whole configuration. The RPC port (backup) cannot be
// switched off in 1.8: without Options.Backup it gets a free port of the loopback interface. The
// limits on series and tag values drop points silently when they are reached,
// so they are off. wal-fsync-delay 0s: a write is acknowledged after its fsync.
// Names and defaults: `influxd config` of InfluxDB 1.8.10.
const configText = `reporting-disabled = true
bind-address = {{.Backup}}

[meta]
  dir = {{.Meta}}
  logging-enabled = false

[data]
  dir = {{.Data}}
  wal-dir = {{.WAL}}
  index-version = "tsi1"
  wal-fsync-delay = "0s"
  query-log-enabled = false
  max-series-per-database = 0
  max-values-per-tag = 0

[monitor]
  store-enabled = false

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[http]
  enabled = true
  bind-address = {{.Address}}
  auth-enabled = {{.Auth}}
  log-enabled = false
  pprof-enabled = false

[logging]
  format = "logfmt"
  level = "info"
  suppress-logo = true
`

// writeConfig creates o.Dir and the configuration file in it.
func writeConfig(o Options) (path string, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return "", fmt.Errorf("create its folder: %w; choose a folder that can be written", err)
	}
	t, err := template.New("influxd.conf").Parse(configText)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]any{
		"Meta":    quote(filepath.Join(o.Dir, "meta")),
		"Data":    quote(filepath.Join(o.Dir, "data")),
		"WAL":     quote(filepath.Join(o.Dir, "wal")),
		"Address": quote(net.JoinHostPort(o.Host, strconv.Itoa(o.Port))),
		"Auth":    o.User != "",
		"Backup":  quote(o.Backup),
	})
	if err != nil {
		return "", err
	}
	path = filepath.Join(o.Dir, "influxd.conf")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("write its configuration: %w; choose a folder that can be written", err)
	}
	return path, nil
}

// quote writes s as a TOML basic string, whose escapes JSON shares.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return `""`
	}
	return string(b)
}
