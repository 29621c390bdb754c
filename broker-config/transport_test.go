package brokerconfig_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/certs"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// town is an authority with a broker's certificate and those of its users.
type town struct {
	t      *testing.T
	folder certs.Folder
	pass   secret.Secret
	broker certs.Issued
	users  map[string]certs.Issued // of as
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, folder: certs.Folder(filepath.Join(t.TempDir(), "ca")), pass: secret.New("a passphrase of a test"), users: map[string]certs.Issued{}}
	if err := w.folder.Init("Example City", w.pass, time.Now().AddDate(-1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	w.broker = w.issue(certs.Request{Kind: certs.Server, Name: "broker.example", Hosts: []string{"127.0.0.1"}, Cluster: true}, time.Now())
	return w
}

func (w *town) issue(r certs.Request, at time.Time) certs.Issued {
	w.t.Helper()
	if r.Days == 0 {
		r.Days = 300
	}
	out, err := w.folder.Issue(w.pass, r, at)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *town) client(kind certs.Kind, name string) certs.Issued {
	return w.issue(certs.Request{Kind: kind, Name: name}, time.Now())
}

// shows is the TLS of a user who trusts ca and shows i, also where its own side would
// refuse that.
func (w *town) shows(ca string, i *certs.Issued) *tls.Config {
	w.t.Helper()
	cert, key := "", ""
	if i != nil {
		cert, key = i.Cert, i.Key
	}
	cfg, err := mqttlink.LoadTLS(ca, cert, key)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Certificates = nil
	return cfg
}

// links are the brokers under test: how each is started with client certificates.
var links = map[string]func(t *testing.T, w *town, ca, crl string) (url string, log func() string){
	"nats": func(t *testing.T, w *town, ca, crl string) (string, func() string) {
		l, err := certs.Listen(certs.Files{Cert: w.broker.Cert, Key: w.broker.Key, ClientCA: ca, CRL: crl})
		if err != nil {
			t.Fatal(err)
		}
		var log lockedBuffer
		b := startNATS(t, brokerconfig.Options{Access: testAccess(t), TLS: l.Config(), Revoked: l.Revoked, Log: slog.New(slog.NewTextHandler(&log, nil))})
		return b.URL(), log.String
	},
	"mosquitto": func(t *testing.T, w *town, ca, crl string) (string, func() string) {
		b := brokertest.MosquittoTLS(t, testAccess(t), brokerconfig.MosquittoOptions{CertFile: w.broker.Cert, KeyFile: w.broker.Key, ClientCA: ca, CRLFile: crl})
		return b.URL, b.Log
	},
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestHandshakes: who gets in and who does not, by real handshakes; and what the collector's
// log line says of it.
func TestHandshakes(t *testing.T) {
	ours, foreign := newTown(t), newTown(t)
	good, hub := ours.client(certs.Collector, "c-1"), ours.client(certs.Hub, "hub-1")
	other := ours.client(certs.Collector, "c-2")
	nobody := ours.client(certs.Collector, "c-9")
	stranger := foreign.client(certs.Collector, "c-1")
	ended := ours.issue(certs.Request{Kind: certs.Collector, Name: "c-3", Days: 1}, time.Now().AddDate(0, 0, -40))
	stolen := ours.client(certs.Collector, "auditor")
	if _, err := ours.folder.Revoke(ours.pass, certs.Collector, "auditor", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	stolen.Cert = strings.Replace(stolen.Cert, "auditor.crt", "auditor."+stolen.Serial+".crt", 1)
	stolen.Key = strings.Replace(stolen.Key, "auditor.key", "auditor."+stolen.Serial+".key", 1)

	type row struct {
		user string
		tls  *tls.Config
		edit func(*tls.Config)
		want string // in the error; empty: gets in
	}
	rows := map[string]row{
		"good":                {"c-1", ours.shows(ours.folder.CA(), &good), nil, ""},
		"hub":                 {"hub-1", ours.shows(ours.folder.CA(), &hub), nil, ""},
		"no certificate":      {"c-1", ours.shows(ours.folder.CA(), nil), nil, "the broker wants a client certificate"},
		"wrong authority":     {"c-1", foreign.shows(ours.folder.CA(), &stranger), nil, "want one that its authority signed"},
		"ended":               {"c-3", ours.shows(ours.folder.CA(), &ended), nil, "which has ended"},
		"revoked":             {"auditor", ours.shows(ours.folder.CA(), &stolen), nil, "revoked"},
		"of nobody":           {"c-9", ours.shows(ours.folder.CA(), &nobody), nil, "not authorised"},
		"TLS 1.2":             {"c-1", ours.shows(ours.folder.CA(), &good), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, "does not speak"},
		"broker of another":   {"c-1", ours.shows(foreign.folder.CA(), &good), nil, "signed by an authority that is not in the CA file"},
		"broker's other name": {"c-1", named(ours.shows(ours.folder.CA(), &good), "other.example"), nil, "certificate is for another name"},
		"a broker's":          {"broker.example", ours.shows(ours.folder.CA(), &ours.broker), nil, "not authorised"},
	}
	for kind, start := range links {
		t.Run(kind, func(t *testing.T) {
			url, _ := start(t, ours, ours.folder.CA(), ours.folder.CRL())
			for name, r := range rows {
				t.Run(name, func(t *testing.T) {
					cfg := config(url, strings.ReplaceAll(r.user, ".", "-"), topicOf("310115", "c-1", schemas.Receipts))
					if r.user == "c-1" || r.want == "" {
						cfg.Subscriptions = nil
					}
					cfg.Password = secret.Secret{}
					cfg.TLS = r.tls.Clone()
					if r.edit != nil {
						r.edit(cfg.TLS)
					}
					c, err := dial(t, cfg)
					// The end of the connection may overtake the broker's alert.
					for n := 0; n < 20 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)); n++ {
						c, err = dial(t, cfg)
					}
					if r.want == "not authorised" && kind == "mosquitto" && err == nil {
						powerless(t, ours, url, c)
						return
					}
					switch {
					case r.want == "" && err != nil:
						t.Errorf("kept out: %v", err)
					case r.want != "" && (err == nil || !strings.Contains(err.Error(), r.want) || !strings.Contains(err.Error(), url)):
						t.Errorf("error %v: want the URL and %q", err, r.want)
					}
				})
			}
			t.Run("of another collector", func(t *testing.T) { anothers(t, kind, url, ours, &other) })
		})
	}
}

// anothers shows c-2's certificate as c-1. The collector itself refuses to start so; this
// is one that does not ask itself. NATS refuses it, Mosquitto takes it for c-2, which it is.
func anothers(t *testing.T, kind, url string, w *town, other *certs.Issued) {
	cfg := config(url, "c-1", topicOf("310115", "c-1", schemas.Receipts))
	cfg.Password, cfg.TLS = secret.Secret{}, w.shows(w.folder.CA(), other)
	c, err := dial(t, cfg)
	if kind == "nats" {
		if err == nil || !strings.Contains(err.Error(), "not authorised") {
			t.Errorf("%v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	powerless(t, w, url, c)
}

// powerless: whoever it is, nothing that it publishes as c-1 arrives, and nothing that is
// for c-1 comes to it. Mosquitto asks no password of a certificate, and so lets everybody in
// whom the authority knows; the access list gives those that it does not name nothing.
func powerless(t *testing.T, w *town, url string, c *client) {
	t.Helper()
	reader, writer := w.as(url, "watcher", "citygrid/#"), w.as(url, "writer")
	// The broker may acknowledge, or close the link; either way nobody gets it.
	_ = c.Publish(c.ctx, topicOf("310115", "c-1", schemas.Readings), []byte("forged"), false).Wait(c.ctx)
	writer.publish(t, topicOf("310115", "c-1", schemas.Receipts), "receipt")
	writer.publish(t, topicOf("310115", "c-1", schemas.Readings), "marker")
	if got := reader.collect(t, "marker"); len(got) != 2 {
		t.Errorf("somebody published as c-1: %q", got)
	}
	c.stop()
	for m := range c.Messages() {
		t.Errorf("it got %s", m.Topic)
	}
}

// as connects a user with a certificate of its own.
func (w *town) as(url, user string, filters ...string) *client {
	w.t.Helper()
	i, ok := w.users[user]
	if !ok {
		i = w.client(certs.Hub, user)
		w.users[user] = i
	}
	cfg := config(url, user, filters...)
	cfg.Password, cfg.TLS = secret.Secret{}, w.shows(w.folder.CA(), &i)
	return mustDial(w.t, cfg)
}

// TestRevokedLinkEnds: a certificate that is revoked while its owner is connected ends the
// link when the list is read again, and nobody else's.
func TestRevokedLinkEnds(t *testing.T) {
	w := newTown(t)
	thief, stays := w.client(certs.Collector, "c-1"), w.client(certs.Collector, "c-2")
	l, err := certs.Listen(certs.Files{Cert: w.broker.Cert, Key: w.broker.Key, ClientCA: w.folder.CA(), CRL: w.folder.CRL()})
	if err != nil {
		t.Fatal(err)
	}
	b := startNATS(t, brokerconfig.Options{Access: testAccess(t), TLS: l.Config(), Revoked: l.Revoked})
	connect := func(user string, i *certs.Issued) *client {
		cfg := config(b.URL(), user)
		cfg.Password, cfg.TLS = secret.Secret{}, w.shows(w.folder.CA(), i)
		return mustDial(t, cfg)
	}
	one, two := connect("c-1", &thief), connect("c-2", &stays)
	if _, err := w.folder.Revoke(w.pass, certs.Collector, "c-1", thief.Serial, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := b.DropRevoked(); err != nil {
		t.Fatal(err)
	}
	<-one.ctx.Done()
	two.publish(t, topicOf("310104", "c-2", schemas.Readings), "undisturbed")
	fresh := w.client(certs.Collector, "c-1") // the box gets another one
	connect("c-1", &fresh)
}

// TestRenewedWithoutARestart: the next link of a client uses what its files hold then.
func TestRenewedWithoutARestart(t *testing.T) {
	w := newTown(t)
	first := w.client(certs.Collector, "c-1")
	dir := t.TempDir()
	put := func(i certs.Issued) {
		for from, to := range map[string]string{i.Cert: "own.crt", i.Key: "own.key"} {
			data, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(first)
	cfg, err := mqttlink.LoadTLS(w.folder.CA(), filepath.Join(dir, "own.crt"), filepath.Join(dir, "own.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := certs.Listen(certs.Files{Cert: w.broker.Cert, Key: w.broker.Key, ClientCA: w.folder.CA(), CRL: w.folder.CRL()})
	if err != nil {
		t.Fatal(err)
	}
	b := startNATS(t, brokerconfig.Options{Access: testAccess(t), TLS: l.Config(), Revoked: l.Revoked})
	link := config(b.URL(), "c-1")
	link.Password, link.TLS = secret.Secret{}, cfg
	mustDial(t, link).stop()
	renewed, err := w.folder.Renew(w.pass, certs.Request{Kind: certs.Collector, Name: "c-1", Days: 200}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.folder.Revoke(w.pass, certs.Collector, "c-1", first.Serial, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, link); err == nil || !strings.Contains(err.Error(), first.Serial) {
		t.Errorf("with the old one: %v, want an error that names its serial number", err)
	}
	put(renewed)
	mustDial(t, link)
	if !mqttlink.OwnEnds(cfg).Equal(renewed.Ends) {
		t.Errorf("its end is told as %v", mqttlink.OwnEnds(cfg))
	}
	if err := os.WriteFile(filepath.Join(dir, "own.key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustDial(t, link) // half-way through the next renewal
}

// TestMosquittoReadsTheListAgain: on SIGHUP, with the certificates; a link that is there
// stays until it breaks.
func TestMosquittoReadsTheListAgain(t *testing.T) {
	w := newTown(t)
	b := brokertest.MosquittoTLS(t, testAccess(t), brokerconfig.MosquittoOptions{CertFile: w.broker.Cert, KeyFile: w.broker.Key, ClientCA: w.folder.CA(), CRLFile: w.folder.CRL()})
	thief := w.client(certs.Collector, "c-1")
	cfg := config(b.URL, "c-1")
	cfg.Password, cfg.TLS = secret.Secret{}, w.shows(w.folder.CA(), &thief)
	pair, err := tls.LoadX509KeyPair(thief.Cert, thief.Key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	mustDial(t, cfg).stop()
	if _, err := w.folder.Revoke(w.pass, certs.Collector, "c-1", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.Reload()
	waitFor(t, func() bool { return strings.Contains(b.Log(), "Reloading config") })
	// The broker has said that it begins, not that it is done. Its alert may be overtaken by
	// the end of the connection, which says nothing of the reason.
	var last error
	for range 100 {
		c, err := dial(t, cfg)
		if err == nil {
			c.stop()
			continue
		}
		if last = err; strings.Contains(err.Error(), "revoked") {
			return
		}
	}
	t.Errorf("a revoked certificate is taken after SIGHUP, or refused for another reason: %v", last)
}
