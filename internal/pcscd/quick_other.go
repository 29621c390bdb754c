//go:build !linux

package pcscd

import "net"

// quick returns conn: other systems have no such option.
func quick(conn net.Conn) net.Conn { return conn }
