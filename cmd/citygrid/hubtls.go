package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/internal/certs"
	"citygrid/internal/counters"
	"citygrid/internal/httpd"
	"citygrid/internal/mqttlink"
)

// loadCertificates reads every certificate that the configuration names.
func (h *hubProgram) loadCertificates() (err error) {
	cfg, path := h.cfg, h.cfg.Path
	if cfg.TLS.On() {
		if h.pages, err = certs.Listen(certs.Files{Cert: path(cfg.TLS.Cert), Key: path(cfg.TLS.Key)}); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	if cfg.Broker.Listen == "" {
		h.tls, err = linkTLS(cfg)
		return err
	}
	if cfg.Broker.Cert == "" {
		return nil
	}
	own, err := ephemeral(cfg.Broker.User)
	if err != nil {
		return err
	}
	b := cfg.Broker
	h.brokerTLS, err = certs.Listen(certs.Files{Cert: path(b.Cert), Key: path(b.Key), ClientCA: path(b.ClientCA), CRL: path(b.CRL)}, own.Leaf)
	if err != nil {
		return fmt.Errorf("broker.cert, broker.key, broker.client_ca, broker.crl: %w", err)
	}
	h.tls = toOwnBroker(h.brokerTLS, own)
	return nil
}

// linkTLS reads the certificates of the hub's link to an outside broker; nil when there
// are none.
func linkTLS(cfg *config.Config) (*tls.Config, error) {
	b := cfg.Broker
	if b.CA == "" && b.Cert == "" {
		return nil, nil
	}
	loaded, err := mqttlink.LoadTLS(cfg.Path(b.CA), cfg.Path(b.Cert), cfg.Path(b.Key))
	if err != nil {
		return nil, fmt.Errorf("broker.ca, broker.cert, broker.key: %w", err)
	}
	return loaded, nil
}

// ephemeral draws the certificate that the hub shows its own broker where that asks for
// one. It lives as long as the process, and its key never leaves the memory.
func ephemeral(user string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw the key of the link to the own broker: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: user},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no end
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of the link to the own broker: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// toOwnBroker trusts one certificate and no other: that of the hub's own broker at the
// moment, whose names are those that collectors use, not the address of this machine.
func toOwnBroker(broker *certs.Listener, own *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{*own},
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, broker.Certificate().Raw) {
				return errors.New("the embedded broker shows a certificate that is not broker.cert: another program listens on its port")
			}
			return nil
		},
	}
}

// storeTLS is TLS 1.3 for an InfluxDB by https, with the city's own authorities where the
// configuration names them; nil in clear.
func storeTLS(cfg *config.Config) (*tls.Config, error) {
	if cfg.Influx.CA == "" {
		return &tls.Config{MinVersion: tls.VersionTLS13}, nil
	}
	loaded, err := mqttlink.LoadTLS(cfg.Path(cfg.Influx.CA), "", "")
	if err != nil {
		return nil, fmt.Errorf("influx.ca: %w", err)
	}
	return loaded, nil
}

// scheme is how the addresses of the pages begin.
func (h *hubProgram) scheme() string {
	if h.pages != nil {
		return "https://"
	}
	return "http://"
}

// servePages serves HTTP until ctx is done.
func (h *hubProgram) servePages(ctx context.Context, listener net.Listener, handler http.Handler) error {
	exempt, err := h.exempt()
	if err != nil {
		return err
	}
	o := httpd.Options{Handler: handler, Log: h.log, Exempt: exempt, Connections: h.cfg.Limits.Connections, PerAddress: h.cfg.Limits.PerAddress}
	if o.Connections == 0 {
		o.Connections = config.DefaultConnections
	}
	if o.PerAddress == 0 {
		o.PerAddress = config.DefaultPerAddress
	}
	if h.pages != nil {
		o.TLS = h.pages.Config()
	}
	server := httpd.New(o)
	registerHTTP(counters.New(h.registry, "http"), server)
	if err := server.Serve(ctx, listener, func() { close(h.closing) }); err != nil {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

// exempt says for which addresses the bound of one address does not hold: this machine,
// and proxies, behind which there are many.
func (h *hubProgram) exempt() (func(netip.Addr) bool, error) {
	proxies, err := h.cfg.Accounts.ProxyNetworks()
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	behind := h.cfg.BehindProxy
	return func(a netip.Addr) bool {
		return behind || a.IsLoopback() || slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}, nil
}

func registerHTTP(set counters.Set, server *httpd.Server) {
	gauge := func(name, help string, value func(httpd.Counts) float64) {
		set.GaugeFunc(name, help, func() float64 { return value(server.Counts()) })
	}
	gauge("connections", "Open connections of the pages and the API.", func(c httpd.Counts) float64 { return float64(c.Open) })
	gauge("evicted_connections", "Connections since start that waited for their client and had to make room.", func(c httpd.Counts) float64 { return float64(c.Evicted) })
	gauge("refused_connections", "Connections since start for which there was no room.", func(c httpd.Counts) float64 { return float64(c.Refused) })
	gauge("busy_requests", "Requests since start that were answered with 503.", func(c httpd.Counts) float64 { return float64(c.Busy) })
	gauge("encoded_bodies", "Compressed bodies since start, which are refused.", func(c httpd.Counts) float64 { return float64(c.Encoded) })
}

// ownCertificate is a certificate of the hub whose end somebody has to know.
type ownCertificate struct {
	name string
	ends func() time.Time
}

// ownCertificates are those of the pages, of the embedded broker, and of the link to an
// outside one.
func (h *hubProgram) ownCertificates() (list []ownCertificate) {
	if h.pages != nil {
		list = append(list, ownCertificate{"pages", h.pages.Ends})
	}
	if h.brokerTLS != nil {
		list = append(list, ownCertificate{"broker", h.brokerTLS.Ends})
	} else if h.tls != nil && len(h.tls.Certificates) > 0 {
		list = append(list, ownCertificate{"link", func() time.Time { return mqttlink.OwnEnds(h.tls) }})
	}
	return list
}

// certificateWatch is how often the ends of the hub's certificates are looked at.
const certificateWatch = 24 * time.Hour

// ending counts the collectors that have told of a certificate of their link, their own or
// their broker's, which ends within thirty days or has ended.
func ending(live *api.Live) (n int) {
	for _, c := range live.Collectors() {
		if c.CertificateDays != nil && *c.CertificateDays < int(soonEnds/(24*time.Hour)) {
			n++
		}
	}
	return n
}

// watchCertificates exports when they end, and says so in the log each day of the last
// thirty, until ctx is done.
func (h *hubProgram) watchCertificates(ctx context.Context, live *api.Live) {
	list := h.ownCertificates()
	set := counters.New(h.registry, "certificate")
	set.GaugeFunc("collectors_ending", "Collectors with a certificate of their link that ends within 30 days; alarm above 0.", func() float64 { return float64(ending(live)) })
	for _, c := range list {
		set.GaugeFunc(c.name+"_days", "Days until the hub's certificate of the "+c.name+" ends; alarm below 30.", func() float64 {
			return math.Floor(time.Until(c.ends()).Hours() / 24)
		})
	}
	tick := time.NewTicker(certificateWatch)
	defer tick.Stop()
	for {
		for _, c := range list {
			if left := time.Until(c.ends()); left < soonEnds {
				h.log.Warn("a certificate of the hub ends soon: citygrid certs renew, then SIGHUP", "certificate", c.name, "ends", c.ends().UTC().Format(time.DateOnly), "days", int(math.Floor(left.Hours()/24)))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
