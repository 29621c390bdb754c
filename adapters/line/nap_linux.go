package line

import (
	"time"

	"golang.org/x/sys/unix"
)

// napTime is the longest wait that nap is used for. The runtime's own timers
// are a millisecond coarse while it waits for descriptors, which is a quarter
// of the silence between two frames at 9600 Bd.
const napTime = 2 * time.Millisecond

// nap waits for d, or until there is something to read.
func (k *link) nap(d time.Duration) error {
	ts := unix.NsecToTimespec(int64(d))
	return k.raw.Control(func(fd uintptr) {
		// Whatever it returns, the caller looks at the port and the clock next.
		_, _ = unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &ts, nil)
	})
}
