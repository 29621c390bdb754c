package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/internal/secret"
)

const testPassphrase = "a passphrase of a test"

var begun = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func newFolder(t *testing.T) Folder {
	t.Helper()
	f := Folder(filepath.Join(t.TempDir(), "ca"))
	if err := f.Init("Example City", secret.New(testPassphrase), begun); err != nil {
		t.Fatal(err)
	}
	return f
}

func issue(t *testing.T, f Folder, r Request, now time.Time) Issued {
	t.Helper()
	if r.Days == 0 {
		r.Days = 365
	}
	out, err := f.Issue(secret.New(testPassphrase), r, now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// verify checks a certificate as a TLS peer does.
func verify(t *testing.T, f Folder, path, host string, usage x509.ExtKeyUsage, at time.Time) (*x509.Certificate, error) {
	t.Helper()
	ca, err := readCertificate(f.CA())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := readCertificate(path)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: at})
	return cert, err
}

func TestIssue(t *testing.T) {
	f := newFolder(t)
	server := issue(t, f, Request{Kind: Server, Name: "broker.example", Hosts: []string{"192.0.2.10", "::1", "nats-1"}}, begun)
	for _, host := range []string{"broker.example", "192.0.2.10", "::1", "nats-1"} {
		if _, err := verify(t, f, server.Cert, host, x509.ExtKeyUsageServerAuth, begun); err != nil {
			t.Errorf("server by the name %s: %v", host, err)
		}
	}
	client := issue(t, f, Request{Kind: Collector, Name: "c-0001"}, begun)
	cert, err := verify(t, f, client.Cert, "", x509.ExtKeyUsageClientAuth, begun)
	if err != nil || cert.Subject.String() != "CN=c-0001" {
		t.Errorf("client: subject %s, %v; want CN=c-0001 and nothing else, the name in nats/users.conf", cert.Subject, err)
	}
	cluster := issue(t, f, Request{Kind: Server, Name: "nats-2", Cluster: true}, begun)
	for name, c := range map[string]struct {
		path, host string
		usage      x509.ExtKeyUsage
		at         time.Time
		ok         bool
	}{
		"a client is no server":         {client.Cert, "", x509.ExtKeyUsageServerAuth, begun, false},
		"a server is no client":         {server.Cert, "", x509.ExtKeyUsageClientAuth, begun, false},
		"a server of a cluster is":      {cluster.Cert, "", x509.ExtKeyUsageClientAuth, begun, true},
		"another host":                  {server.Cert, "evil.example", x509.ExtKeyUsageServerAuth, begun, false},
		"a device's clock is behind":    {client.Cert, "", x509.ExtKeyUsageClientAuth, begun.Add(-50 * time.Minute), true},
		"on its last day":               {client.Cert, "", x509.ExtKeyUsageClientAuth, begun.Add(364 * day), true},
		"when it has ended":             {client.Cert, "", x509.ExtKeyUsageClientAuth, begun.Add(366 * day), false},
		"server, when it has ended":     {server.Cert, "nats-1", x509.ExtKeyUsageServerAuth, begun.Add(366 * day), false},
		"server, one day before":        {server.Cert, "nats-1", x509.ExtKeyUsageServerAuth, begun.Add(364 * day), true},
		"the key of none is a client's": {f.CA(), "", x509.ExtKeyUsageClientAuth, begun.AddDate(11, 0, 0), false},
	} {
		if _, err := verify(t, f, c.path, c.host, c.usage, c.at); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for path, want := range map[string]os.FileMode{client.Key: 0o600, server.Key: 0o600, f.path(CAKeyFile): 0o600, string(f): os.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// TestNothingIsOverwritten: what is there stays as it is, byte for byte.
func TestNothingIsOverwritten(t *testing.T) {
	f, pass := newFolder(t), secret.New(testPassphrase)
	first := issue(t, f, Request{Kind: Collector, Name: "c-0001"}, begun)
	before := snapshot(t, string(f))
	stray := f.keyPath(Hub, "hub")
	if err := os.WriteFile(stray, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	before[stray] = "somebody's"
	for name, err := range map[string]error{
		"init again":                 f.Init("Another", pass, begun),
		"the same collector":         second(f.Issue(pass, Request{Kind: Collector, Name: "c-0001", Days: 9}, begun)),
		"a hub of a collector's id":  second(f.Issue(pass, Request{Kind: Hub, Name: "c-0001", Days: 9}, begun)),
		"a file that nobody knows":   second(f.Issue(pass, Request{Kind: Hub, Name: "hub", Days: 9}, begun)),
		"renew what is not there":    second(f.Renew(pass, Request{Kind: Hub, Name: "hub", Days: 9}, begun)),
		"revoke what is not there":   second2(f.Revoke(pass, Collector, "c-2", "", begun)),
		"revoke by another's serial": second2(f.Revoke(pass, Collector, "c-0001", "1234", begun)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if after := snapshot(t, string(f)); !same(before, after) {
		t.Error("a refused command has changed the folder")
	}
	if first.Serial == "" {
		t.Error("no serial number")
	}
}

func second[A any](_ A, err error) error  { return err }
func second2(_ []Record, err error) error { return err }
func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRenewAndRevoke: the old certificate stays good until it is revoked by its serial
// number; revoking the name ends all, and the name can be issued anew.
func TestRenewAndRevoke(t *testing.T) {
	f, pass := newFolder(t), secret.New(testPassphrase)
	old := issue(t, f, Request{Kind: Server, Name: "broker", Hosts: []string{"192.0.2.10"}}, begun)
	renewed, err := f.Renew(pass, Request{Kind: Server, Name: "broker", Days: 365}, begun.Add(300*day))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, f, renewed.Cert, "192.0.2.10", x509.ExtKeyUsageServerAuth, begun.Add(600*day)); err != nil {
		t.Errorf("renewed: %v", err)
	}
	aside := f.path("servers", "broker."+old.Serial+".crt")
	if cert, err := readCertificate(aside); err != nil || Fingerprint(cert) != old.Fingerprint {
		t.Errorf("the old certificate is not at %s: %v", aside, err)
	}
	if got := revoked(t, f); len(got) != 0 {
		t.Errorf("revoked before anybody asked: %v", got)
	}
	if _, err := f.Revoke(pass, Server, "broker", old.Serial, begun.Add(301*day)); err != nil {
		t.Fatal(err)
	}
	if got := revoked(t, f); !got[old.Serial] || got[renewed.Serial] {
		t.Errorf("revoked %v, want the old one alone", got)
	}
	if _, err := f.Revoke(pass, Server, "broker", "", begun.Add(302*day)); err != nil {
		t.Fatal(err)
	}
	if got := revoked(t, f); !got[old.Serial] || !got[renewed.Serial] {
		t.Errorf("revoked %v, want both", got)
	}
	issue(t, f, Request{Kind: Server, Name: "broker"}, begun.Add(303*day))
	list, err := f.List()
	if err != nil || len(list) != 3 || list[0].Serial != old.Serial {
		t.Errorf("%d records, %v", len(list), err)
	}
}

// TestRenewThatFails: what is in use stays where it is.
func TestRenewThatFails(t *testing.T) {
	f, pass := newFolder(t), secret.New(testPassphrase)
	old := issue(t, f, Request{Kind: Collector, Name: "c-7"}, begun)
	before := tree(t, f)
	refused := func(name string, r Request) {
		t.Helper()
		r.Kind, r.Name, r.Days = Collector, "c-7", 365
		if _, err := f.Renew(pass, r, begun.Add(day)); err == nil {
			t.Errorf("%s: renewed", name)
		}
		if after := tree(t, f); !maps.Equal(before, after) {
			t.Errorf("%s: the folder has %v, had %v", name, slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
		}
	}
	refused("a request that is none", Request{Signing: []byte("x")})
	in := f.path("clients", "c-7."+old.Serial+".key")
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before = tree(t, f)
	refused("something is where the old key should go", Request{})
}

// tree reads the files of the folder.
func tree(t *testing.T, f Folder) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func revoked(t *testing.T, f Folder) map[string]bool {
	t.Helper()
	ca, err := readCertificates(f.CA())
	if err != nil {
		t.Fatal(err)
	}
	got, err := readRevoked(f.CRL(), ca)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPassphrase(t *testing.T) {
	f := newFolder(t)
	for name, pass := range map[string]string{"wrong": "another passphrase", "empty": ""} {
		if _, err := f.Issue(secret.New(pass), Request{Kind: Hub, Name: "hub", Days: 1}, begun); err == nil {
			t.Errorf("%s passphrase: no error", name)
		}
	}
	for _, short := range []string{"", "short"} {
		if err := Folder(t.TempDir()).Init("x", secret.New(short), begun); err == nil || !strings.Contains(err.Error(), "passphrase") {
			t.Errorf("init with a passphrase of %d bytes: %v", len(short), err)
		}
	}
	text, err := os.ReadFile(f.path(CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	salt, iv, data, rounds, err := decodeSealed(block.Bytes)
	if err != nil || rounds != sealRounds {
		t.Fatalf("%d rounds, %v", rounds, err)
	}
	for n, taken := range map[int]bool{0: false, 1: true, maxRounds: true, maxRounds + 1: false, math.MaxInt32: false} {
		der, err := encodeSealed(salt, iv, data, n)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, _, err := decodeSealed(der); (err == nil) != taken {
			t.Errorf("%d rounds: %v", n, err)
		}
	}
	for i := range block.Bytes { // a damaged file is an error and no panic
		for _, bit := range []byte{1, 0x80} {
			damaged := append([]byte(nil), block.Bytes...)
			damaged[i] ^= bit
			if _, _, data, rounds, err := decodeSealed(damaged); err == nil && (len(data) == 0 || rounds > maxRounds) {
				t.Fatalf("byte %d: taken", i)
			}
		}
	}
}

// TestOpensslOpensTheKey: the city is not bound to this program.
func TestOpensslOpensTheKey(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	f := newFolder(t)
	c := issue(t, f, Request{Kind: Collector, Name: "c-1", Days: 365}, time.Now())
	if out, err := exec.Command(program, "pkey", "-in", f.path(CAKeyFile), "-passin", "pass:"+testPassphrase, "-noout", "-check").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command(program, "pkey", "-in", f.path(CAKeyFile), "-passin", "pass:wrong passphrase", "-noout").CombinedOutput(); err == nil {
		t.Errorf("a wrong passphrase opens it: %s", out)
	}
	if out, err := exec.Command(program, "verify", "-crl_check", "-CAfile", f.CA(), "-CRLfile", f.CRL(), "-purpose", "sslclient", c.Cert).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRequestOfADevice(t *testing.T) {
	f := newFolder(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "c-7", Organization: []string{"anything"}}, DNSNames: []string{"hub.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	out := issue(t, f, Request{Kind: Collector, Name: "c-7", Signing: text}, begun)
	cert, err := readCertificate(out.Cert)
	if err != nil || !key.PublicKey.Equal(cert.PublicKey) || out.Key != "" || len(cert.DNSNames) > 0 || cert.Subject.String() != "CN=c-7" {
		t.Errorf("%+v, %v: want the device's key, no names of its own wish", cert.Subject, err)
	}
	damaged := append([]byte(nil), der...)
	damaged[len(damaged)-1] ^= 1
	for name, r := range map[string]Request{
		"of another box": {Name: "c-8", Signing: text},
		"no PEM":         {Name: "c-8", Signing: []byte("x")},
		"damaged":        {Name: "c-7", Signing: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: damaged})},
	} {
		if _, err := r.requested(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for name, r := range map[string]Request{
		"no kind":             {Name: "x", Days: 1},
		"path":                {Kind: Collector, Name: "../x", Days: 1},
		"dot":                 {Kind: Hub, Name: "a.b", Days: 1},
		"empty":               {Kind: Hub, Days: 1},
		"hosts of a client":   {Kind: Hub, Name: "hub", Hosts: []string{"a"}, Days: 1},
		"path of a server":    {Kind: Server, Name: "../../etc", Days: 1},
		"hidden server":       {Kind: Server, Name: "..", Days: 1},
		"bad host":            {Kind: Server, Name: "a", Hosts: []string{"b c"}, Days: 1},
		"no time":             {Kind: Hub, Name: "hub"},
		"more than two years": {Kind: Hub, Name: "hub", Days: 732},
	} {
		if err := r.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestListener: a handshake over each state of the files, and after Reload.
func TestListener(t *testing.T) {
	f, pass, now := newFolder(t), secret.New(testPassphrase), time.Now()
	server := issue(t, f, Request{Kind: Server, Name: "127.0.0.1"}, now)
	c1, c2 := issue(t, f, Request{Kind: Collector, Name: "c-1"}, now), issue(t, f, Request{Kind: Collector, Name: "c-2"}, now)
	l, err := Listen(Files{Cert: server.Cert, Key: server.Key, ClientCA: f.CA(), CRL: f.CRL()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := l.Config()
	for name, c := range map[string]struct {
		own  *Issued
		edit func(*tls.Config)
		ok   bool
	}{
		"c-1":              {&c1, nil, true},
		"no certificate":   {nil, nil, false},
		"TLS 1.2":          {&c1, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false},
		"wrong purpose":    {&server, nil, false},
		"of another house": {ptr(issue(t, newFolder(t), Request{Kind: Collector, Name: "c-1"}, now)), nil, false},
	} {
		if err := shake(t, f, cfg, c.own, c.edit); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Revoke(pass, Collector, "c-1", "", now); err != nil {
		t.Fatal(err)
	}
	if err := shakeFiles(t, f, cfg, f.path("clients", "c-1."+c1.Serial+".crt"), f.path("clients", "c-1."+c1.Serial+".key")); err != nil {
		t.Errorf("before the list was read again: %v", err)
	}
	renewed, err := f.Renew(pass, Request{Kind: Server, Name: "127.0.0.1", Days: 100}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Fatal(err)
	}
	if !l.Ends().Equal(renewed.Ends) {
		t.Errorf("the listener's certificate ends on %v, want that of the new one", l.Ends())
	}
	if err := shakeFiles(t, f, cfg, f.path("clients", "c-1."+c1.Serial+".crt"), f.path("clients", "c-1."+c1.Serial+".key")); err == nil {
		t.Error("a revoked certificate is taken")
	}
	if err := shake(t, f, cfg, &c2, nil); err != nil {
		t.Errorf("c-2 after the revocation of c-1: %v", err)
	}
	// What is wrong changes nothing.
	if err := os.WriteFile(f.CRL(), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err == nil || !strings.Contains(err.Error(), f.CRL()) {
		t.Errorf("a damaged list: %v", err)
	}
	if err := shakeFiles(t, f, cfg, f.path("clients", "c-1."+c1.Serial+".crt"), f.path("clients", "c-1."+c1.Serial+".key")); err == nil {
		t.Error("a damaged list lets a revoked certificate in")
	}
}

func ptr[T any](v T) *T { return &v }

func shakeFiles(t *testing.T, f Folder, server *tls.Config, cert, key string) error {
	return shake(t, f, server, &Issued{Cert: cert, Key: key}, nil)
}

// shake is a handshake over a pipe; the client's error of reading counts too, for in TLS
// 1.3 the server judges last.
func shake(t *testing.T, f Folder, server *tls.Config, own *Issued, edit func(*tls.Config)) error {
	t.Helper()
	ca, err := readCertificate(f.CA())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
	cfg.RootCAs.AddCert(ca)
	if own != nil {
		pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
		if err != nil {
			t.Fatal(err)
		}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	if edit != nil {
		edit(cfg)
	}
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		s := tls.Server(far, server)
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		done <- err
	}()
	c := tls.Client(near, cfg)
	_, err = c.Read(make([]byte, 1))
	near.Close()
	if serverErr := <-done; err == nil && serverErr != nil {
		t.Errorf("the client is content, the server says %v", serverErr)
	}
	return err
}

func TestListenRefuses(t *testing.T) {
	f, other := newFolder(t), newFolder(t)
	s := issue(t, f, Request{Kind: Server, Name: "broker"}, begun)
	for name, files := range map[string]Files{
		"list without authority": {Cert: s.Cert, Key: s.Key, CRL: f.CRL()},
		"list of another":        {Cert: s.Cert, Key: s.Key, ClientCA: f.CA(), CRL: other.CRL()},
		"list is a certificate":  {Cert: s.Cert, Key: s.Key, ClientCA: f.CA(), CRL: f.CA()},
		"authority is a key":     {Cert: s.Cert, Key: s.Key, ClientCA: s.Key},
		"key of another":         {Cert: s.Cert, Key: f.path(CAKeyFile)},
	} {
		if _, err := Listen(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Folder(t.TempDir()).List(); err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "certs init") {
		t.Errorf("an empty folder: %v", err)
	}
}
