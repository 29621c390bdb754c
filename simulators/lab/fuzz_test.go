package lab

import (
	"slices"
	"testing"
	"time"
)

// FuzzReceive gives a line of three protocols, on which everything goes wrong,
// any bytes.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(dltAsk), uint64(1))
	f.Add(unhex(dltAsk), uint64(2))
	f.Add(append(ask(1, 2, 3), ask(2, 3, 4)...), uint64(3))
	cjt := unhex(cjtAsk)
	cjt188.mend(cjt)
	f.Add(append([]byte{0xFE, 0xFE}, cjt...), uint64(4))
	faults := Faults{Rates: map[Fault]float64{}}
	for _, kind := range FaultKinds() {
		faults.Rates[kind] = 1 / float64(len(FaultKinds()))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if len(data) > 160 {
			return // a few frames are enough
		}
		b, err := New(Config{Slaves: mixed(), Seed: seed, Faults: faults})
		if err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(data, 7) {
			b.receive(piece)
		}
		b.receive(data)
		end := time.Now().Add(time.Hour)
		n := uint64(0)
		for {
			bytes, _, ok := b.due(end)
			if !ok {
				break
			}
			n += uint64(len(bytes))
		}
		if st := b.Stats(); n != st.BytesOut || st.Answered+st.Silent != st.Requests || len(b.rx) > maxChunk {
			t.Errorf("%d bytes came of %d; %+v; %d waiting", n, st.BytesOut, st, len(b.rx))
		}
	})
}

// FuzzProtocolOf: whatever is taken for a frame can be taken apart.
func FuzzProtocolOf(f *testing.F) {
	f.Add(unhex(dltAsk))
	f.Add(unhex(cjtAsk))
	f.Add(ask(1, 2, 3))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, ok := protocolOf(frame)
		if !ok {
			return
		}
		if len(p.address(frame)) == 0 || p.data() >= len(frame) {
			t.Fatalf("% x: no address or no data", frame)
		}
		if refusal := p.refusal(nil, frame); !whole(refusal) {
			t.Errorf("% x is refused with % x, which is no frame", frame, refusal)
		}
	})
}
