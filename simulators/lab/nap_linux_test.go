package lab

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOneNapAtATime: a line answers also while another one naps, takes nothing
// from it, and leaves its own place when it wakes.
func TestOneNapAtATime(t *testing.T) {
	_, path := mustTerminal(t, Config{Slaves: mixed(), Serial: Serial{Baud: 115200}, Turnaround: 2 * time.Millisecond})
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	t.Cleanup(func() { napping.Store(false) })
	for _, other := range []bool{true, false} {
		napping.Store(other)
		for range 3 {
			q := ask(1, 0, 20)
			if _, err := port.Write(q); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 45)
			if _, err := io.ReadFull(port, got); err != nil || !bytes.Equal(got, answerTo(q)) {
				t.Fatalf("% x, %v", got, err)
			}
		}
		if napping.Load() != other {
			t.Errorf("another naps: %t, and after three answers: %t", other, !other)
		}
	}
}
