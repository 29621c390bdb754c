// Package clientaddr says whom limits by address count for.
package clientaddr

import "net/netip"

// Of returns who has an address: an IPv4 address, or the first one of the whole /64 for
// IPv6, which is what one subscriber has [RFC 6177 2]. An invalid address is returned as
// it is.
func Of(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	if p, err := from.Prefix(64); from.Is6() && err == nil {
		from = p.Addr()
	}
	return from
}
