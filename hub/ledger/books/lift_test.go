package books

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// looked is what a CJ/T 188 meter shows of purchase n on a day: a load and the state
// behind it, both with the count modulo round.
func looked(day ledger.Day, n, round uint32) []schemas.CardEntry {
	shown := (n-1)%round + 1
	load := schemas.CardEntry{Event: schemas.CardLoad, Source: schemas.FromCJT188, Utility: schemas.Water, Meter: meterOf(0), Amount: fen(5000),
		Bought: fen(5000 * int64(n)), Purchase: purchase(shown), PurchaseModulus: round, TakenAt: at(day, 12)}
	state := load
	state.Event, state.Amount, state.Residual = schemas.CardState, schemas.Credit{}, fen(1)
	return []schemas.CardEntry{load, state}
}

// soldFile is a file of the sales of purchases from to to, bought on a day.
func soldFile(day ledger.Day, number int, from, to uint32) *ledger.File {
	w := world{n: 1}
	f := w.file(ledger.SalesFile, day)
	f.Number = number
	f.Sales = nil
	for n := from; n <= to; n++ {
		s := w.sale(0)
		s.Order, s.Purchase, s.Day, s.At = fmt.Sprintf("O%d", n), purchase(n), day, at(day, 9)
		f.Sales = append(f.Sales, s)
	}
	return f
}

func meterBooks(t *testing.T, dsn string) *Books {
	t.Helper()
	b, w := mustOpen(t, dsn), world{n: 1}
	must(t, b.StoreTariffs(context.Background(), "tariffs", []byte(plan), "zhang"))
	place := w.place(0)
	place.Installations[0].From = at(start-400, 0) // before the books began
	must(t, b.StoreRegister(context.Background(), []ledger.Place{place}))
	return b
}

// numbers returns the purchases of the loads, by moment, and how many entries wait.
func numbers(t *testing.T, b *Books) (loads []uint32, waiting int64) {
	t.Helper()
	must(t, b.liftWaiting(context.Background()))
	err := b.read.NewRaw("SELECT purchase FROM card_entries WHERE event = 'load' AND place > 0 ORDER BY moment_ms").Scan(context.Background(), &loads)
	must(t, err)
	_, waiting, err = b.UnresolvedEntries(context.Background(), Page{})
	must(t, err)
	return loads, waiting
}

// TestLiftLife sells 600 purchases of a life, of which looks at the meter show some:
// never a round apart. Batches come late and twice, sales files late. Every load has
// its number, and nothing waits.
func TestLiftLife(t *testing.T) {
	for _, round := range []uint32{100, 256} {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			engines(t, func(t *testing.T, dsn string) {
				life(t, meterBooks(t, dsn), rand.New(rand.NewPCG(11, uint64(round))), round)
			})
		})
	}
}

func life(t *testing.T, b *Books, rng *rand.Rand, round uint32) {
	ctx := context.Background()
	var want []uint32
	var late []schemas.CardEntry
	var files []*ledger.File
	var told uint32
	for n := uint32(1); n <= 600; {
		day := start + ledger.Day(n)
		files = append(files, soldFile(day, 1, told+1, n))
		batch := looked(day, n, round)
		want, told = append(want, n), n
		if rng.IntN(4) == 0 && len(late) == 0 {
			late = batch // comes behind the next
		} else {
			must(t, b.StoreCards(ctx, "edge-1", batch))
			if len(late) > 0 {
				must(t, b.StoreCards(ctx, "edge-1", late))
				late = nil
			}
		}
		if rng.IntN(3) == 0 {
			must(t, b.StoreCards(ctx, "edge-2", batch))
		}
		if rng.IntN(3) == 0 {
			for _, f := range files {
				if _, err := b.StoreFile(ctx, f); err != nil {
					t.Fatal(err)
				}
			}
			files = nil
		}
		// Two looks, of which one comes late, are never a round apart.
		n += 1 + rng.Uint32N(round/2-1)
	}
	must(t, b.StoreCards(ctx, "edge-1", late[:min(len(late), 2)]))
	got, waiting := numbers(t, b)
	if !slices.Equal(got, want) || waiting != 0 {
		t.Errorf("%d wait, loads %v, want %v", waiting, got, want)
	}
	var states int
	must(t, b.read.NewRaw("SELECT COUNT(*) FROM card_entries WHERE event = 'state'").Scan(ctx, &states))
	if states != len(want) {
		t.Errorf("%d states, want %d: told twice is one row", states, len(want))
	}
}

// TestLiftAmbiguous: where a round may have gone by unseen, an entry waits until
// something tells it, and a number is never guessed.
func TestLiftAmbiguous(t *testing.T) {
	absolute := func(day ledger.Day, n uint32) []schemas.CardEntry {
		return []schemas.CardEntry{{Event: schemas.CardReturn, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: numberOf(0), Card: cardOf(0),
			Purchase: purchase(n), Bought: fen(5000 * int64(n)), Residual: fen(1), TakenAt: at(day, 13), RecordedAt: at(day, 12)}}
	}
	type step struct {
		cards   []schemas.CardEntry
		sales   *ledger.File
		loads   []uint32
		waiting int64
	}
	d := start
	for name, steps := range map[string][]step{
		"a round unseen": {
			{cards: looked(d+1, 5, 100), loads: []uint32{5}},
			{sales: soldFile(d+1, 1, 1, 5), loads: []uint32{5}},
			{sales: soldFile(d+2, 1, 6, 250), loads: []uint32{5}},
			{cards: looked(d+3, 220, 100), loads: []uint32{5}, waiting: 2},
			{cards: absolute(d+4, 220), loads: []uint32{5, 220}},
			{cards: looked(d+5, 221, 100), loads: []uint32{5, 220, 221}},
		},
		"sold later is no reason to wait": {
			{cards: looked(d+1, 5, 100), loads: []uint32{5}},
			{sales: soldFile(d+9, 1, 6, 250), loads: []uint32{5}},
			{cards: looked(d+3, 20, 100), loads: []uint32{5, 20}},
		},
		"books that begin in midlife": {
			{sales: soldFile(d+1, 1, 230, 250), loads: nil},
			{cards: looked(d+2, 249, 100), loads: []uint32{249}},
			{cards: looked(d+3, 250, 100), loads: []uint32{249, 250}},
		},
		"a new meter, before its sales file": {
			{cards: looked(d+1, 1, 100), loads: []uint32{1}},
			{sales: soldFile(d+1, 1, 1, 1), loads: []uint32{1}},
		},
		"nobody sold it": {
			{cards: looked(d+1, 99, 100), loads: []uint32{99}},
			{cards: looked(d+2, 101, 100), loads: []uint32{99, 101}},
		},
		"a count that contradicts what came after": {
			{cards: absolute(d+9, 7), loads: nil},
			{cards: looked(d+2, 8, 100), loads: nil, waiting: 2},
		},
		"one told again": {
			{cards: looked(d+1, 150, 256), loads: []uint32{150}},
			{cards: looked(d+2, 150, 256), loads: []uint32{150, 150}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := meterBooks(t, "sqlite:"+t.TempDir()+"/books.db")
			for n, s := range steps {
				if s.cards != nil {
					must(t, b.StoreCards(context.Background(), "edge-1", s.cards))
				}
				if s.sales != nil {
					if _, err := b.StoreFile(context.Background(), s.sales); err != nil {
						t.Fatal(err)
					}
				}
				if got, waiting := numbers(t, b); !slices.Equal(got, s.loads) || waiting != s.waiting {
					t.Fatalf("step %d: loads %v and %d wait, want %v and %d", n, got, waiting, s.loads, s.waiting)
				}
			}
		})
	}
}

// TestLiftRun: a run takes what waited before it, with the number that it has now.
func TestLiftRun(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, ctx := meterBooks(t, dsn), context.Background()
		opening := world{n: 1}.opening(0)
		opening.Purchase, opening.Bought = purchase(99), fen(0)
		must(t, b.StoreCards(ctx, "edge-1", []schemas.CardEntry{opening}))
		world{n: 1}.run(t, b, start, start)
		batch := looked(start+1, 101, 100)
		batch[0].Bought, batch[1].Bought, batch[1].Residual = fen(10000), fen(10000), fen(11000)
		must(t, b.StoreCards(ctx, "edge-1", batch))
		if _, err := b.StoreFile(ctx, soldFile(start+1, 1, 100, 101)); err != nil {
			t.Fatal(err)
		}
		world{n: 1}.run(t, b, start+1, start+8)
		list, _, err := b.Differences(ctx, DifferenceFilter{Utility: schemas.Water})
		must(t, err)
		for _, d := range list {
			if d.Class != ledger.SaleNoPay && d.Class != ledger.ResidualDrift {
				t.Errorf("%s %s: shown %s, expected %s", d.Class, d.Key, d.Shown, d.Expected)
			}
		}
		if got, waiting := numbers(t, b); !slices.Equal(got, []uint32{101}) || waiting != 0 {
			t.Errorf("loads %v, %d wait", got, waiting)
		}
	})
}
