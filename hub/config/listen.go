package config

import (
	"errors"
	"fmt"
	"net"
)

// TLS is the certificate of the pages and the API.
type TLS struct {
	// Cert and Key are PEM files; both or none. They are read again on SIGHUP.
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
}

// On reports whether the listener has a certificate.
func (t TLS) On() bool { return t.Cert != "" }

// Limits bound what clients may hold of the hub at once. 0 stands for the default.
type Limits struct {
	// Connections bounds all connections, and also all requests under way; default 2,048.
	Connections int `yaml:"connections,omitempty"`
	// PerAddress bounds the connections of one address, and also its requests under way,
	// live streams included; default 256. An IPv6 network of 64 bits is one address. It
	// does not hold for this machine, nor for accounts.proxies, nor with behind_proxy.
	PerAddress int `yaml:"per_address,omitempty"`
}

// The defaults of Limits: an office behind one address has many browsers.
const (
	DefaultConnections = 2048
	DefaultPerAddress  = 256
)

// checkListen reports an address that everybody reaches in clear, and other values that
// cannot work.
func (c *Config) checkListen() error {
	var errs []error
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		errs = append(errs, errors.New("tls: give both cert and key, or none"))
	} else if c.TLS.On() && c.BehindProxy {
		errs = append(errs, errors.New("behind_proxy: tls is given too: either the hub encrypts, or a proxy in front does"))
	} else if !c.TLS.On() && validAddress(c.Listen) {
		errs = append(errs, CheckClear("listen", c.Listen, "tls.cert and tls.key", "behind_proxy: true", c.BehindProxy))
	}
	if c.Broker.Listen != "" && c.Broker.Cert == "" && validAddress(c.Broker.Listen) {
		errs = append(errs, CheckClear("broker.listen", c.Broker.Listen, "broker.cert and broker.key", "broker.behind_proxy: true", c.Broker.BehindProxy))
	}
	if c.Limits.Connections < 0 || c.Limits.PerAddress < 0 {
		errs = append(errs, errors.New("limits: must not be negative"))
	}
	return errors.Join(errs...)
}

// CheckClear reports an address of the network at which a listener would talk in clear:
// whoever is on the way would read passwords and readings. It names the three ways out:
// an address of this machine, the certificate, or the word that says that a proxy in front
// encrypts.
func CheckClear(what, address, certificate, word string, behindProxy bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %q: want host:port: %w", what, address, err)
	}
	if behindProxy || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("%s: %q is reached from the network, and would be in clear; one of three: listen on this machine alone (127.0.0.1), "+
		"give a certificate (%s; citygrid certs issue makes one), or put a proxy with a certificate in front and say %s", what, address, certificate, word)
}
