package collector

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// certificates knows when the first certificate of the link to the broker ends: the
// collector's own, or one that the broker showed when it was last connected to. The
// link cannot be made after that.
type certificates struct {
	ends atomic.Int64 // Unix milliseconds; 0: not known
}

// watch returns a configuration like cfg that tells c of every handshake; nil for a
// link without TLS. cfg is not changed.
func (c *certificates) watch(address string, cfg *tls.Config) *tls.Config {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{"ssl", "tls", "mqtts"}, u.Scheme) {
		return cfg
	}
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	cfg = cfg.Clone()
	judge := cfg.VerifyConnection
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if judge != nil {
			if err := judge(s); err != nil {
				return err
			}
		}
		c.note(slices.Concat(ownCertificates(cfg), s.PeerCertificates)) // a renewed one is used from now on
		return nil
	}
	c.note(ownCertificates(cfg))
	return cfg
}

// ownCertificates are those that cfg shows a broker that asks.
func ownCertificates(cfg *tls.Config) (own []*x509.Certificate) {
	shown := cfg.Certificates
	if cfg.GetClientCertificate != nil {
		if now, err := cfg.GetClientCertificate(&tls.CertificateRequestInfo{}); err == nil {
			shown = []tls.Certificate{*now}
		}
	}
	for i := range shown {
		for _, der := range shown[i].Certificate {
			if parsed, err := x509.ParseCertificate(der); err == nil { // the handshake says what is wrong with it
				own = append(own, parsed)
			}
		}
	}
	return own
}

func (c *certificates) note(list []*x509.Certificate) {
	var first time.Time
	for _, one := range list {
		if first.IsZero() || one.NotAfter.Before(first) {
			first = one.NotAfter
		}
	}
	if !first.IsZero() {
		c.ends.Store(first.UnixMilli())
	}
}

// The years that a status message can tell. A certificate without an end has the
// year 9999 [RFC 5280 4.1.2.5].
var (
	firstYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastYear  = time.Date(2199, 12, 31, 0, 0, 0, 0, time.UTC)
)

// firstEnd returns when the first certificate ends, as far as a status message can
// say it; zero when that is not known.
func (c *certificates) firstEnd() time.Time {
	ms := c.ends.Load()
	if ms == 0 {
		return time.Time{}
	}
	end := time.UnixMilli(ms).UTC()
	switch {
	case end.Before(firstYear):
		return firstYear
	case end.After(lastYear):
		return lastYear
	}
	return end
}
