package lab

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// registers is a slave of Modbus RTU with units 1 to 3, whose registers hold
// their own number plus 256 times the unit.
type registers struct{}

func (registers) Frame(b []byte) (skip, n int) {
	for skip := range b {
		if len(b) >= skip+8 && (b[skip+1] == 3 || b[skip+1] == 4) && crc16(b[skip:skip+8]) == 0 {
			return skip, 8
		}
	}
	return 0, 0
}

func (registers) Answer(dst, frame []byte, _ time.Time) []byte {
	if frame[0] > 3 {
		return dst
	}
	from := len(dst)
	dst = append(dst, frame[0], frame[1], 2*frame[5])
	for i := range frame[5] {
		dst = append(dst, frame[0], frame[3]+i)
	}
	dst = append(dst, 0, 0)
	rtu.mend(dst[from:])
	return dst
}

// fixed is a slave that knows requests and their answers by heart.
type fixed map[string]string

func (f fixed) Frame(b []byte) (skip, n int) {
	for request := range f {
		q := unhex(request)
		if at := bytes.Index(b, q); at >= 0 {
			return at, len(q)
		}
	}
	return 0, 0
}

func (f fixed) Answer(dst, frame []byte, _ time.Time) []byte {
	return append(dst, unhex(f[hex.EncodeToString(frame)])...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Frames of DL/T 645-2007 as published: forward active energy of meter
// 000000000161, 0.26 kW.h [hwhale.com article 138066], with lead-in; and one of
// CJ/T 188 made by hand after its clause 6.
const (
	dltAsk    = "68610100000000681104333334331416"
	dltAnswer = "fefefefe686101000000006891083333343359333333" + "8a16"
	cjtAsk    = "681001000000000000" + "0103901f05" + "31" + "16"
	cjtAnswer = "681001000000000000" + "8108901f0512345678 2c" + "00" + "16"
)

// mixed returns slaves of three protocols.
func mixed() []Slave {
	answer := unhex(cjtAnswer)
	cjt188.mend(answer)
	ask := unhex(cjtAsk)
	cjt188.mend(ask)
	return []Slave{registers{}, fixed{dltAsk: dltAnswer}, fixed{hex.EncodeToString(ask): hex.EncodeToString(answer)}}
}

func ask(unit, at, count byte) []byte {
	q := []byte{unit, 3, 0, at, 0, count, 0, 0}
	rtu.mend(q)
	return q
}

func answerTo(q []byte) []byte { return registers{}.Answer(nil, q, time.Time{}) }

// onBus runs f as the master of a line on a clock of its own.
func onBus(t *testing.T, c Config, f func(b *Bus, m *master)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if c.Slaves == nil {
			c.Slaves = mixed()
		}
		b, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		m := &master{t: t, conn: ours, got: make(chan arrival, 100000)}
		served := make(chan error, 1)
		go func() { served <- b.Serve(ctx, Conn{theirs}) }()
		go m.listen()
		synctest.Wait()
		f(b, m)
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = ours.Close()
	})
}

// master is the other end of the wire, by raw bytes.
type master struct {
	t    *testing.T
	conn net.Conn
	got  chan arrival
}

// arrival is a run of bytes and when it came.
type arrival struct {
	at    time.Time
	bytes []byte
}

func (m *master) listen() {
	buf := make([]byte, 512)
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			close(m.got)
			return
		}
		m.got <- arrival{time.Now(), slices.Clone(buf[:n])}
	}
}

func (m *master) send(q []byte) {
	m.t.Helper()
	if _, err := m.conn.Write(q); err != nil {
		m.t.Fatal(err)
	}
}

// hear returns everything that comes within d, and when the first and the last
// byte came.
func (m *master) hear(d time.Duration) (all []byte, first, last time.Time) {
	end := time.After(d)
	for {
		select {
		case a := <-m.got:
			if all == nil {
				first = a.at
			}
			all, last = append(all, a.bytes...), a.at
		case <-end:
			return all, first, last
		}
	}
}

// TestWireTime has the figures of Modbus over serial line V1.02 2.5.1.1 and the
// reckoning of a character by hand.
func TestWireTime(t *testing.T) {
	for _, tt := range []struct {
		s             Serial
		byte, silence time.Duration // in microseconds
	}{
		{Serial{Baud: 9600}, 1041, 3645},
		{Serial{Baud: 9600, Parity: Even}, 1145, 4010},
		{Serial{Baud: 2400, Parity: Odd}, 4583, 16041},
		{Serial{Baud: 19200, Parity: Even}, 572, 2005},
		{Serial{Baud: 38400, StopBits: 2}, 286, 1750},
		{Serial{Baud: 1200, DataBits: 7, Parity: Even}, 8333, 29166},
		{Serial{}, 0, 0},
	} {
		if b, s := tt.s.Wire(1)/time.Microsecond, tt.s.Silence()/time.Microsecond; b != tt.byte || s != tt.silence {
			t.Errorf("%s: a character takes %d µs, the silence %d µs; want %d and %d", tt.s, b, s, tt.byte, tt.silence)
		}
	}
}

func TestEveryByteHasItsTime(t *testing.T) {
	for _, s := range []Serial{{Baud: 1200}, {Baud: 2400, Parity: Even}, {Baud: 9600}, {Baud: 9600, DataBits: 7, Parity: Odd, StopBits: 2}, {Baud: 115200}} {
		t.Run(s.String(), func(t *testing.T) {
			turnaround := max(20*time.Millisecond, s.Silence())
			onBus(t, Config{Serial: s, Turnaround: turnaround}, func(b *Bus, m *master) {
				q := ask(2, 10, 30)
				start := time.Now()
				m.send(q)
				got, first, last := m.hear(10 * time.Second)
				if !bytes.Equal(got, answerTo(q)) {
					t.Fatalf("got % x", got)
				}
				begin := start.Add(s.Wire(len(q)) + turnaround)
				if early := begin.Add(s.Wire(1)).Sub(first); early > 0 || early < -together {
					t.Errorf("the first byte came %s after its time", -early)
				}
				if want := begin.Add(s.Wire(len(got))); !last.Equal(want) {
					t.Errorf("the last byte came %s after its time", last.Sub(want))
				}
				want := s.Wire(len(q)+len(got)) + turnaround + s.Silence()
				if st := b.Stats(); st.InUse.Round(time.Microsecond) != want.Round(time.Microsecond) || st.Wire.Round(time.Microsecond) != want.Round(time.Microsecond) || st.Requests != 1 || st.Answered != 1 ||
					st.BytesIn != 8 || st.BytesOut != uint64(len(got)) || st.Overlaps+st.Hasty != 0 {
					t.Errorf("%+v, want wire %s", st, want)
				}
			})
		})
	}
}

// TestLeadInIsOnTheWire: the bytes FE before a request take their time and are
// part of it; what stands before them is not.
func TestLeadInIsOnTheWire(t *testing.T) {
	s := Serial{Baud: 2400, Parity: Even}
	for _, lead := range []string{"", "FE FE FE FE", "00 11 FE"} {
		onBus(t, Config{Serial: s, Turnaround: 20 * time.Millisecond}, func(b *Bus, m *master) {
			m.send(unhex(lead + dltAsk))
			got, _, _ := m.hear(time.Second)
			if !bytes.Equal(got, unhex(dltAnswer)) {
				t.Fatalf("lead-in %q: got % x", lead, got)
			}
			in := strings.Count(lead, "FE") + len(unhex(dltAsk))
			garbage := len(unhex(lead+dltAsk)) - in
			want := s.Wire(in+len(got)) + max(20*time.Millisecond, s.Silence()) + s.Silence()
			if st := b.Stats(); st.BytesIn != uint64(in) || st.Garbage != uint64(garbage) || (st.Wire-want).Abs() > time.Microsecond {
				t.Errorf("lead-in %q: %+v, want %d bytes in, %d of garbage, wire %s", lead, st, in, garbage, want)
			}
		})
	}
}

func TestNoBaudIsNoTime(t *testing.T) {
	onBus(t, Config{}, func(_ *Bus, m *master) {
		start := time.Now()
		for range 100 {
			m.send(ask(1, 0, 100))
			<-m.got
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("100 requests took %s", d)
		}
	})
}

func TestThreeProtocolsOnOneWire(t *testing.T) {
	onBus(t, Config{Serial: Serial{Baud: 2400, Parity: Even}, Jitter: 10 * time.Millisecond}, func(b *Bus, m *master) {
		cjtQ, cjtA := unhex(cjtAsk), unhex(cjtAnswer)
		cjt188.mend(cjtQ)
		cjt188.mend(cjtA)
		for range 3 {
			for _, e := range [][2][]byte{{ask(3, 1, 4), answerTo(ask(3, 1, 4))}, {unhex(dltAsk), unhex(dltAnswer)}, {cjtQ, cjtA}} {
				m.send(e[0])
				if got, _, _ := m.hear(time.Second); !bytes.Equal(got, e[1]) {
					t.Errorf("% x: got % x, want % x", e[0], got, e[1])
				}
			}
		}
		if st := b.Stats(); st.Requests != 9 || st.Answered != 9 || st.Garbage != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestNobodyThere(t *testing.T) {
	onBus(t, Config{Serial: Serial{Baud: 9600}}, func(b *Bus, m *master) {
		m.send(ask(9, 0, 1))
		if got, _, _ := m.hear(time.Minute); got != nil {
			t.Errorf("got % x", got)
		}
		if st := b.Stats(); st.Requests != 1 || st.Silent != 1 || st.Answered != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestRequestsInPieces: a request may come byte by byte, after rubbish, and a
// part of one is forgotten after a while.
func TestRequestsInPieces(t *testing.T) {
	onBus(t, Config{Serial: Serial{Baud: 9600}}, func(b *Bus, m *master) {
		q := ask(1, 5, 2)
		for _, c := range append([]byte{0xFE, 0x68, 0}, q...) {
			m.send([]byte{c})
		}
		if got, _, _ := m.hear(time.Second); !bytes.Equal(got, answerTo(q)) {
			t.Errorf("got % x", got)
		}
		m.send(q[:5])
		m.hear(time.Second)
		m.send(q[5:])
		if got, _, _ := m.hear(time.Second); got != nil {
			t.Errorf("a request torn by a second was answered: % x", got)
		}
		if st := b.Stats(); st.Garbage != 3+5 {
			t.Errorf("%d bytes of rubbish, want 8", st.Garbage)
		}
	})
}

func TestMannersAreNoted(t *testing.T) {
	onBus(t, Config{Serial: Serial{Baud: 9600}}, func(b *Bus, m *master) {
		q := ask(1, 0, 50)
		m.send(q)
		m.hear(50 * time.Millisecond) // the answer is under way
		m.send(q)
		got, _, _ := m.hear(time.Second)
		if len(got) < len(answerTo(q)) {
			t.Errorf("only %d bytes after the second request", len(got))
		}
		m.send(ask(1, 0, 1))
		for n := 0; n < 7; {
			n += len((<-m.got).bytes)
		}
		m.send(ask(1, 0, 1)) // at the moment of the last byte
		m.hear(time.Second)
		if st := b.Stats(); st.Overlaps != 1 || st.Hasty != 1 {
			t.Errorf("overlaps %d, hasty %d, want 1 and 1", st.Overlaps, st.Hasty)
		}
	})
}

func TestServerSeatsOneAndThenTheNext(t *testing.T) {
	b, err := New(Config{Slaves: mixed()})
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, Server{Listener: ln}) }()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	q := ask(1, 0, 3)
	exchange := func(conn net.Conn) {
		t.Helper()
		got := make([]byte, len(answerTo(q)))
		if _, err := conn.Write(q); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, answerTo(q)) {
			t.Fatalf("% x, %v", got, err)
		}
	}
	first, second := dial(), dial()
	defer second.Close()
	exchange(first)
	if _, err := second.Write(q); err != nil {
		t.Fatal(err)
	}
	exchange(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(answerTo(q)))
	if _, err := io.ReadFull(second, got); err != nil { // its question waited
		t.Fatal(err)
	}
	exchange(second)
	b.mu.Lock()
	if n := len(b.clients); n != 1 {
		t.Errorf("%d clients are given bytes, one is there", n)
	}
	b.mu.Unlock()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := second.Read(got); err == nil {
		t.Error("the connection outlives the line")
	}
}

func TestServeEndsWithItsListener(t *testing.T) {
	b, err := New(Config{Name: "x", Slaves: mixed()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := b.Serve(t.Context(), Server{Listener: ln}); err == nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	slaves := mixed()
	for name, c := range map[string]Config{
		"nobody":     {},
		"baud":       {Slaves: slaves, Serial: Serial{Baud: 1}},
		"data bits":  {Slaves: slaves, Serial: Serial{Baud: 9600, DataBits: 9}},
		"parity":     {Slaves: slaves, Serial: Serial{Baud: 9600, Parity: "mark"}},
		"stop bits":  {Slaves: slaves, Serial: Serial{Baud: 9600, StopBits: 3}},
		"turnaround": {Slaves: slaves, Turnaround: -1},
		"rate":       {Slaves: slaves, Faults: Faults{Rates: map[Fault]float64{Late: 2}}},
		"sum":        {Slaves: slaves, Faults: Faults{Rates: map[Fault]float64{Late: 0.6, Torn: 0.6}}},
		"late by":    {Slaves: slaves, Faults: Faults{LateBy: -1}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
