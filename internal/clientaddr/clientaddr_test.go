package clientaddr

import (
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:0:1:2::5": "2001:db8:0:1::",
		"fe80::1%eth0": "fe80::", "::1": "::",
	} {
		if got := Of(netip.MustParseAddr(from)); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts for %s, want %s", from, got, want)
		}
	}
	if Of(netip.Addr{}).IsValid() {
		t.Error("no address became one")
	}
}
