package lab

import (
	"bytes"
	"testing"
	"time"
)

// certain is a line on which every request meets one fault.
func certain(f Fault) Config {
	return Config{
		Serial: Serial{Baud: 9600}, Turnaround: 10 * time.Millisecond, Seed: 1,
		Faults: Faults{Rates: map[Fault]float64{f: 1}},
	}
}

// whole reports whether b is a frame whose check is right.
func whole(b []byte) bool {
	_, ok := protocolOf(b[leadIn(b):])
	return ok
}

// TestFaultsHappen: each fault shows on the wire as what it is, for every
// protocol, and is counted.
func TestFaultsHappen(t *testing.T) {
	right := map[string][]byte{}
	cjtQ, cjtA := unhex(cjtAsk), unhex(cjtAnswer)
	cjt188.mend(cjtQ)
	cjt188.mend(cjtA)
	right[string(ask(1, 0, 5))], right[string(unhex(dltAsk))], right[string(cjtQ)] = answerTo(ask(1, 0, 5)), unhex(dltAnswer), cjtA
	type heard struct {
		bytes       []byte
		first, last time.Duration // after the request
	}
	const usual = 40 * time.Millisecond // request, turnaround and the first byte
	for kind, check := range map[Fault]func(q, want []byte, got heard) bool{
		Late:  func(_, want []byte, g heard) bool { return bytes.Equal(g.bytes, want) && g.first > DefaultLateBy },
		Slow:  func(_, want []byte, g heard) bool { return bytes.Equal(g.bytes, want) && g.first > DefaultSlowBy },
		Split: func(_, want []byte, g heard) bool { return bytes.Equal(g.bytes, want) && g.first < usual },
		Torn: func(_, want []byte, g heard) bool {
			return bytes.HasPrefix(want, g.bytes) && (len(g.bytes) < len(want) || g.last-g.first > DefaultLateBy)
		},
		Duplicate: func(_, want []byte, g heard) bool { return bytes.Equal(g.bytes, append(bytes.Clone(want), want...)) },
		WrongChecksum: func(_, want []byte, g heard) bool {
			return len(g.bytes) == len(want) && !bytes.Equal(g.bytes, want) && !whole(g.bytes)
		},
		WrongSlave: func(q, want []byte, g heard) bool {
			b := g.bytes[leadIn(g.bytes):]
			p, ok := protocolOf(b)
			return ok && !bytes.Equal(p.address(b), p.address(q))
		},
		Exception: func(q, want []byte, g heard) bool {
			b := g.bytes[leadIn(g.bytes):]
			p, ok := protocolOf(b)
			control := map[protocol]int{rtu: 1, dlt645: dltControl, cjt188: cjtControl}[p]
			return ok && bytes.Equal(p.address(b), p.address(q)) && b[control]&^q[control]&0xC0 != 0
		},
		Reboot: func(_, _ []byte, g heard) bool { return g.bytes == nil },
		Noise:  func(_, want []byte, g heard) bool { return len(g.bytes) > len(want) && bytes.Contains(g.bytes, want) },
		Collision: func(_, want []byte, g heard) bool {
			return g.bytes != nil && !bytes.Contains(g.bytes, want) && !whole(g.bytes)
		},
		Echo: func(q, want []byte, g heard) bool { return bytes.Equal(g.bytes, append(bytes.Clone(q), want...)) },
	} {
		t.Run(kind.String(), func(t *testing.T) {
			onBus(t, certain(kind), func(b *Bus, m *master) {
				n := uint64(0)
				for range 20 {
					for q, want := range right {
						start := time.Now()
						m.send([]byte(q))
						got, first, last := m.hear(DefaultRebootFor + time.Second)
						if !check([]byte(q), want, heard{got, first.Sub(start), last.Sub(start)}) {
							t.Errorf("% x: got % x from %s to %s", q, got, first.Sub(start), last.Sub(start))
						}
						n++
					}
				}
				if st := b.Stats(); st.Faults[kind] != n || st.Requests != n {
					t.Errorf("%d of %d requests met it, want all %d", st.Faults[kind], st.Requests, n)
				}
			})
		})
	}
}

// TestLateAnswersOvertakeOrHold: of two requests the first is late. Then its
// answer comes after the second's, or holds it up.
func TestLateAnswersOvertakeOrHold(t *testing.T) {
	overtaken, held := 0, 0
	for seed := range uint64(40) {
		c := certain(Late)
		c.Seed, c.Faults.Rates = seed, map[Fault]float64{Late: 0.5}
		onBus(t, c, func(b *Bus, m *master) {
			one, two := ask(1, 0, 2), ask(2, 0, 2)
			m.send(one)
			m.hear(100 * time.Millisecond)
			if b.Stats().Faults[Late] == 0 {
				return
			}
			m.send(two)
			got, _, _ := m.hear(5 * time.Second)
			if b.Stats().Faults[Late] == 2 {
				return
			}
			switch {
			case bytes.Equal(got, append(answerTo(two), answerTo(one)...)):
				overtaken++
			case bytes.Equal(got, append(answerTo(one), answerTo(two)...)):
				held++
			default:
				t.Errorf("got % x", got)
			}
		})
	}
	if overtaken == 0 || held == 0 {
		t.Errorf("%d overtaken, %d held up; want some of each", overtaken, held)
	}
}

// TestWrongSlaveIsTheNeighbour where one has been heard of.
func TestWrongSlaveIsTheNeighbour(t *testing.T) {
	onBus(t, certain(WrongSlave), func(_ *Bus, m *master) {
		m.send(ask(2, 0, 5))
		m.hear(time.Second)
		for range 5 {
			m.send(ask(1, 0, 5))
			if got, _, _ := m.hear(time.Second); !bytes.Equal(got, answerTo(ask(2, 0, 5))) {
				t.Errorf("got % x, want the answer of unit 2", got)
			}
		}
	})
}

func TestRebootEnds(t *testing.T) {
	c := certain(Reboot)
	c.Faults.Rates[Reboot] = 0.5
	onBus(t, c, func(b *Bus, m *master) {
		q, rebooted := ask(1, 0, 1), false
		for range 200 {
			m.send(q)
			got, _, _ := m.hear(100 * time.Millisecond)
			if rebooted && got != nil {
				return
			}
			if got == nil && !rebooted {
				rebooted = true
				silent := b.Stats().Silent
				other, _, _ := func() ([]byte, time.Time, time.Time) { m.send(ask(2, 0, 1)); return m.hear(100 * time.Millisecond) }()
				if other == nil && b.Stats().Faults[Reboot] == silent {
					t.Error("the neighbour is silent without a reboot of its own")
				}
			}
		}
		t.Error("no meter came back")
	})
}

// TestRatesAreKept also shows that the faults are a function of the seed.
func TestRatesAreKept(t *testing.T) {
	rates := map[Fault]float64{}
	for i, kind := range FaultKinds() {
		rates[kind] = 0.01 * float64(i+1)
	}
	count := func(seed uint64) map[Fault]uint64 {
		var counts map[Fault]uint64
		c := Config{Seed: seed, Faults: Faults{Rates: rates, RebootFor: time.Nanosecond}}
		onBus(t, c, func(b *Bus, m *master) {
			for range 5000 {
				m.send(ask(1, 0, 1))
				m.hear(2 * time.Second)
			}
			counts = b.Stats().Faults
		})
		return counts
	}
	a, again, other := count(1), count(1), count(2)
	same := true
	for kind, rate := range rates {
		if got := float64(a[kind]) / 5000; got < rate*0.7 || got > rate*1.3 {
			t.Errorf("%s: rate %.4f, want %.4f", kind, got, rate)
		}
		if a[kind] != again[kind] {
			t.Errorf("%s: %d, then %d by the same seed", kind, a[kind], again[kind])
		}
		same = same && a[kind] == other[kind]
	}
	if same {
		t.Error("another seed makes the same faults")
	}
}

// TestCollisionsNeverMakeAFrame, whatever the two answers are.
func TestSpoiltAnswersNeverPass(t *testing.T) {
	for _, kind := range []Fault{Collision, WrongChecksum} {
		c := certain(kind)
		c.Serial.Baud = 0
		onBus(t, c, func(_ *Bus, m *master) {
			for i := range 2000 {
				m.send(ask(1, byte(i), byte(1+i%60)))
				if got, _, _ := m.hear(time.Second); whole(got) {
					t.Fatalf("%s %d: % x is a whole frame", kind, i, got)
				}
			}
		})
	}
}
