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

// counted calls done with the last of so many requests.
type counted struct {
	registers
	left *int
	done func()
}

func (c counted) Answer(dst, frame []byte, t time.Time) []byte {
	if *c.left--; *c.left == 0 {
		c.done()
	}
	return c.registers.Answer(dst, frame, t)
}

func TestTerminalThatNobodyReadsDoesNotHang(t *testing.T) {
	const requests = 100 // 24 kB of answers, more than a terminal holds
	left, answered := requests/2, make(chan struct{})
	_, path := mustTerminal(t, Config{Slaves: []Slave{counted{left: &left, done: func() { close(answered) }}}})
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	q := ask(1, 0, 120)
	for range requests {
		if _, err := port.Write(q); err != nil {
			t.Fatal(err)
		}
	}
	<-answered
}

// BenchmarkCycle9600 asks three meters in turn over a pseudo-terminal and reports
// how much later than on a wire of 9600 Bd the last byte of an answer is there.
// The next request follows at once: the silence before it is the master's part,
// which the benchmark of adapters/modbus measures.
func BenchmarkCycle9600(b *testing.B) {
	const turnaround = 10 * time.Millisecond
	bus, path := mustTerminal(b, Config{Slaves: mixed(), Serial: Serial{Baud: 9600}, Turnaround: turnaround})
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer port.Close()
	got := make([]byte, 45)
	var late time.Duration
	for i := 0; b.Loop(); i++ {
		q := ask(byte(1+i%3), 0, 20)
		begun := time.Now()
		if _, err := port.Write(q); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(port, got); err != nil || !bytes.Equal(got, answerTo(q)) {
			b.Fatalf("% x, %v", got, err)
		}
		late += time.Since(begun) - bus.c.Serial.Wire(len(q)+len(got)) - turnaround
	}
	b.ReportMetric(float64(late.Microseconds())/float64(b.N), "us-late/op")
	b.ReportMetric(float64(bus.Stats().Overlaps), "overlaps")
}
