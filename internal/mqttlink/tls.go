package mqttlink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// LoadTLS makes a client configuration, TLS 1.3 only, from PEM files. caFile
// holds the authorities that may sign the broker's certificate; empty means
// those of the system. certFile and keyFile are this client's own certificate
// and key; both or none. They are read again for every connection.
func LoadTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: holds no certificate in PEM form", caFile)
		}
	}
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("client certificate: give both the certificate and the key file, or none")
	}
	if certFile != "" {
		own := &ownCertificate{certFile: certFile, keyFile: keyFile}
		first, err := own.read(nil)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", certFile, keyFile, err)
		}
		cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{*first}, own.read
	}
	return cfg, nil
}

// ownCertificate reads the files again for every connection, so that a renewed
// certificate is used without a restart.
type ownCertificate struct {
	certFile, keyFile string
	last              atomic.Pointer[tls.Certificate]
}

// read returns what the files hold. Half-way through a renewal they do not fit each
// other: then what was read last goes on.
func (o *ownCertificate) read(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err == nil {
		o.last.Store(&cert)
		return &cert, nil
	}
	if last := o.last.Load(); last != nil {
		return last, nil
	}
	return nil, err
}

// own returns the certificate that cfg shows a broker that asks; nil for none.
func own(cfg *tls.Config) *x509.Certificate {
	if cfg == nil || len(cfg.Certificates) == 0 {
		return nil
	}
	cert := &cfg.Certificates[0]
	if cfg.GetClientCertificate != nil {
		if now, err := cfg.GetClientCertificate(&tls.CertificateRequestInfo{}); err == nil {
			cert = now
		}
	}
	if cert.Leaf != nil {
		return cert.Leaf
	}
	if len(cert.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil { // the handshake says what is wrong with it
		return nil
	}
	return leaf
}

// OwnEnds returns when the certificate ends that cfg shows a broker that asks; zero for
// none.
func OwnEnds(cfg *tls.Config) time.Time {
	if cert := own(cfg); cert != nil {
		return cert.NotAfter
	}
	return time.Time{}
}

// CheckOwn finds a certificate that was brought to the wrong box. No broker could put that
// right: one of them refuses the link, another one lets the box in under the other's name,
// where nothing that it sends arrives. Run asks it too.
func CheckOwn(cfg *tls.Config, clientID string) error {
	cert := own(cfg)
	if cert == nil || cert.Subject.CommonName == clientID {
		return nil
	}
	return fmt.Errorf("client certificate is of %q, but this is %q: one of the two is in the wrong box; issue one for %q",
		cert.Subject.CommonName, clientID, clientID)
}
