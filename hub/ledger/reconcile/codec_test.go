package reconcile

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"citygrid/hub/ledger"
)

// balances returns stored balances of many shapes: those of lives, broken in
// every way that faults knows, and of every case of the classes.
func balances(t testing.TB) (accounts, orders [][]byte) {
	t.Helper()
	keep := func(r *runner) {
		accounts = append(accounts, r.acct)
		for _, name := range r.b.allOrders() {
			orders = append(orders, r.orders[name])
		}
	}
	for _, cases := range [][]classCase{orderCases(), purchaseCases(), meterCases(), reverseCases(), replaceCases()} {
		for _, c := range cases {
			b := newBook()
			c.build(b)
			r := newRunner(t, b)
			r.run(0, c.to)
			keep(r)
		}
	}
	for i, f := range faults() {
		l := newLife(uint64(i))
		if s, day := l.pick(); day != 0 {
			f.inject(l, s, day)
		}
		r := newRunner(t, l.book)
		r.run(0, 95)
		keep(r)
	}
	return accounts, orders
}

func TestBalancesRoundTrip(t *testing.T) {
	accounts, orders := balances(t)
	for _, data := range accounts {
		b, err := DecodeBalance(data)
		if err != nil {
			t.Fatal(err)
		}
		if again := b.Encode(); !bytes.Equal(again, data) {
			t.Fatalf("%x became %x", data, again)
		}
		for n := range data {
			if _, err := DecodeBalance(data[:n]); !errors.Is(err, ErrBalance) {
				t.Fatalf("the first %d bytes of %x: %v", n, data, err)
			}
		}
		if _, err := DecodeBalance(append(bytes.Clone(data), 0)); !errors.Is(err, ErrBalance) {
			t.Fatalf("a byte more: %v", err)
		}
	}
	for _, data := range orders {
		b, err := DecodeOrderBalance(data)
		if err != nil || !bytes.Equal(b.Encode(), data) {
			t.Fatalf("%x: %v", data, err)
		}
	}
	if _, err := DecodeOrderBalance(accounts[0]); !errors.Is(err, ErrBalance) {
		t.Errorf("an account as an order: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string][]byte{
		"nothing":         {},
		"another version": {2, 'a', 0, 0, 0, 0, 0},
		"a long number":   {1, 'o', 0x80, 0, 0, 0, 0},
		"a list too long": {1, 'o', 0, 0, 0, 0xff, 0x7f},
		"a day too late":  {1, 'o', 0x80, 0x80, 0x80, 0x80, 0x40, 0, 0, 0},
	}
	for name, data := range tests {
		if _, err := DecodeOrderBalance(data); !errors.Is(err, ErrBalance) {
			t.Errorf("%s: %v, want ErrBalance", name, err)
		}
	}
	bad := Balance{Wake: NeverWake, installs: []install{{from: 5, live: runs{{3, 4}, {5, 6}}}}}
	if _, err := DecodeBalance(bad.Encode()); !errors.Is(err, ErrBalance) {
		t.Errorf("touching runs: %v, want ErrBalance", err)
	}
	bad.installs = []install{{from: 5}, {from: 5}}
	if _, err := DecodeBalance(bad.Encode()); !errors.Is(err, ErrBalance) {
		t.Errorf("one installation twice: %v, want ErrBalance", err)
	}
}

func FuzzDecodeBalance(f *testing.F) {
	accounts, orders := balances(f)
	for _, data := range append(accounts, orders...) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := DecodeBalance(data); err == nil {
			if again := b.Encode(); !bytes.Equal(again, data) {
				t.Fatalf("%x became %x", data, again)
			}
		}
		if b, err := DecodeOrderBalance(data); err == nil {
			if again := b.Encode(); !bytes.Equal(again, data) {
				t.Fatalf("%x became %x", data, again)
			}
		}
	})
}

// FuzzAccount gives a run any balance that can be read: it may refuse it, and
// must not panic, loop, or hand back figures that do not foot.
func FuzzAccount(f *testing.F) {
	accounts, _ := balances(f)
	for _, data := range accounts {
		f.Add(data, uint32(3), int64(5_000))
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint32, amount int64) {
		opening, err := DecodeBalance(data)
		if err != nil {
			return
		}
		b := newBook()
		for _, in := range opening.installs {
			b.place.Installations = append(b.place.Installations[:0], ledger.Installation{From: instant(in.from)})
		}
		good(b, "f", 300, n, amount)
		b.state(301, n, amount, amount, amount)
		_, _ = Account(testRules(), Span{dayOf(300), dayOf(302)}, opening, AccountInput{Place: &b.place, Plan: b.plan, Sales: b.sales, Entries: b.entries})
	})
}

func TestRuns(t *testing.T) {
	const top = 1<<32 - 1
	r := runs(nil).with(5, 5).with(7, 9).with(1, 2)
	if want := (runs{{1, 2}, {5, 5}, {7, 9}}); !reflect.DeepEqual(r, want) {
		t.Fatalf("%v, want %v", r, want)
	}
	if got := r.with(6, 6); !reflect.DeepEqual(got, runs{{1, 2}, {5, 9}}) {
		t.Errorf("with 6: %v", got)
	}
	if got := r.with(2, top); !reflect.DeepEqual(got, runs{{1, top}}) {
		t.Errorf("with 2 to the top: %v", got)
	}
	if got := r.without(8); !reflect.DeepEqual(got, runs{{1, 2}, {5, 5}, {7, 7}, {9, 9}}) {
		t.Errorf("without 8: %v", got)
	}
	var holes []span32
	r.with(top, top).holes(1, top, func(first, last uint32) { holes = append(holes, span32{first, last}) })
	if want := []span32{{3, 4}, {6, 6}, {10, top - 1}}; !reflect.DeepEqual(holes, want) {
		t.Errorf("holes %v, want %v", holes, want)
	}
	if r.has(3) || !r.has(9) || r.has(10) || r.top() != 9 {
		t.Error("has or top is wrong")
	}
}
