package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"citygrid/hub/accounts"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// TestWhereARequestComesFrom: only trusted proxies are believed, and only about the
// next hop.
func TestWhereARequestComesFrom(t *testing.T) {
	a := &Accounts{PublicURL: "https://city.example", Proxies: prefixes("10.0.0.0/8", "fd00::/8")}
	for _, tt := range []struct {
		name, peer, host string
		forwarded        []string
		proto            string
		from             string
		https, local     bool
	}{
		{"straight", "192.0.2.7:1", "hub.lan", nil, "", "192.0.2.7", false, false},
		{"a stranger claims", "192.0.2.7:1", "hub.lan", []string{"10.1.1.1"}, "https", "192.0.2.7", false, false},
		{"a stranger claims to be here", "192.0.2.7:1", "127.0.0.1:80", []string{"127.0.0.1"}, "https", "192.0.2.7", false, false},
		{"one proxy", "10.0.0.1:1", "hub.lan", []string{"192.0.2.7"}, "https", "192.0.2.7", true, false},
		{"the client begins the list", "10.0.0.1:1", "hub.lan", []string{"1.2.3.4, 192.0.2.7"}, "https", "192.0.2.7", true, false},
		{"the client begins the list with a proxy", "10.0.0.1:1", "hub.lan", []string{"10.9.9.9, 192.0.2.7"}, "https", "192.0.2.7", true, false},
		{"two proxies, two headers", "10.0.0.1:1", "hub.lan", []string{"1.2.3.4, 192.0.2.7", "10.0.0.2"}, "http, https", "192.0.2.7", true, false},
		{"all trusted", "10.0.0.1:1", "hub.lan", []string{"10.0.0.3, 10.0.0.2"}, "https", "10.0.0.3", true, false},
		{"nonsense in between", "10.0.0.1:1", "hub.lan", []string{"192.0.2.7, what, 10.0.0.2"}, "https", "10.0.0.2", true, false},
		{"port and IPv6", "[fd00::1]:1", "hub.lan", []string{"[2001:db8::5]:4711"}, "https", "2001:db8::5", true, false},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", "hub.lan", []string{"::ffff:192.0.2.7"}, "", "192.0.2.7", false, false},
		{"in clear up to the proxy", "10.0.0.1:1", "city.example", []string{"192.0.2.7"}, "http", "192.0.2.7", false, false},
		{"a proxy that says nothing", "10.0.0.1:1", "city.example", nil, "", "10.0.0.1", true, false},
		{"the public address", "192.0.2.7:1", "CITY.example", nil, "", "192.0.2.7", true, false},
		{"this machine", "127.0.0.1:1", "127.0.0.1:8080", nil, "", "127.0.0.1", false, true},
		{"this machine by name", "[::1]:1", "localhost:8080", nil, "", "::1", false, true},
		{"this machine by IPv6", "[::1]:1", "[::1]:8080", nil, "", "::1", false, true},
		{"a proxy calls us this machine", "10.0.0.1:1", "127.0.0.1:8080", []string{"192.0.2.7"}, "http", "192.0.2.7", false, false},
		{"a name like it", "192.0.2.7:1", "127.0.0.1.evil.example", nil, "", "192.0.2.7", false, false},
	} {
		r := httptest.NewRequest("GET", "http://x/", nil)
		r.RemoteAddr, r.Host = tt.peer, tt.host
		r.Header["X-Forwarded-For"] = tt.forwarded
		if tt.proto != "" {
			r.Header.Set("X-Forwarded-Proto", tt.proto)
		}
		if s := a.siteOf(r); s.from.String() != tt.from || s.https != tt.https || s.local != tt.local {
			t.Errorf("%s: %+v, want from %s, https %v, local %v", tt.name, s, tt.from, tt.https, tt.local)
		}
	}
}

// TestPausesGoByTheClient: guesses of one client behind a proxy slow that client down,
// whatever it claims, and nobody else behind it.
func TestPausesGoByTheClient(t *testing.T) {
	h := openHub(t, func(o *Options) { o.Accounts.Proxies = prefixes("10.0.0.0/8") })
	b := h.browser()
	b.home, b.from = "https://city.example", "10.0.0.1:1"
	b.header["X-Forwarded-Proto"] = "https"
	tried := 0
	for n := range 40 {
		b.header["X-Forwarded-For"] = netip.AddrFrom4([4]byte{1, 2, 3, byte(n)}).String() + ", 192.0.2.7"
		if w := b.do("POST", "/api/v1/session", jsonOf(t, map[string]string{"name": "somebody" + string(rune('a'+n)), "password": "x"})); w.Code == 401 {
			tried++
		}
	}
	if tried != 20 {
		t.Errorf("%d guesses", tried)
	}
	b.header["X-Forwarded-For"] = "192.0.2.8"
	b.signIn(t, "root", rootPassword)
	list, err := h.book.Audit(t.Context(), 0, 1)
	if err != nil || list[0].From != "192.0.2.8" {
		t.Errorf("%+v %v", list, err)
	}
}

// TestCookies: what the browser is told about the cookies, by how it reaches the hub.
func TestCookies(t *testing.T) {
	h := openHub(t, func(o *Options) {
		o.Accounts.PublicURL, o.Accounts.Proxies = "https://city.example", prefixes("10.0.0.0/8")
	})
	h.person(t, "ins", accounts.Inspector)
	for _, tt := range []struct {
		home, name string
		secure     bool
	}{
		{"https://city.example", "__Host-citygrid_session", true},
		{"http://127.0.0.1:8080", "citygrid_session_8080", false},
		{"http://localhost:8081", "citygrid_session_8081", false},
	} {
		b := h.browser()
		b.home = tt.home
		b.signIn(t, "root", rootPassword)
		if len(b.cookies) != 2 {
			t.Fatalf("%s: %v", tt.home, b.cookies)
		}
		c := b.cookies[tt.name]
		if c == nil || c.Secure != tt.secure || c.MaxAge != 0 || c.Domain != "" {
			t.Errorf("%s: %+v", tt.home, c)
		}
		for _, c := range b.cookies {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure != tt.secure {
				t.Errorf("%s: %+v", tt.home, c)
			}
		}
		b.want(t, "GET", "/api/v1/meters", "", 200, "")
		if w := b.want(t, "DELETE", "/api/v1/session", "", 200, ""); !strings.Contains(w.Header().Get("Set-Cookie"), tt.name+"=;") {
			t.Errorf("%s: %v", tt.home, w.Header())
		}
		b.signIn(t, "ins", otherPassword) // works where there is no network, and keeps the session
		if c := b.cookies[tt.name]; c.MaxAge != int((30 * 24 * time.Hour).Seconds()) {
			t.Errorf("%s: an inspector's cookie lasts %d s", tt.home, c.MaxAge)
		}
	}
	plain := h.browser()
	plain.home = "http://192.0.2.1:8080"
	form := jsonOf(t, map[string]string{"name": "root", "password": rootPassword})
	w := plain.want(t, "POST", "/api/v1/session", form, 403, codeHTTPS)
	if len(w.Result().Cookies()) > 0 || !strings.Contains(w.Body.String(), "https") {
		t.Errorf("%s", w.Body)
	}
	plain.want(t, "POST", "/api/v1/set-up", `{"code":"x","id":"x","password":"x"}`, 403, codeHTTPS)
	plain.want(t, "POST", "/api/v1/invitations/redeem", `{"code":"x","password":"x"}`, 403, codeHTTPS)
	https := h.browser()
	https.home = "https://city.example"
	https.signIn(t, "root", rootPassword)
	https.home = "http://192.0.2.1:8080" // a browser does not send it there; if one did, it would not count
	https.want(t, "GET", "/api/v1/meters", "", 401, codeNobody)
	tossed := h.browser() // what another host of the domain can set has no prefix
	tossed.home = "https://city.example"
	tossed.cookies["citygrid_session_"] = &http.Cookie{Name: "citygrid_session_", Value: https.cookies["__Host-citygrid_session"].Value}
	tossed.want(t, "GET", "/api/v1/meters", "", 401, codeNobody)
}

// TestOtherSites: a page of another site cannot act with the cookie of the browser.
func TestOtherSites(t *testing.T) {
	h := openHub(t, func(o *Options) { o.Accounts.PublicURL = "https://city.example" })
	b := h.browser().signIn(t, "root", rootPassword)
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
		{"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080.evil.example"},
	} {
		b.header = header
		for _, path := range []string{"/api/v1/accounts/people/1/sign-out", "/api/v1/session", "/api/v1/accounts/people"} {
			b.want(t, "POST", path, `{"id":"x","roles":["admin"]}`, 403, codeCrossOrigin)
		}
		b.want(t, "DELETE", "/api/v1/session", "", 403, codeCrossOrigin)
	}
	b.header = map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}
	b.want(t, "POST", "/api/v1/accounts/people", `{"id":"x","roles":["viewer"]}`, 201, "")
	b.home, b.header = "https://city.example", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://city.example"}
	b.signIn(t, "root", rootPassword)
}
