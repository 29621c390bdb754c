package line

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openPort opens a serial port for this process alone and sets it up.
//
// It does without go.bug.st/serial, which waits with select(2): that panics
// when the process has more than 1,024 descriptors, as a collector of many
// lines has, and its reads can only be ended by closing the port.
func openPort(device string, s Serial) (Port, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	// The runtime waits for what is opened without blocking.
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := setUp(f, s); err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s as %s: %w", device, s, err), f.Close())
	}
	return f, nil
}

// setUp locks the port, sets its mode and forgets what it had received before.
func setUp(f *os.File, s Serial) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = setUpFD(int(fd), s) })
	return errors.Join(err, failed)
}

func setUpFD(fd int, s Serial) error {
	// The lock keeps out every program that asks for it, also one of root;
	// TIOCEXCL keeps out those that do not, but not root's.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another program uses it")
		}
		return err
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, termios(s)); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
}

// termios returns the mode of s: raw, without flow control, modem lines
// ignored. A character with a wrong parity is read as 0, and the frame's
// checksum then fails.
func termios(s Serial) *unix.Termios {
	t := &unix.Termios{
		Cflag:  unix.CREAD | unix.CLOCAL | unix.BOTHER | unix.CS8,
		Ispeed: uint32(s.Baud), Ospeed: uint32(s.Baud),
	}
	if s.DataBits == 7 {
		t.Cflag = t.Cflag&^unix.CSIZE | unix.CS7
	}
	if s.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	switch s.Parity {
	case Even:
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK
	case Odd:
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK
	}
	t.Cc[unix.VMIN] = 1
	return t
}
