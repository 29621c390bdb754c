package line

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"citygrid/adapters"
)

// tracedWord is a word that says what it speaks, and has a secret: 0x11.
type tracedWord struct{ word }

func (*tracedWord) Protocol() string { return "word" }
func (*tracedWord) Conceal(b []byte) {
	for i := range b {
		if b[i] == 0x11 {
			b[i] = 0
		}
	}
}

// askTraced sends w and returns what the error tells of the wire; ok is false when it
// tells nothing.
func askTraced(t *testing.T, l *Line, w Request) (e adapters.Exchange, ok bool, err error) {
	t.Helper()
	turn, err := l.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	_, err = turn.Ask(t.Context(), w, 0)
	e, ok = adapters.ExchangeOf(err)
	return e, ok, err
}

// TestFailureTellsWhatWasOnTheWire: the request, all that came for it and nothing
// that came for another.
func TestFailureTellsWhatWasOnTheWire(t *testing.T) {
	many := bytes.Repeat([]byte{0xFE}, maxTrace+9)
	for _, c := range []struct {
		name  string
		gives func(n int, ask byte, w io.Writer)
		want  []byte
		cut   int
		cause adapters.Cause
	}{
		{"nothing", func(int, byte, io.Writer) {}, nil, 0, adapters.NoAnswer},
		{"a part", reply(0, 7), []byte{7}, 0, adapters.CutShort},
		{"a wrong frame", reply(0, 7, 7), []byte{7, 7}, 0, adapters.BadAnswer},
		{"a refusal", reply(0, right(0x7F)...), right(0x7F), 0, adapters.Refused},
		{"a secret", reply(0, 0x11), []byte{0}, 0, adapters.CutShort},
		{"more than is kept", reply(0, many...), many[:maxTrace], 9, adapters.CutShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{Serial: nine(), QuietTime: -1}, c.gives, func(t *testing.T, l *Line, w *wire) {
				e, ok, err := askTraced(t, l, &tracedWord{word{ask: 5}})
				if !ok {
					t.Fatalf("the error tells nothing: %v", err)
				}
				if !bytes.Equal(e.Sent, []byte{5}) || !bytes.Equal(e.Received, c.want) || e.SentCut != 0 || e.ReceivedCut != c.cut {
					t.Errorf("sent % X (+%d), received % X (+%d), want 05 and % X (+%d)", e.Sent, e.SentCut, e.Received, e.ReceivedCut, c.want, c.cut)
				}
				if e.Protocol != "word" || !e.At.Equal(time.Now()) || adapters.CauseOf(err) != c.cause {
					t.Errorf("%s at %s, cause %q, want %q", e.Protocol, e.At, adapters.CauseOf(err), c.cause)
				}
			})
		})
	}
}

// TestFailureKeepsToItsOwnExchange: what came for one request is not told of the
// next, and what the line threw away before a request is not its answer.
func TestFailureKeepsToItsOwnExchange(t *testing.T) {
	first := func(n int, ask byte, w io.Writer) {
		if n == 0 {
			w.Write([]byte{0x21})
			time.Sleep(500 * time.Millisecond) // in the quiet time, which is a second
			w.Write([]byte{0x22})
		}
	}
	bubble(t, Config{Serial: nine()}, first, func(t *testing.T, l *Line, w *wire) {
		if e, _, _ := askTraced(t, l, &tracedWord{word{ask: 5}}); !bytes.Equal(e.Received, []byte{0x21}) {
			t.Errorf("the first exchange received % X", e.Received)
		}
		if e, ok, err := askTraced(t, l, &tracedWord{word{ask: 6}}); !ok || !bytes.Equal(e.Sent, []byte{6}) || len(e.Received) > 0 {
			t.Errorf("the second exchange sent % X and received % X: %v", e.Sent, e.Received, err)
		}
	})
}

// TestFailureWithoutBytes: where nothing went over the line there is nothing to tell,
// and a request that names no protocol tells nothing.
func TestFailureWithoutBytes(t *testing.T) {
	gone := errors.New("unplugged")
	l := New(Config{Address: "/dev/none", Open: func(string, Serial) (Port, error) { return nil, gone }})
	if _, ok, err := askTraced(t, l, &tracedWord{}); ok || !errors.Is(err, gone) || adapters.CauseOf(err) != adapters.Unreachable {
		t.Errorf("an exchange on a line that is not there: %v, %v", ok, err)
	}
	bubble(t, Config{Serial: nine()}, func(int, byte, io.Writer) {}, func(t *testing.T, l *Line, _ *wire) {
		if _, ok, err := askTraced(t, l, &word{ask: 5}); ok || !isNoAnswer(err) {
			t.Errorf("a request without a protocol tells of an exchange: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		turn, err := l.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err = turn.Ask(ctx, &tracedWord{word{ask: 5}}, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		turn.End()
	})
}
