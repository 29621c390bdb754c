package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Files are the PEM files of a listener.
type Files struct {
	// Cert and Key are its own; required.
	Cert, Key string
	// ClientCA holds the authorities of the clients' certificates; empty: clients are
	// not asked for one.
	ClientCA string
	// CRL is the list of revoked certificates; empty for none. It needs ClientCA.
	CRL string
}

// Listener is the TLS of a listener: TLS 1.3 and nothing older, and where its files say
// so, client certificates that are checked against the list of revoked ones. Reload
// puts changed files in force without ending a connection.
type Listener struct {
	files  Files
	extra  []*x509.Certificate
	reload sync.Mutex
	now    atomic.Pointer[listenerState]
}

type listenerState struct {
	cert    *tls.Certificate
	config  *tls.Config // of one handshake, with client certificates
	revoked map[string]bool
}

// Listen reads the files. extra are authorities of clients beside those of ClientCA.
func Listen(f Files, extra ...*x509.Certificate) (*Listener, error) {
	l := &Listener{files: f, extra: extra}
	return l, l.Reload()
}

// Reload reads the files again. An error changes nothing, and names the file.
func (l *Listener) Reload() error {
	l.reload.Lock()
	defer l.reload.Unlock()
	next, err := l.load()
	if err != nil {
		return err
	}
	l.now.Store(next)
	return nil
}

func (l *Listener) load() (*listenerState, error) {
	f := l.files
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	s := &listenerState{cert: &pair}
	if f.ClientCA == "" {
		if f.CRL != "" {
			return nil, errors.New("a list of revoked certificates needs the authority of the clients (client CA) too")
		}
		return s, nil
	}
	authorities, err := readCertificates(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("client CA file: %w", err)
	}
	if s.revoked, err = readRevoked(f.CRL, authorities); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, a := range append(authorities, l.extra...) {
		pool.AddCert(a)
	}
	s.config = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		SessionTicketsDisabled: true, // every connection shows its certificate
		VerifyConnection:       func(c tls.ConnectionState) error { return s.verify(c) },
	}
	return s, nil
}

// ErrRevoked: a client showed a certificate that is on the list of revoked ones.
var ErrRevoked = errors.New("the certificate is revoked")

func (s *listenerState) verify(c tls.ConnectionState) error {
	for _, cert := range c.PeerCertificates {
		if s.revoked[serialOf(cert.SerialNumber)] {
			return fmt.Errorf("%s: %w", cert.Subject.CommonName, ErrRevoked)
		}
	}
	return nil
}

// Config returns a configuration that follows Reload.
func (l *Listener) Config() *tls.Config {
	now := l.now.Load()
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if now.config == nil {
		cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.now.Load().cert, nil }
		return cfg
	}
	// What looks at the configuration and makes no handshake sees these.
	cfg.Certificates, cfg.ClientAuth, cfg.ClientCAs = now.config.Certificates, now.config.ClientAuth, now.config.ClientCAs
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.now.Load().config, nil }
	return cfg
}

// Revoked reports whether a certificate is on the list.
func (l *Listener) Revoked(cert *x509.Certificate) bool {
	return l.now.Load().revoked[serialOf(cert.SerialNumber)]
}

// Certificate returns the listener's own certificate.
func (l *Listener) Certificate() *x509.Certificate { return l.now.Load().cert.Leaf }

// Ends returns when the listener's own certificate ends.
func (l *Listener) Ends() time.Time { return l.now.Load().cert.Leaf.NotAfter }

// readCertificates reads all certificates of a PEM file; there must be one.
func readCertificates(path string) (list []*x509.Certificate, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return list, nil
}

// readRevoked reads the serial numbers of a list that one of the authorities signed.
func readRevoked(path string, authorities []*x509.Certificate) (map[string]bool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("list of revoked certificates: %w", err)
	}
	lists, revoked := 0, map[string]bool{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("list of revoked certificates %s: %w", path, err)
		}
		if !signedByOne(list, authorities) {
			return nil, fmt.Errorf("list of revoked certificates %s: none of the clients' authorities has signed it", path)
		}
		for _, e := range list.RevokedCertificateEntries {
			revoked[serialOf(e.SerialNumber)] = true
		}
		lists++
	}
	if lists == 0 {
		return nil, fmt.Errorf("list of revoked certificates: %s holds none in PEM form", path)
	}
	return revoked, nil
}

func signedByOne(list *x509.RevocationList, authorities []*x509.Certificate) bool {
	for _, a := range authorities {
		if list.CheckSignatureFrom(a) == nil {
			return true
		}
	}
	return false
}
