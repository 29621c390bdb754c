package lab

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal: a serial port without hardware. Its terminal
// side may be opened and closed as often as one likes.
type Terminal struct {
	line, port *os.File // the two sides; port is kept open
	control    syscall.RawConn
}

// OpenTerminal returns a new pseudo-terminal in raw mode. Bus.Serve closes it;
// without, call Close.
func OpenTerminal() (*Terminal, error) {
	line, port, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	t := &Terminal{port: port}
	if err := t.prepare(line); err != nil {
		_ = line.Close()
		_ = port.Close()
		return nil, fmt.Errorf("pseudo-terminal %s: %w", port.Name(), err)
	}
	return t, nil
}

// prepare takes the line's side over and makes the port raw.
func (t *Terminal) prepare(line *os.File) error {
	// pty.Open leaves the descriptor blocking, and a blocking read cannot be
	// ended by closing it.
	fd, err := unix.FcntlInt(line.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return err
	}
	mode, err := unix.IoctlGetTermios(int(t.port.Fd()), unix.TCGETS)
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(t.port.Fd()), unix.TCSETS, mode); err != nil {
		_ = unix.Close(fd)
		return err
	}
	t.line = os.NewFile(uintptr(fd), line.Name())
	if t.control, err = t.port.SyscallConn(); err != nil {
		return err
	}
	return line.Close()
}

// Path returns the device to open: /dev/pts/3.
func (t *Terminal) Path() string { return t.port.Name() }

// Read reads what the master wrote.
func (t *Terminal) Read(p []byte) (int, error) {
	n, err := t.line.Read(p)
	// A master that was killed leaves the port to nobody else, for as long as
	// this side is open; a real port forgets that with the last close.
	_ = t.control.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0) })
	return n, err
}

// Write gives bytes to the master.
func (t *Terminal) Write(p []byte) (int, error) { return t.line.Write(p) }

// SetWriteDeadline bounds a Write while nobody reads.
func (t *Terminal) SetWriteDeadline(at time.Time) error { return t.line.SetWriteDeadline(at) }

// Close gives the terminal back.
func (t *Terminal) Close() error {
	err := t.line.Close()
	if second := t.port.Close(); err == nil {
		err = second
	}
	return err
}

func (t *Terminal) serve(ctx context.Context, b *Bus) error {
	b.attend(ctx, t)
	if ctx.Err() == nil {
		return fmt.Errorf("pseudo-terminal %s was closed", t.Path())
	}
	return nil
}

// nap waits for d, to the tenth of a millisecond.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // when it is cut short the caller looks at the clock again
}
