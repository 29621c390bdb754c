package card

import (
	"net"
	"syscall"
)

// quickAck asks the kernel to acknowledge at once. The kernel forgets it by and
// by, hence before each read. It is only about speed: errors do not matter.
func quickAck(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
