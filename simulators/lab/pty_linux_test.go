package lab

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mustTerminal serves a line on a pseudo-terminal.
func mustTerminal(t testing.TB, c Config) (*Bus, string) {
	t.Helper()
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	term, err := OpenTerminal()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, term) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b, term.Path()
}

// TestTerminalIsRawAndReopens: every byte value passes unchanged both ways, and
// the port may be closed and opened again, even by one who left it locked.
func TestTerminalIsRawAndReopens(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	_, path := mustTerminal(t, Config{Slaves: []Slave{mirror{}}})
	for range 3 {
		port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.IoctlSetInt(int(port.Fd()), unix.TIOCEXCL, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := port.Write(every); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(every))
		if _, err := io.ReadFull(port, got); err != nil || !bytes.Equal(got, every) {
			t.Fatalf("% x, %v", got, err)
		}
		if err := port.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// mirror answers 256 bytes with themselves.
type mirror struct{}

func (mirror) Frame(b []byte) (skip, n int) { return 0, len(b) / 256 * 256 }

func (mirror) Answer(dst, frame []byte, _ time.Time) []byte { return append(dst, frame...) }

func TestTerminalThatNobodyReadsDoesNotHang(t *testing.T) {
	b, path := mustTerminal(t, Config{Slaves: mixed()})
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	q := ask(1, 0, 120)
	for range 100 { // 24 kB of answers, more than a terminal holds
		if _, err := port.Write(q); err != nil {
			t.Fatal(err)
		}
	}
	for b.Stats().Requests < 50 {
		if t.Context().Err() != nil {
			return
		}
	}
}

// BenchmarkCycle9600 asks eight meters in turn over a pseudo-terminal, as fast
// as the wire allows, and reports how much longer than the wire time it takes.
func BenchmarkCycle9600(b *testing.B) {
	bus, path := mustTerminal(b, Config{Slaves: mixed(), Serial: Serial{Baud: 9600}, Turnaround: 10 * time.Millisecond})
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer port.Close()
	silence := bus.c.Serial.Silence()
	for i := 0; b.Loop(); i++ {
		q := ask(byte(1+i%3), 0, 20)
		if _, err := port.Write(q); err != nil {
			b.Fatal(err)
		}
		got := make([]byte, 45)
		if _, err := io.ReadFull(port, got); err != nil || !bytes.Equal(got, answerTo(q)) {
			b.Fatalf("% x, %v", got, err)
		}
		time.Sleep(silence)
	}
	st := bus.Stats()
	b.ReportMetric(float64(st.InUse)/float64(st.Wire), "x-wire")
	b.ReportMetric(float64(st.Overlaps+st.Hasty), "out-of-turn")
}
