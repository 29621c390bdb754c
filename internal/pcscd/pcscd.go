// Package pcscd runs a pcscd of its own beside the system's, with virtual
// readers into which simulated cards are put: the real PC/SC stack for tests and
// for the demo, without hardware.
//
// The daemon is Debian's pcscd with the driver of vsmartcard-vpcd. Three
// findings shape the package, measured with pcscd 1.9.9 and vpcd 3.3:
//
//   - pcscd knows no option and no variable for the path of its own socket
//     (PCSCLITE_CSOCK_NAME is the client's), but it takes a listening socket from
//     its parent in systemd's manner [sd_listen_fds(3)]. That makes it private.
//   - The driver listens on two neighbouring ports, one for each slot, of all
//     interfaces: while a Daemon runs, whoever reaches this machine can put a
//     card into a virtual reader, and no more than that. Its reversed mode, in
//     which it calls us, ends pcscd at the first card that is removed.
//   - When a port is taken, pcscd runs on without readers. Start looks, and tries
//     another pair.
//
// One thing cannot be told to pcscd: it writes its process id to
// /run/pcscd/pcscd.pid, and needs that folder. A daemon of the system loses
// nothing by that but "pcscd --hotplug", until it is started again.
package pcscd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"citygrid/adapters/cardslot/pcsc"
	"citygrid/internal/child"
)

// Slots is how many readers a Daemon has.
const Slots = 2

// friendlyName is what the readers are called.
const friendlyName = "citygrid virtual reader"

// Reader returns the name of the reader of a slot, as PC/SC tells it.
func Reader(slot int) string { return fmt.Sprintf("%s 00 %02X", friendlyName, slot) }

// Serve is a card: it answers the virtual reader on conn in the vpcd protocol
// until conn is closed, which is how the card is removed. When it returns by
// itself, the card has gone out of the slot by itself.
type Serve func(ctx context.Context, conn net.Conn) error

// Options say how a Daemon runs.
type Options struct {
	// Log gets what pcscd says; nil keeps only the end of it, for errors.
	Log io.Writer
	// Trace makes pcscd say every command and answer.
	Trace bool
}

// Daemon is a running pcscd. Its methods may be called from any goroutine.
type Daemon struct {
	dir   string
	proc  *child.Process
	slots [Slots]*slot
	log   *tail

	stop sync.Once
	err  error
}

// Limits of a start, which takes about 0.1 s.
const (
	readyTimeout = 10 * time.Second
	maxStarts    = 5 // pairs of ports
)

// Start starts a daemon with empty readers and waits until they are there. The
// caller must Stop it. The error is that of Missing when this machine lacks a
// part.
func Start(ctx context.Context, o Options) (*Daemon, error) {
	program, driver, err := find()
	if err != nil {
		return nil, err
	}
	for range maxStarts {
		var d *Daemon
		d, err = start(ctx, program, driver, o)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, pcsc.ErrNoReader) {
			break
		}
	}
	return nil, fmt.Errorf("start pcscd: %w", err)
}

// start makes one attempt. It fails with pcsc.ErrNoReader when a port is taken.
func start(ctx context.Context, program, driver string, o Options) (_ *Daemon, err error) {
	dir, err := os.MkdirTemp("", "citygrid-pcscd-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{dir: dir, log: &tail{out: o.Log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Stop())
		}
	}()
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	for i := range d.slots {
		d.slots[i] = &slot{addr: fmt.Sprintf("127.0.0.1:%d", port+i)}
	}
	if err := d.configure(driver, port); err != nil {
		return nil, err
	}
	if err := d.launch(ctx, program, o.Trace); err != nil {
		return nil, err
	}
	return d, d.ready(ctx)
}

// Socket returns the path of the daemon's socket, for a client's
// PCSCLITE_CSOCK_NAME.
func (d *Daemon) Socket() string { return filepath.Join(d.dir, "pcscd.comm") }

// Insert puts a card into a slot. pcscd sees it at its next look, within half a
// second.
func (d *Daemon) Insert(slot int, card Serve) error { return d.slots[slot].insert(card) }

// Remove takes the card out of a slot, at any moment, and waits until its Serve
// has ended. It returns what Serve returned, unless that is only that the
// connection is closed. Removing nothing is no error.
func (d *Daemon) Remove(slot int) error { return d.slots[slot].remove() }

// Stop removes the cards, ends the daemon and removes its files.
func (d *Daemon) Stop() error {
	d.stop.Do(func() {
		var errs []error
		for _, s := range d.slots {
			if s != nil {
				errs = append(errs, s.remove())
			}
		}
		if d.proc != nil {
			errs = append(errs, d.proc.Stop(5*time.Second))
		}
		d.err = errors.Join(append(errs, os.RemoveAll(d.dir))...)
	})
	return d.err
}

// config is the folder that pcscd reads its readers from.
func (d *Daemon) config() string { return filepath.Join(d.dir, "reader.conf.d") }

// configure writes the readers' configuration [reader.conf(5)]; vpcd takes its
// port from both places.
func (d *Daemon) configure(driver string, port int) error {
	if err := os.Mkdir(d.config(), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n", friendlyName, port, driver, port)
	return os.WriteFile(filepath.Join(d.config(), "vpcd"), []byte(text), 0o644)
}

// launch starts pcscd with the listening socket as its descriptor 3.
func (d *Daemon) launch(ctx context.Context, program string, trace bool) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.Socket(), Net: "unix"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	// Our own copy must not outlive this function: clients of a dead daemon
	// would wait for ever.
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	// LISTEN_PID is the process itself, which only a shell in its place knows.
	args := []string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, program, "--foreground", "--config", d.config()}
	cmd := exec.Command("sh", append(args, flags(ctx, program, trace)...)...)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stdout, cmd.Stderr = d.log, d.log
	d.proc, err = child.Start("pcscd", cmd)
	return err
}

// flags returns the options that depend on the version: from 2.0 on, polkit is
// asked about every client, and where there is no D-Bus it says no.
func flags(ctx context.Context, program string, trace bool) (flags []string) {
	help, _ := exec.CommandContext(ctx, program, "--help").Output() // the text decides, whatever the exit code
	if bytes.Contains(help, []byte("--disable-polkit")) {
		flags = append(flags, "--disable-polkit")
	}
	if trace {
		return append(flags, "--debug", "--apdu")
	}
	return append(flags, "--error")
}

// ready waits until the daemon answers and looks at its readers: it has tried
// them all before its first answer.
func (d *Daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client, err := pcsc.Open(ctx, pcsc.Options{Socket: d.Socket()})
	if err != nil {
		return d.notReady(err)
	}
	names, err := client.Readers(ctx)
	if err != nil {
		return d.notReady(err)
	}
	if len(names) != Slots {
		return fmt.Errorf("it has the readers %q, want %d of them", names, Slots)
	}
	return nil
}

// endTimeout is how long after its last word a daemon that ends is gone.
const endTimeout = time.Second

// notReady tells a daemon that ended from one that does not answer as it should.
func (d *Daemon) notReady(err error) error {
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-d.proc.Done():
		return fmt.Errorf("it ended by itself (%v); it says: %s", d.proc.State(), d.log)
	case <-timer.C:
		return fmt.Errorf("%w; it says: %s", err, d.log)
	}
}

// tail passes on what pcscd says, or keeps the end of it.
type tail struct {
	out io.Writer

	mu   sync.Mutex
	last []byte
}

// maxTail is how much of its log an error quotes.
const maxTail = 2048

func (t *tail) Write(p []byte) (int, error) {
	if t.out != nil {
		return t.out.Write(p)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
