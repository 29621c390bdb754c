package dlt645

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

const (
	oracleTimeout = 300 * time.Millisecond
	oracleQuiet   = 500 * time.Millisecond
)

// TestNeverWrong reads a meter over a line with every fault of one that keeps the
// order of its bytes and the quiet time, in the fake time of a bubble. Each item counts how often it
// was sampled, in its own thousand, so that a value of another item, of an
// earlier read, or of broken bytes is known.
func TestNeverWrong(t *testing.T) {
	for name, items := range map[string]int{"one item": 1, "two items": 2, "five items": 5} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				synctest.Test(t, func(t *testing.T) { runOracle(t, seed, items) })
			}
		})
	}
}

func runOracle(t *testing.T, seed uint64, items int) {
	o := &oracle{random: rand.New(rand.NewPCG(seed, uint64(items))), samples: map[uint32]int64{}}
	l := line.New(line.Config{
		Address: "/dev/oracle", Timeout: oracleTimeout, QuietTime: oracleQuiet,
		Serial: &line.Serial{Baud: 2400, DataBits: 8, Parity: line.Even, StopBits: 1},
		Open: func(string, line.Serial) (line.Port, error) {
			ours, theirs := net.Pipe()
			o.wg.Go(func() { o.serve(theirs) })
			return ours, nil
		},
	})
	m := mustSource(t, New(l, Config{}), plate, oracleProfile(items))
	good := 0
	for range 1000 {
		before := o.snapshot()
		readings, _ := m.Read(context.Background())
		after := o.snapshot()
		for _, r := range readings {
			di := uint32(slices.Index(oracleQuantities(), r.Quantity) + 1)
			v := r.Value.Mantissa
			if r.Quality != schemas.Good || v <= before[di] || v > after[di] {
				t.Fatalf("seed %d: %s is %d (%s), the meter showed %d to %d", seed, r.Quantity, v, r.Reason, before[di]+1, after[di])
			}
			good++
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	o.wg.Wait()
	if good < 300*items {
		t.Errorf("seed %d: %d good readings of %d", seed, good, 1000*items)
	}
	t.Logf("seed %d: %d good readings, %+v", seed, good, l.Stats())
}

func oracleQuantities() []schemas.Quantity {
	return []schemas.Quantity{"power.energy.import", "power.energy.import.t1", "power.energy.import.t2", "power.energy.import.t3", "power.energy.import.t4"}
}

func oracleProfile(items int) *profiles.Profile {
	p := &profiles.Profile{ID: "oracle", Maker: "A", Model: "B", Medium: schemas.Power, Document: "D", Edition: 2007}
	for i, q := range oracleQuantities()[:items] {
		p.Fields = append(p.Fields, profiles.Field{Quantity: q, DI: uint32(i + 1), Bytes: 4, Format: profiles.BCD})
	}
	return p
}

// oracle is a faulty meter.
type oracle struct {
	random  *rand.Rand
	wg      sync.WaitGroup
	mu      sync.Mutex // guards random and samples
	samples map[uint32]int64
}

func (o *oracle) snapshot() map[uint32]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := map[uint32]int64{}
	for di := range uint32(6) {
		s[di] = int64(di)*1_000_000 + o.samples[di]
	}
	return s
}

// serve answers in order: what is late delays what comes after it.
func (o *oracle) serve(conn io.ReadWriteCloser) {
	defer conn.Close()
	queue := make(chan sending, 1000)
	defer close(queue)
	o.wg.Go(func() {
		for s := range queue {
			time.Sleep(time.Until(s.at))
			_, _ = conn.Write(s.bytes) // the line may be closed by now
		}
	})
	var have []byte
	for chunk := make([]byte, 512); ; {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		have = append(have, chunk[:n]...)
		skip, n, err := Split(have)
		if err != nil || n == 0 {
			continue
		}
		f, err := Parse(have[skip : skip+n])
		have = nil
		if err != nil {
			continue
		}
		for _, s := range o.answer(f) {
			queue <- s
		}
	}
}

// sending is bytes and when they go out.
type sending struct {
	at    time.Time
	bytes []byte
}

func (o *oracle) answer(f Frame) []sending {
	o.mu.Lock()
	defer o.mu.Unlock()
	di := identifier(f.Data, 4)
	o.samples[di]++
	v := int64(di)*1_000_000 + o.samples[di]
	data := appendDI(nil, di, 4)
	for range 4 {
		data = append(data, byte(v/10%10)<<4|byte(v%10))
		v /= 100
	}
	b := encode(f.Address, fromMeter|readData, data)
	soon := time.Now().Add(20*time.Millisecond + o.within(50*time.Millisecond))
	switch o.random.IntN(12) {
	case 0: // late, and there before the quiet time ends
		return []sending{{soon.Add(oracleTimeout + 100*time.Millisecond + o.within(oracleQuiet/2)), b}}
	case 1: // twice
		return []sending{{soon, b}, {soon.Add(o.within(oracleQuiet / 2)), b}}
	case 2: // torn
		return []sending{{soon, b[:1+o.random.IntN(len(b)-1)]}}
	case 3: // a wrong bit
		spoilt := slices.Clone(b)
		spoilt[o.random.IntN(len(b))] ^= 1 << o.random.IntN(8)
		return []sending{{soon, spoilt}}
	case 4: // noise before
		noise := make([]byte, 1+o.random.IntN(12))
		for i := range noise {
			noise[i] = byte(o.random.UintN(256))
		}
		return []sending{{soon, append(noise, b...)}}
	case 5:
		return nil
	case 6: // cut in two
		cut := 1 + o.random.IntN(len(b)-1)
		return []sending{{soon, b[:cut]}, {soon.Add(30 * time.Millisecond), b[cut:]}}
	}
	return []sending{{soon, b}}
}

func (o *oracle) within(d time.Duration) time.Duration {
	return time.Duration(o.random.Int64N(int64(d)))
}
