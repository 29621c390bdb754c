package seal

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is the promise of Tracker without its bounds: a map.
type naive struct {
	random   map[uint32][8]byte
	accepted map[uint32]map[uint32][16]byte
}

func newNaive() *naive {
	return &naive{map[uint32][8]byte{}, map[uint32]map[uint32][16]byte{}}
}

func (n *naive) commit(ctx Context, seq uint32, tag [16]byte) Verdict {
	if r, ok := n.random[ctx.Boot]; ok && r != ctx.Random {
		return BootConflict
	}
	if old, ok := n.accepted[ctx.Boot][seq]; ok {
		if old == tag {
			return Duplicate
		}
		return NonceReuse
	}
	if n.accepted[ctx.Boot] == nil {
		n.random[ctx.Boot], n.accepted[ctx.Boot] = ctx.Random, map[uint32][16]byte{}
	}
	n.accepted[ctx.Boot][seq] = tag
	return New
}

// gaps lists the holes one number at a time.
func (n *naive) gaps() (missing []string) {
	for boot, seqs := range n.accepted {
		highest := uint32(0)
		for s := range seqs {
			highest = max(highest, s)
		}
		for s := range highest {
			if _, ok := seqs[s]; !ok {
				missing = append(missing, fmt.Sprint(boot, s))
			}
		}
	}
	slices.Sort(missing)
	return missing
}

func single(gaps []Gap) (missing []string) {
	for _, g := range gaps {
		for s := uint64(g.From); s <= uint64(g.To); s++ {
			missing = append(missing, fmt.Sprint(g.Context.Boot, s))
		}
	}
	slices.Sort(missing)
	return missing
}

func ctxOf(boot uint32, random byte) Context { return Context{boot, [8]byte{random}} }

func tagOf(b byte) [16]byte { return [16]byte{b} }

// TestTrackerAgainstMap drives a Tracker and the map with the same messages,
// inside the bounds where they must agree on everything.
func TestTrackerAgainstMap(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		tracker, model := &Tracker{}, newNaive()
		for i := range 400 {
			ctx := ctxOf(uint32(r.IntN(6)), byte(r.IntN(12)/11))
			seq := uint32(r.IntN(42))
			tag := tagOf(byte(r.IntN(20) / 19))
			check := tracker.Check(ctx, seq, tag)
			got, want := tracker.Commit(ctx, seq, tag), model.commit(ctx, seq, tag)
			if got != want || check != want {
				t.Fatalf("seed %d, step %d, %v seq %d: Check %s, Commit %s, want %s", seed, i, ctx, seq, check, got, want)
			}
			if i%20 == 0 {
				tracker = reload(t, tracker)
			}
		}
		if got, want := single(tracker.Gaps()), model.gaps(); !slices.Equal(got, want) {
			t.Fatalf("seed %d: gaps %v, want %v", seed, got, want)
		}
	}
}

// reload passes a tracker through its stored form.
func reload(t testing.TB, tracker *Tracker) *Tracker {
	t.Helper()
	stored, err := tracker.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Tracker
	if err := back.UnmarshalBinary(stored); err != nil {
		t.Fatalf("stored state refused: %v", err)
	}
	again, err := back.MarshalBinary()
	if err != nil || !bytes.Equal(stored, again) {
		t.Fatalf("not deterministic (%v):\n%x\n%x", err, stored, again)
	}
	return &back
}

func TestTrackerVerdicts(t *testing.T) {
	var tr Tracker
	steps := []struct {
		boot   uint32
		random byte
		seq    uint32
		tag    byte
		want   Verdict
	}{
		{5, 1, 0, 1, New},
		{5, 1, 0, 1, Duplicate},
		{5, 1, 0, 2, NonceReuse},
		{5, 1, math.MaxUint32, 3, New},
		{5, 1, math.MaxUint32, 3, Duplicate},
		{5, 1, math.MaxUint32 - 1, 3, New}, // joins from below
		{5, 2, 1, 1, BootConflict},
		{3, 9, 7, 1, New}, // an unseen older boot: a late offline session
		{0, 4, 0, 1, New},
		{math.MaxUint32, 4, 0, 1, New},
		{5, 1, 1, 1, New},
		{5, 1, 0, 1, Duplicate}, // the refused messages changed nothing
	}
	for i, s := range steps {
		if got := tr.Commit(ctxOf(s.boot, s.random), s.seq, tagOf(s.tag)); got != s.want {
			t.Errorf("step %d %+v: got %s", i, s, got)
		}
	}
	want := []Gap{{ctxOf(3, 9), 0, 6}, {ctxOf(5, 1), 2, math.MaxUint32 - 2}}
	if got := tr.Gaps(); !slices.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	reload(t, &tr)
}

func TestTrackerForgetsBoots(t *testing.T) {
	var tr Tracker
	for boot := range uint32(MaxBoots) {
		if v := tr.Commit(ctxOf(1000+10*boot, 1), 0, tagOf(1)); v != New {
			t.Fatalf("boot %d: %s", boot, v)
		}
	}
	expect := func(boot uint32, want Verdict) {
		t.Helper()
		if got := tr.Check(ctxOf(boot, 1), 0, tagOf(1)); got != want {
			t.Errorf("boot %d: %s, want %s", boot, got, want)
		}
	}
	expect(999, Late) // would be the 65th and the lowest
	expect(1000, Duplicate)
	expect(1005, New)
	tr.Commit(ctxOf(1005, 1), 0, tagOf(1))
	expect(1000, Late) // forgotten for 1005
	expect(1005, Duplicate)
	expect(1004, Late)
	expect(5000, New)
	if tr = *reload(t, &tr); tr.floor != 1001 {
		t.Errorf("floor %d, want 1001", tr.floor)
	}
	expect(1000, Late)
	expect(1630, Duplicate)
}

// TestTrackerForgetsIntervals accepts every second number until the bound is
// exceeded.
func TestTrackerForgetsIntervals(t *testing.T) {
	var tr Tracker
	ctx := ctxOf(1, 1)
	for i := range uint32(MaxIntervals + 3) {
		if v := tr.Commit(ctx, 2*i+1, tagOf(byte(i))); v != New {
			t.Fatalf("number %d: %s", 2*i+1, v)
		}
	}
	if n := len(tr.boots[0].intervals); n != MaxIntervals {
		t.Errorf("%d intervals, want %d", n, MaxIntervals)
	}
	// Numbers 1, 3 and 5 were dropped with the holes 0, 2 and 4 before them.
	for seq, want := range map[uint32]Verdict{0: Late, 1: Late, 5: Late, 6: New, 7: Repeated, 8: New, 2*MaxIntervals + 5: Duplicate} {
		if got := tr.Check(ctx, seq, tagOf(byte(seq/2))); got != want {
			t.Errorf("number %d: %s, want %s", seq, got, want)
		}
	}
	if tr.Lost() != 3 || tr.Gaps()[0] != (Gap{ctx, 6, 6}) {
		t.Errorf("lost %d, first gap %v; want 3 and 6 to 6", tr.Lost(), tr.Gaps()[0])
	}
	reload(t, &tr)
}

// TestTrackerRemembersTags holds that the last MaxTags tags tell nonce reuse
// from a duplicate, and that nobody calls an older one either of them.
func TestTrackerRemembersTags(t *testing.T) {
	tr := &Tracker{}
	ctx := ctxOf(1, 1)
	for seq := range uint32(MaxTags + 10) {
		tr.Commit(ctx, seq, tagOf(1))
	}
	for range 2 {
		for seq := range uint32(MaxTags + 10) {
			want := NonceReuse
			if seq < 10 {
				want = Repeated
			}
			if got := tr.Check(ctx, seq, tagOf(2)); got != want {
				t.Fatalf("number %d: %s, want %s", seq, got, want)
			}
		}
		tr = reload(t, tr)
	}
	tr.Commit(ctx, 1000, tagOf(1)) // the ring goes on after a reload
	if got := tr.Check(ctx, 10, tagOf(2)); got != Repeated {
		t.Errorf("the oldest tag stayed: %s", got)
	}
	if got := tr.Commit(ctx, 3, tagOf(1)); got != Repeated {
		t.Errorf("committed again: %s", got)
	}
}

func TestTrackerUnmarshalRefuses(t *testing.T) {
	tr := &Tracker{}
	tr.Commit(ctxOf(1, 1), 3, tagOf(1))
	tr.Commit(ctxOf(2, 1), 0, tagOf(1))
	stored, err := tr.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(stored) * 8 {
		bad := bytes.Clone(stored)
		bad[bit/8] ^= 1 << (bit % 8)
		wantCode(t, tr.UnmarshalBinary(bad), FileBad)
	}
	for n := range stored {
		wantCode(t, tr.UnmarshalBinary(stored[:n]), FileBad)
	}
	if again, _ := tr.MarshalBinary(); !bytes.Equal(again, stored) {
		t.Error("a refused state changed the tracker")
	}
	for name, edit := range map[string]func(*Tracker){
		"boots out of order":   func(t *Tracker) { slices.Reverse(t.boots) },
		"a boot twice":         func(t *Tracker) { t.boots[1].number = 1 },
		"floor with few boots": func(t *Tracker) { t.floor = 1 },
		"no intervals":         func(t *Tracker) { t.boots[0].intervals = nil },
		"interval reversed":    func(t *Tracker) { t.boots[0].intervals = []interval{{3, 2}} },
		"touching intervals":   func(t *Tracker) { t.boots[0].intervals = []interval{{1, 2}, {3, 3}} },
		"interval below low":   func(t *Tracker) { t.boots[0].low = 4 },
		"lost without low":     func(t *Tracker) { t.boots[0].lost = 1 },
		"all lost":             func(t *Tracker) { t.boots[0].low, t.boots[0].lost = 2, 2 },
		"tag of nothing":       func(t *Tracker) { t.boots[0].tags[0].seq = 4 },
		"a tag twice":          func(t *Tracker) { t.boots[0].tags = append(t.boots[0].tags, t.boots[0].tags[0]) },
		"no tags":              func(t *Tracker) { t.boots[0].tags = nil },
	} {
		bad := reload(t, tr)
		edit(bad)
		data, _ := bad.MarshalBinary()
		var e Tracker
		if err := e.UnmarshalBinary(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestTrackerFormat holds the stored form still.
func TestTrackerFormat(t *testing.T) {
	tr := &Tracker{}
	tr.Commit(Context{0x01020304, [8]byte{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8}}, 0x11, [16]byte{0xd1, 0xd2, 0xd3, 0xd4, 0xd5})
	stored, err := tr.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	want := "43475254010000000001" + "01020304a1a2a3a4a5a6a7a80000000000000000" + "00010000001100000011" + "000100000011d1d2d3d4"
	if got := fmt.Sprintf("%x", stored[:len(stored)-4]); got != want {
		t.Errorf("stored form\n got %s\nwant %s", got, want)
	}
}

func TestVerdictNames(t *testing.T) {
	got := fmt.Sprint(New, Duplicate, NonceReuse, Late, BootConflict, Repeated, Verdict(9))
	if want := "new duplicate nonce_reuse late boot_conflict repeated verdict(9)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
