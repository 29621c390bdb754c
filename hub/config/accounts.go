package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Accounts is the section of the people who sign in with a password. Without it the
// hub has none: what meters say anybody may read who reaches the hub, and the ledger
// and the cases know the tokens of ledger.people and grid.people.
type Accounts struct {
	// DSN is "sqlite:PATH" (one file, relative to the configuration's folder) or
	// "postgres://USER@HOST:PORT/DATABASE"; empty for no accounts.
	DSN string `yaml:"dsn"`
	// Password says where the password of a PostgreSQL user is: file:PATH or
	// env:NAME; empty for none.
	Password string `yaml:"password,omitempty"`
	// Tour lets anybody look at everything without signing in, and change nothing. It
	// is for demonstrations.
	Tour bool `yaml:"tour,omitempty"`
	// PublicURL is how browsers reach the hub, such as https://city.example.
	PublicURL string `yaml:"public_url,omitempty"`
	// Proxies are the networks of proxies in front of the hub, whose X-Forwarded-For
	// and X-Forwarded-Proto count, such as 10.0.0.0/8.
	Proxies []string `yaml:"proxies,omitempty"`
	// OIDC lets people sign in at an identity provider; nil: with passwords only.
	OIDC *OIDC `yaml:"oidc,omitempty"`
}

// OIDC is an identity provider for OpenID Connect.
type OIDC struct {
	// Name is what its button says.
	Name string `yaml:"name"`
	// Issuer is its address, as it stands in its tokens.
	Issuer string `yaml:"issuer"`
	// ClientID is what the provider calls the hub; ClientSecret says where the secret
	// is: file:PATH or env:NAME.
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret"`
	// Claim is the claim that holds a person's id or name; preferred_username when
	// empty.
	Claim string `yaml:"claim,omitempty"`
}

// ProxyNetworks returns the proxies as prefixes.
func (a *Accounts) ProxyNetworks() ([]netip.Prefix, error) {
	out := make([]netip.Prefix, len(a.Proxies))
	for n, text := range a.Proxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("proxies[%d]: %q: want a network such as 10.0.0.0/8 or 192.0.2.7/32", n, text)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("proxies[%d]: %q: that is everybody, and everybody could then claim any address; name the proxies", n, text)
		}
		out[n] = p.Masked()
	}
	return out, nil
}

// check reports every value that cannot work.
func (a *Accounts) check() error {
	if a.DSN == "" {
		if a.Password != "" || a.Tour || a.PublicURL != "" || len(a.Proxies) > 0 || a.OIDC != nil {
			return errors.New("accounts.dsn: missing: sqlite:PATH or postgres://USER@HOST/DATABASE")
		}
		return nil
	}
	_, proxies := a.ProxyNetworks()
	if err := errors.Join(checkDSN("accounts", a.DSN, a.Password), a.checkPublicURL(), proxies, a.OIDC.check(a.PublicURL)); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}

func (a *Accounts) checkPublicURL() error {
	if a.PublicURL == "" {
		return nil
	}
	if u, err := url.Parse(a.PublicURL); err != nil || !validURL(a.PublicURL) || strings.Trim(u.Path, "/") != "" || u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return errors.New("public_url: want https://host and nothing else, how browsers reach the hub; http:// only for this machine itself, because passwords travel there")
	}
	return nil
}

// isLoopback reports whether a host of an address is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (o *OIDC) check(public string) error {
	if o == nil {
		return nil
	}
	if o.Name == "" || o.Issuer == "" || o.ClientID == "" || o.ClientSecret == "" {
		return errors.New("oidc: want name, issuer, client_id and client_secret")
	}
	if u, err := url.Parse(o.Issuer); err != nil || !validURL(o.Issuer) || u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return errors.New("oidc.issuer: want https://host/path, as the provider names itself")
	}
	if !strings.HasPrefix(o.ClientSecret, "file:") && !strings.HasPrefix(o.ClientSecret, "env:") {
		return errors.New("oidc.client_secret: say where it is: file:PATH or env:NAME; the secret itself does not belong here")
	}
	if public == "" {
		return errors.New("oidc: public_url is missing: the provider sends people back there")
	}
	return nil
}
