package line

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// mustPTY returns a pseudo-terminal.
func mustPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no pseudo-terminal: %v", err)
		}
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { slave.Close(); master.Close() })
	return master, slave
}

// echo answers words until the port is gone.
func echo(wg *sync.WaitGroup, master *os.File) {
	wg.Go(func() {
		b := make([]byte, 1)
		for {
			if _, err := master.Read(b); err != nil {
				return
			}
			master.Write(right(b[0]))
		}
	})
}

// TestReplug: an adapter that is pulled out and plugged in again under another
// name is found by its link; nothing but the read under way is lost.
func TestReplug(t *testing.T) {
	link := filepath.Join(t.TempDir(), "usb-adapter")
	var wg sync.WaitGroup
	defer wg.Wait()
	plug := func() func() {
		master, slave := mustPTY(t)
		os.Remove(link)
		if err := os.Symlink(slave.Name(), link); err != nil {
			t.Fatal(err)
		}
		echo(&wg, master)
		return func() { slave.Close(); master.Close() }
	}
	pull := plug()
	l := New(Config{Address: link, Serial: nine(), Timeout: 2 * time.Second, QuietTime: time.Millisecond})
	defer l.Close()
	for n := range byte(2) {
		if err := ask(t, l, &word{ask: n + 1}, 0); err != nil {
			t.Fatal(err)
		}
	}
	pull()
	var dial *DialError
	err := ask(t, l, &word{ask: 3}, 0) // may find the port still there
	for range 3 {
		if !errors.As(err, &dial) {
			err = ask(t, l, &word{ask: 3}, 0)
		}
	}
	if !errors.As(err, &dial) {
		t.Errorf("without an adapter: %v", err)
	}
	pull = plug()
	defer pull()
	if err := ask(t, l, &word{ask: 4}, 0); err != nil {
		t.Error(err)
	}
	if s := l.Stats(); s.Reconnects != 1 {
		t.Errorf("%+v", s)
	}
}

// TestPortIsOurs: a port in use is not opened a second time.
func TestPortIsOurs(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	master, slave := mustPTY(t)
	defer master.Close()
	defer slave.Close()
	echo(&wg, master)
	c := Config{Address: slave.Name(), Serial: nine(), QuietTime: -1, Timeout: 2 * time.Second}
	first, second := New(c), New(c)
	defer first.Close()
	defer second.Close()
	if err := ask(t, first, &word{ask: 1}, 0); err != nil {
		t.Fatal(err)
	}
	var dial *DialError
	if err := ask(t, second, &word{ask: 2}, 0); !errors.As(err, &dial) {
		t.Errorf("opened twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, second, &word{ask: 3}, 0); err != nil {
		t.Error(err)
	}
}

// TestInterrupt: the end of the context ends a wait on a real port at once.
func TestInterrupt(t *testing.T) {
	_, slave := mustPTY(t)
	l := New(Config{Address: slave.Name(), Serial: nine(), Timeout: time.Hour, QuietTime: -1})
	defer l.Close()
	sent := make(chan struct{}, 1)
	l.monitor = func(Event) { sent <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	turn, err := l.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	go func() { <-sent; cancel() }()
	if _, err := turn.Ask(ctx, &word{ask: 1}, 3); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPortRefuses: settings that cannot be, and what is no terminal.
func TestPortRefuses(t *testing.T) {
	for _, s := range []Serial{{}, {9600, 8, "mark", 1}} {
		if _, err := openPort("/dev/null", s); err == nil {
			t.Errorf("%+v accepted", s)
		}
	}
	if _, err := openPort("/dev/null", *nine()); err == nil {
		t.Error("opened what is no terminal")
	}
}
