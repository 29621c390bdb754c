package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/internal/certs"
	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/influxd/influxtest"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Programs that run until they are told to stop, here in the test's process.

const patience = 20 * time.Second

// startCommand runs a command until stop, and returns its first line.
func startCommand(t *testing.T, args ...string) (ready city.Ready, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, written := io.Pipe()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(written)
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		written.CloseWithError(fmt.Errorf("the command ended: %w", errOr(err, io.EOF)))
		ended <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("citygrid %s: %v", args[0], err)
			}
		case <-time.After(patience):
			t.Errorf("citygrid %s did not stop", args[0])
		}
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	return ready, stop
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func TestSimulatePrintsItsAddresses(t *testing.T) {
	lines := filepath.Join(t.TempDir(), "lines.yaml")
	ready, stop := startCommand(t, "simulate", "--meters", "5", "--per-gateway", "2", "--lines", lines)
	if ready.Part != city.Simulators || len(ready.Addresses) != 3 {
		t.Errorf("ready %+v, want 3 gateways", ready)
	}
	text, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ready.Addresses {
		conn, err := net.Dial("tcp", a)
		if err != nil {
			t.Errorf("gateway %s: %v", a, err)
			continue
		}
		conn.Close()
		if !bytes.Contains(text, []byte(a)) {
			t.Errorf("--lines does not name %s", a)
		}
	}
	stop()
}

// fakeInflux drops every connection until it is up, and then takes all writes
// unless it is readOnly.
type fakeInflux struct {
	up       atomic.Bool
	readOnly atomic.Bool
	writes   chan string
}

func (f *fakeInflux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.up.Load() {
		panic(http.ErrAbortHandler)
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/write") && f.readOnly.Load():
		http.Error(w, `{"code":"forbidden","message":"insufficient permissions"}`, http.StatusForbidden)
	case strings.HasSuffix(r.URL.Path, "/write"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		f.writes <- string(body)
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/query"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"results":[{"statement_id":0}]}`)
	default:
		w.Header().Set("X-Influxdb-Version", "1.8.10")
		w.WriteHeader(http.StatusNoContent)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// hubFile writes a configuration with the embedded broker.
func hubFile(t *testing.T, dir, broker, influx string) string {
	t.Helper()
	if err := copyKeys(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pass"), []byte(testPassphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hub.yaml")
	// Relative paths, the passphrase's too, start at the file's folder.
	text := fmt.Sprintf(`data_dir: data
listen: 127.0.0.1:0
master: keys/master.key
passphrase: file:pass
enrolment: keys/enrolment.yaml
broker: {listen: %q, user: hub, password: "file:keys/hub-broker.password"}
influx: {url: %q}
`, broker, influx)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// until asks /readyz until ok says so.
func until(t *testing.T, url, what string, ok func(status int, r api.ReadyJSON) bool) api.ReadyJSON {
	t.Helper()
	deadline, look := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for {
		status, r := readyz(t, url)
		if ok(status, r) {
			return r
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: last answer %d %+v", what, status, r)
		}
	}
}

func readyz(t *testing.T, url string) (status int, r api.ReadyJSON) {
	t.Helper()
	answer, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, r
}

func checkOf(r api.ReadyJSON, name string) api.CheckJSON {
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	return api.CheckJSON{}
}

// A hub starts without its store, says what to do, takes readings meanwhile,
// and stores and acknowledges them when the store is there.
func TestHubWithoutItsStore(t *testing.T) {
	influx := &fakeInflux{writes: make(chan string, 10)}
	server := httptest.NewUnstartedServer(influx)
	server.Start()
	t.Cleanup(server.Close)
	dir, broker := t.TempDir(), freePort(t)
	ready, stop := startCommand(t, "hub", "-c", hubFile(t, dir, broker, server.URL))
	r := until(t, ready.URL, "broker up, store down", func(status int, r api.ReadyJSON) bool {
		return status == http.StatusServiceUnavailable && checkOf(r, "broker").OK && !checkOf(r, "store").OK
	})
	if do := checkOf(r, "store").Do; !strings.Contains(do, "InfluxDB at "+server.URL) || !strings.Contains(do, "readings wait") {
		t.Errorf("the remedy is %q", do)
	}

	receipts := make(chan []byte, 10)
	publishBatch(t, dir, "tcp://"+broker, receipts)
	until(t, ready.URL, "a reading in the queue", func(int, api.ReadyJSON) bool { return queued(t, ready.URL) == 1 })
	select {
	case body := <-influx.writes:
		t.Fatalf("written while the store was down: %s", body)
	case <-receipts:
		t.Fatal("a receipt while the store was down")
	default:
	}
	influx.up.Store(true)
	for _, c := range []struct {
		what string
		wait func() bool
	}{
		{"write", func() bool { return strings.Contains(<-influx.writes, "P-1") }},
		{"receipt", func() bool { return len(<-receipts) > 0 }},
	} {
		ok := make(chan bool, 1)
		go func() { ok <- c.wait() }()
		select {
		case good := <-ok:
			if !good {
				t.Errorf("the %s is not of the meter", c.what)
			}
		case <-time.After(patience):
			t.Fatalf("no %s", c.what)
		}
	}
	until(t, ready.URL, "all well", func(status int, r api.ReadyJSON) bool { return status == http.StatusOK && r.Ready })
	stop()
}

// A store that answers but takes no writes is not ready, and the answer says
// what to grant.
func TestHubWithAStoreThatRefusesWrites(t *testing.T) {
	influx := &fakeInflux{writes: make(chan string, 10)}
	influx.up.Store(true)
	influx.readOnly.Store(true)
	server := httptest.NewServer(influx)
	t.Cleanup(server.Close)
	dir, broker := t.TempDir(), freePort(t)
	ready, stop := startCommand(t, "hub", "-c", hubFile(t, dir, broker, server.URL))
	until(t, ready.URL, "all well before the first write", func(_ int, r api.ReadyJSON) bool { return r.Ready })
	receipts := make(chan []byte, 10)
	publishBatch(t, dir, "tcp://"+broker, receipts)
	until(t, ready.URL, "writes refused", func(status int, r api.ReadyJSON) bool {
		return status == http.StatusServiceUnavailable && strings.Contains(checkOf(r, "store").Error, "grant the token's user the right")
	})
	influx.readOnly.Store(false)
	until(t, ready.URL, "writes taken", func(_ int, r api.ReadyJSON) bool { return r.Ready })
	stop()
}

// A hub does not outlive its bundled store: its end is a failure with a remedy.
func TestHubEndsWithItsBundledStore(t *testing.T) {
	influxtest.Find(t)
	dir := t.TempDir()
	path := hubFile(t, dir, freePort(t), "http://unused")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`influx: {url: "http://unused"}`), []byte("influx: {bundled: true}"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHubProgram(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	kill := writerFunc(func(line []byte) (int, error) { // when the hub says that it is ready
		killChildren(t)
		return len(line), nil
	})
	if err := h.run(ctx, kill); cli.ExitCode(err) != 1 || !strings.Contains(err.Error(), "InfluxDB has ended by itself") {
		t.Errorf("the hub ended with %v, want a failure that names InfluxDB", err)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "data", "influxd.log")); err != nil || !bytes.Contains(log, []byte("Listening on HTTP")) {
		t.Errorf("the log of InfluxDB: %v, %.200q", err, log)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// killChildren kills the processes that this one has started.
func killChildren(t *testing.T) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		t.Errorf("children of this process: %v, %v", lists, err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
	}
}

// The embedded broker speaks TLS when it has a certificate, and the hub's own
// link trusts that certificate and no other.
func TestEmbeddedBrokerWithTLS(t *testing.T) {
	dir, broker := t.TempDir(), freePort(t)
	path := hubFile(t, dir, broker, "http://127.0.0.1:1")
	cert, key := selfSigned(t, dir, "broker")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("user: hub"), []byte("user: hub, cert: broker.pem, key: broker.key"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ready, stop := startCommand(t, "hub", "-c", path)
	until(t, ready.URL, "broker up", func(_ int, r api.ReadyJSON) bool { return checkOf(r, "broker").OK })
	stop()

	for name, want := range map[string]bool{"broker": true, "other": false} {
		shown := cert
		if name == "other" {
			shown, _ = selfSigned(t, dir, name)
		}
		l, err := certs.Listen(certs.Files{Cert: cert, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		own, err := ephemeral("hub")
		if err != nil {
			t.Fatal(err)
		}
		cfg := toOwnBroker(l, own)
		data, err := os.ReadFile(shown)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		err = cfg.VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: block.Bytes}}})
		if (err == nil) != want {
			t.Errorf("certificate of %s: %v, want accepted %v", name, err, want)
		}
	}
}

// selfSigned writes name.pem and name.key for the host broker.example.org.
func selfSigned(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"broker.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// queued asks the flow for the readings on their way to the store.
func queued(t *testing.T, url string) uint64 {
	t.Helper()
	answer, err := http.Get(url + "/api/v1/flow")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var flow api.Flow
	if err := json.NewDecoder(answer.Body).Decode(&flow); err != nil {
		t.Fatal(err)
	}
	return flow.Store.Queue
}

// publishBatch speaks as collector c1 does, once.
func publishBatch(t *testing.T, dir, url string, receipts chan<- []byte) {
	t.Helper()
	publishSealed(t, dir, url, sealedBatch(t, dir, 1, time.Now()), receipts)
}

// sealedBatch is one reading of 230.1 V that c1 sealed after so many boots.
func sealedBatch(t *testing.T, dir string, boot uint32, at time.Time) []byte {
	t.Helper()
	bundle, err := seal.ReadBundle(filepath.Join(dir, "keys", "c1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := seal.NewContext(boot, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{
		Provider: seal.DefaultProvider(), Key: bundle.Key, Tenant: bundle.Tenant, Collector: "c1", Generation: bundle.Generation,
		Role: seal.Up, ContentType: seal.Readings, Context: session,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := at.UTC().Truncate(time.Millisecond)
	plain, err := schemas.EncodeBatch(nil, &schemas.Batch{Collector: "c1", Area: "310115", SealedAt: now, Readings: []schemas.Reading{
		{Meter: "P-1", Quantity: "power.voltage.l1", Unit: "V", Value: schemas.Decimal{Mantissa: 2301, Exponent: -1}, TakenAt: now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	envelope, _, err := sealer.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// publishSealed publishes an envelope of c1 and passes on what comes down.
func publishSealed(t *testing.T, dir, url string, envelope []byte, receipts chan<- []byte) {
	t.Helper()
	bundle, err := seal.ReadBundle(filepath.Join(dir, "keys", "c1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	topic := schemas.Topic{Area: "310115", Collector: "c1", Stream: schemas.Readings}
	down := schemas.Topic{Area: "310115", Collector: "c1", Stream: schemas.Receipts}
	ctx, cancel := context.WithCancel(context.Background())
	sent, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		_ = mqttlink.Run(ctx, mqttlink.Config{
			URL: url, ClientID: "c1", User: bundle.BrokerUser, Password: bundle.BrokerPassword,
			Subscriptions: []string{down.String()},
		}, func(ctx context.Context, c *mqttlink.Conn) error {
			sent <- c.Publish(ctx, topic.String(), envelope, false).Wait(ctx)
			for {
				select {
				case m, ok := <-c.Messages():
					if !ok {
						return mqttlink.ErrLost
					}
					receipts <- m.Payload
					m.Ack()
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case err := <-sent:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the embedded broker does not take the batch")
	}
}
