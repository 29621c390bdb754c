package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// site is how a browser reaches the hub, and where it asks from.
type site struct {
	// from is the address of the client; invalid where it is not known.
	from netip.Addr
	// https says that what travels is encrypted up to the hub, or up to a proxy that
	// the configuration trusts.
	https bool
	// local says that the browser runs on this machine.
	local bool
	port  string // of the address that the browser uses
}

// safe reports whether passwords and cookies may travel: never in clear over a network.
func (s *site) safe() bool { return s.https || s.local }

// siteOf reads it from a request. What headers say counts only when a trusted proxy
// has sent them.
func (a *Accounts) siteOf(r *http.Request) site {
	peer := remoteAddr(r)
	s := site{from: peer, https: r.TLS != nil}
	host := r.Host
	if h, port, err := net.SplitHostPort(r.Host); err == nil {
		host, s.port = h, port
	}
	s.local = isThisMachine(strings.Trim(host, "[]")) && !fromElsewhere(r)
	if !a.trusts(peer) {
		s.https = s.https || a.isPublic(r.Host)
		return s
	}
	s.from = a.clientBehind(peer, r.Header.Values("X-Forwarded-For"))
	proto := lastOf(r.Header.Values("X-Forwarded-Proto"))
	s.https = s.https || strings.EqualFold(proto, "https") || proto == "" && a.isPublic(r.Host)
	return s
}

// fromElsewhere reports whether a request that names this machine shows that a proxy has
// put the name there.
func fromElsewhere(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	u, err := url.Parse(r.Header.Get("Origin"))
	return err != nil || u.Host != "" && !isThisMachine(u.Hostname())
}

// isPublic reports whether a request goes to the https address that the configuration
// names. Cookies are then for https only: a browser that came in clear gets none.
func (a *Accounts) isPublic(host string) bool {
	u, err := url.Parse(a.PublicURL)
	return err == nil && u.Scheme == "https" && strings.EqualFold(u.Host, host)
}

func (a *Accounts) trusts(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// clientBehind goes through the hops from the hub outwards and returns the first that is
// no trusted proxy: what stands before it may be the client's own invention.
func (a *Accounts) clientBehind(peer netip.Addr, headers []string) netip.Addr {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		if peer = addr; !a.trusts(addr) {
			break
		}
	}
	return peer
}

// parseHop takes an address with or without a port.
func parseHop(text string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(text); err == nil {
		return plainAddr(p.Addr()), true
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return plainAddr(addr), err == nil
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func remoteAddr(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(p.Addr())
}

func lastOf(headers []string) string {
	all := strings.Split(strings.Join(headers, ","), ",")
	return strings.TrimSpace(all[len(all)-1])
}

// isThisMachine reports whether a host is this machine by its own name, which browsers
// trust without encryption.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// cookieKind is what a cookie is for.
type cookieKind string

const (
	sessionCookie cookieKind = "session"
	deviceCookie  cookieKind = "device"
	oidcCookie    cookieKind = "oidc"
)

// deviceTime is how long the accounts know a browser.
const deviceTime = 90 * 24 * time.Hour

// name of a cookie. Over https the prefix keeps other hosts of the domain from setting
// it [RFC 6265bis 4.1.3]. On this machine without https there is no prefix, because
// not every browser takes Secure there, and the port tells hubs apart, which cookies
// do not.
func (s *site) name(k cookieKind) string {
	if s.https {
		return "__Host-citygrid_" + string(k)
	}
	return "citygrid_" + string(k) + "_" + s.port
}

// cookie returns what a browser has sent; empty for none, and always in clear.
func (s *site) cookie(r *http.Request, k cookieKind) string {
	if !s.safe() {
		return ""
	}
	c, err := r.Cookie(s.name(k))
	if err != nil {
		return ""
	}
	return c.Value
}

// set returns a cookie that lasts for life; 0 until the browser is closed, below 0 ends it.
func (s *site) set(k cookieKind, value string, life time.Duration) http.Cookie {
	c := http.Cookie{Name: s.name(k), Value: value, Path: "/", Secure: s.https, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	if life < 0 {
		c.MaxAge = -1
	}
	return c
}
