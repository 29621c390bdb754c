package pcscd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
)

// mustStart starts a daemon or skips the test.
func mustStart(t *testing.T, o Options) *Daemon {
	t.Helper()
	if err := Missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	d, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestTwoDaemons checks that daemons do not disturb each other, and that nothing
// is left of them.
func TestTwoDaemons(t *testing.T) {
	a, b := mustStart(t, Options{}), mustStart(t, Options{})
	for _, d := range []*Daemon{a, b} {
		if _, err := os.Stat(d.Socket()); err != nil {
			t.Error(err)
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after the stop, %s: %v", d.dir, err)
		}
		if d.proc.State() == nil {
			t.Errorf("after the stop, pcscd %d runs", d.proc.Pid())
		}
	}
}

func TestSlots(t *testing.T) {
	d := mustStart(t, Options{})
	broken := errors.New("the card is broken")
	silent := func(_ context.Context, conn net.Conn) error {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	if err := d.Remove(0); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
	if err := d.Insert(0, silent); err != nil {
		t.Fatal(err)
	}
	if err := d.Insert(0, silent); err == nil {
		t.Error("two cards in one slot")
	}
	if err := d.Insert(1, func(context.Context, net.Conn) error { return broken }); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(0); err != nil {
		t.Errorf("removing a good card: %v", err)
	}
	if err := <-d.slots[1].card.done; !errors.Is(err, broken) {
		t.Errorf("the broken card ended with %v", err)
	} else {
		d.slots[1].card.done <- err
	}
	if err := d.Remove(1); !errors.Is(err, broken) {
		t.Errorf("removing a broken card: %v", err)
	}
}

// lockedBuffer is a buffer that pcscd may write while the test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func TestTrace(t *testing.T) {
	var log lockedBuffer
	d := mustStart(t, Options{Log: &log, Trace: true})
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.buf.String(), "CMD_GET_READERS_STATE") {
		t.Errorf("the trace shows no command:\n%s", log.buf.String())
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var log tail
	for range maxTail {
		log.Write([]byte("ab"))
	}
	log.Write([]byte("the end\n"))
	if s := log.String(); len(s) != maxTail-1 || !strings.HasSuffix(s, "abthe end") {
		t.Errorf("%d bytes, ending in %q", len(s), s[max(0, len(s)-20):])
	}
}
