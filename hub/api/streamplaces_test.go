package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"citygrid/hub/accounts"
)

// TestStreamPlaces: whoever has opened all that one person may leaves the others theirs.
func TestStreamPlaces(t *testing.T) {
	const all = 40
	visitor := func(id string) *visit {
		return &visit{accounts: &Accounts{}, who: &somebody{access: accounts.Access{Person: accounts.Person{NewPerson: accounts.NewPerson{ID: id}}}}}
	}
	var s streamPlaces
	var gives []func()
	taken := func(v *visit) int {
		holder, most := holderOf(v)
		for n := range 1000 {
			give, full := s.take(holder, most, all)
			if full != nil {
				return n
			}
			gives = append(gives, give)
		}
		return 1000
	}
	if n := taken(visitor("greedy")); n != maxStreamsOfPerson {
		t.Errorf("one person holds %d, want %d", n, maxStreamsOfPerson)
	}
	if _, full := s.take(holderOf2(visitor("greedy")), maxStreamsOfPerson, all); full == nil || full.Status != http.StatusTooManyRequests {
		t.Errorf("one more: %v", full)
	}
	if n := taken(visitor("other")); n != maxStreamsOfPerson {
		t.Errorf("another person holds %d", n)
	}
	if n := taken(&visit{}); n != all-2*maxStreamsOfPerson {
		t.Errorf("people nobody tells apart hold %d, want the rest", n)
	}
	if _, full := s.take("", 0, all); full == nil || full.Status != http.StatusServiceUnavailable {
		t.Errorf("beyond all: %v", full)
	}
	for _, give := range gives {
		give()
	}
	if s.total != 0 || len(s.of) != 0 {
		t.Errorf("%d places are not given back: %v", s.total, s.of)
	}
}

func holderOf2(v *visit) string { h, _ := holderOf(v); return h }

func TestHolderOf(t *testing.T) {
	proxied := &Accounts{Tour: true, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for want, v := range map[string]*visit{
		"address 192.0.2.7": {accounts: proxied, site: site{from: netip.MustParseAddr("192.0.2.7")}},
		// A subscriber has all of 2^64 addresses.
		"address 2001:db8:0:1::": {accounts: proxied, site: site{from: netip.MustParseAddr("2001:db8:0:1:a:b:c:d")}},
		"person zhang":           {accounts: proxied, site: site{from: netip.MustParseAddr("192.0.2.7")}, who: &somebody{access: accounts.Access{Person: accounts.Person{NewPerson: accounts.NewPerson{ID: "zhang"}}}}},
	} {
		if got, most := holderOf(v); got != want || most == 0 {
			t.Errorf("%q, %d; want %q", got, most, want)
		}
	}
	for _, from := range []string{"127.0.0.1", "::1", "10.1.2.3"} {
		if got, _ := holderOf(&visit{accounts: proxied, site: site{from: netip.MustParseAddr(from)}}); got != "" {
			t.Errorf("%s: %q, want nobody in particular", from, got)
		}
	}
	if got, _ := holderOf(&visit{site: site{from: netip.MustParseAddr("192.0.2.7")}}); got != "" {
		t.Error(fmt.Sprint("without accounts: ", got))
	}
}
