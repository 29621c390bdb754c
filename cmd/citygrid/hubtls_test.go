package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/internal/certs"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// TestHubByTLSAlone runs a hub as a first installation does: pages by HTTPS, the embedded
// broker with client certificates, all from citygrid certs. A certificate that is revoked
// ends its link on SIGHUP, and a renewed one of the pages is shown from then on.
func TestHubByTLSAlone(t *testing.T) {
	dir, broker := t.TempDir(), freePort(t)
	folder, pass := certs.Folder(filepath.Join(dir, "ca")), secret.New(testPassphrase)
	if err := folder.Init("Example City", pass, time.Now()); err != nil {
		t.Fatal(err)
	}
	issue := func(kind certs.Kind, name string) certs.Issued {
		t.Helper()
		out, err := folder.Issue(pass, certs.Request{Kind: kind, Name: name, Days: 100}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	server, c1 := issue(certs.Server, "127.0.0.1"), issue(certs.Collector, "c1")
	path := hubFile(t, dir, broker, "http://127.0.0.1:1")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("user: hub"), []byte("user: hub, cert: ca/servers/127.0.0.1.crt, key: ca/servers/127.0.0.1.key, client_ca: ca/ca.crt, crl: ca/crl.pem"), 1)
	text = append(text, "tls: {cert: ca/servers/127.0.0.1.crt, key: ca/servers/127.0.0.1.key}\n"...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ready, stop := startCommand(t, "hub", "-c", path)
	if !strings.HasPrefix(ready.URL, "https://") {
		t.Fatalf("URL %s", ready.URL)
	}
	pages := func() (serial string) {
		t.Helper()
		client := trustingClient(t, folder)
		defer client.CloseIdleConnections()
		answer, err := client.Get(ready.URL + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" || answer.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s, %v", answer.Status, answer.Header)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.Text(16)
	}
	if got := pages(); got != server.Serial {
		t.Errorf("the pages show %s, want %s", got, server.Serial)
	}
	cfg, err := mqttlink.LoadTLS(folder.CA(), c1.Cert, c1.Key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.GetClientCertificate = nil // its files are set aside when it is revoked
	link := startUser(t, "ssl://"+broker, "c1", secret.Secret{}, cfg)
	before := link.session(t)

	if _, err := folder.Revoke(pass, certs.Collector, "c1", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	renewed, err := folder.Renew(pass, certs.Request{Kind: certs.Server, Name: "127.0.0.1", Days: 50}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-before.Done():
	case <-time.After(patience):
		t.Fatal("a revoked collector stays connected")
	}
	select {
	case err := <-link.down:
		if !strings.Contains(err.Error(), "revoked") && !strings.Contains(err.Error(), "closed the connection") {
			t.Errorf("%v", err)
		}
	case <-time.After(patience):
		t.Fatal("a revoked collector is let in again")
	}
	if got := pages(); got != renewed.Serial {
		t.Errorf("after SIGHUP the pages show %s, want %s", got, renewed.Serial)
	}
	stop()
}

func trustingClient(t *testing.T, folder certs.Folder) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(folder.CA())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// TestHubRefusesEmptySecrets: every secret that a hub is told to read must be there.
func TestHubRefusesEmptySecrets(t *testing.T) {
	for _, what := range []string{"passphrase", "broker.password", "influx.token"} {
		dir := t.TempDir()
		path := hubFile(t, dir, "127.0.0.1:0", "http://127.0.0.1:1\", token: \"file:token")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`\"`), []byte(`"`))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"passphrase": "pass", "broker.password": "keys/hub-broker.password", "influx.token": "token"}
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, files[what]), []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newHubProgram(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("an empty %s: %v", what, err)
		}
	}
}

// TestBrokerInClearStaysHere: the broker alone refuses an address of the network in clear,
// and says the three ways out.
func TestBrokerInClearStaysHere(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := copyKeys(keys); err != nil {
		t.Fatal(err)
	}
	p := brokerProgram{listen: "0.0.0.0:0", dir: t.TempDir(), enrolled: filepath.Join(keys, "enrolment.yaml")}
	if _, err := p.options(); err == nil || !strings.Contains(err.Error(), "--behind-proxy") || !strings.Contains(err.Error(), "--cert and --key") || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v", err)
	}
	p.behindProxy = true
	if _, err := p.options(); err != nil {
		t.Errorf("behind a proxy: %v", err)
	}
}

// TestStoreByTLS13: the hub asks an InfluxDB by https over TLS 1.3, and by the city's own
// authority where the configuration names it.
func TestStoreByTLS13(t *testing.T) {
	cfg := &config.Config{}
	if got, err := storeTLS(cfg); err != nil || got.MinVersion != tls.VersionTLS13 {
		t.Errorf("%+v, %v", got, err)
	}
	cfg.Influx.CA = filepath.Join(t.TempDir(), "absent")
	if _, err := storeTLS(cfg); err == nil || !strings.Contains(err.Error(), "influx.ca") {
		t.Errorf("%v", err)
	}
}

// TestSpoolsDropped: what the collectors' statuses tell is a metric of the hub.
func TestSpoolsDropped(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	live, reg := api.NewLive(func() time.Time { return now }), prometheus.NewRegistry()
	registerSpools(reg, live)
	now = now.Add(time.Hour)
	for id, n := range map[schemas.CollectorID]uint64{"c-1": 7, "c-2": 5, "c-3": 0} {
		live.CollectorStatus(schemas.Status{Collector: id, At: now, StartedAt: now.Add(-time.Minute), SpoolDropped: n})
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "citygrid_spools_dropped_total" || families[0].GetMetric()[0].GetCounter().GetValue() != 12 {
		t.Errorf("%v, %v", families, err)
	}
}

// TestEnding: collectors whose certificate ends soon are counted, by what they tell.
func TestEnding(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	live := api.NewLive(func() time.Time { return now })
	for id, days := range map[schemas.CollectorID]int{"c-ended": -1, "c-soon": 29, "c-later": 31} {
		live.CollectorStatus(schemas.Status{Collector: id, At: now, CertificateEnds: now.AddDate(0, 0, days)})
	}
	live.CollectorStatus(schemas.Status{Collector: "c-clear", At: now})
	if n := ending(live); n != 2 {
		t.Errorf("%d end soon, want 2", n)
	}
}
