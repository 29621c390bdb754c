package line

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// stillness is a connection on which nothing comes.
type stillness struct {
	net.Conn
	deadlines int
}

func (s *stillness) SetDeadline(time.Time) error { s.deadlines++; return nil }
func (s *stillness) Read([]byte) (int, error)    { return 0, os.ErrDeadlineExceeded }

// descriptor is that of a stillness. Its control stands for what is done on it.
type descriptor struct{ control func() error }

func (d descriptor) Control(func(uintptr)) error    { return d.control() }
func (d descriptor) Read(func(uintptr) bool) error  { return os.ErrDeadlineExceeded }
func (d descriptor) Write(func(uintptr) bool) error { return os.ErrDeadlineExceeded }

func inStillness(control func() error) (*link, *stillness) {
	s := new(stillness)
	return &link{port: s, raw: descriptor{control}}, s
}

// TestOneNapAtATime: while one line naps another waits by the runtime's timers,
// and afterwards it may nap itself, whatever became of the first nap.
func TestOneNapAtATime(t *testing.T) {
	if napTime == 0 {
		t.Skip("nobody naps on this system")
	}
	const wait = napTime / 2
	ctx, until := context.Background(), time.Now().Add(wait)
	for _, failure := range []error{nil, errors.New("the port is gone")} {
		asleep, wakeUp := make(chan struct{}, 2), make(chan struct{})
		first, _ := inStillness(func() error { asleep <- struct{}{}; <-wakeUp; return failure })
		woke := make(chan error)
		go func() {
			_, err := first.pause(ctx, until, wait)
			woke <- err
		}()
		<-asleep
		naps := 0
		second, quiet := inStillness(func() error { naps++; return nil })
		if _, err := second.pause(ctx, until, wait); !errors.Is(err, os.ErrDeadlineExceeded) || naps != 0 || quiet.deadlines != 1 {
			t.Errorf("beside a nap: %d naps, %d deadlines, %v", naps, quiet.deadlines, err)
		}
		close(wakeUp)
		if err := <-woke; !errors.Is(err, failure) {
			t.Errorf("the first wakes with %v, want %v", err, failure)
		}
		if _, err := second.pause(ctx, until, wait); err != nil || naps != 2 || quiet.deadlines != 1 { // the nap, and the look at what came
			t.Fatalf("after the nap: %d uses of the descriptor, %d deadlines, %v", naps, quiet.deadlines, err)
		}
	}
}
