package clearing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// terminal is our books about cards at our terminals.
type terminal struct {
	sales   []ledger.Sale
	entries []schemas.CardEntry
}

var opening = time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)

func (b *terminal) sell(order string, kind ledger.SaleKind, meter int, n uint32, fen schemas.Fen, undoes string) *ledger.Sale {
	b.sales = append(b.sales, ledger.Sale{ID: int64(len(b.sales) + 1), Channel: "counter-1", Order: order, Kind: kind, Utility: schemas.Water,
		MeterNumber: fmt.Sprintf("%012d", meter), Card: cardOf(meter), Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n},
		Amount: fen, Undoes: undoes, Day: day("2026-11-21"), At: opening.Add(time.Duration(len(b.sales)) * time.Minute), Operator: "op1", Terminal: "t1"})
	return &b.sales[len(b.sales)-1]
}

func cardOf(meter int) schemas.CardID { return schemas.CardID(fmt.Sprintf("%016X", meter)) }

func (b *terminal) write(event schemas.CardEvent, issuer schemas.IssuerID, meter int, n uint32, fen int64) *schemas.CardEntry {
	b.entries = append(b.entries, schemas.CardEntry{Event: event, Source: schemas.FromReader, Utility: schemas.Water,
		MeterNumber: fmt.Sprintf("%012d", meter), Issuer: issuer, Card: cardOf(meter), Customer: "C-1",
		Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}, Amount: schemas.Credit{Value: fen, Unit: schemas.CreditFen},
		Terminal: "t1", TakenAt: opening.Add(time.Duration(len(b.entries)) * time.Minute)})
	return &b.entries[len(b.entries)-1]
}

// both adds a row and the entry that proves it.
func (b *terminal) both(order string, issuer schemas.IssuerID, meter int, n uint32, fen schemas.Fen) {
	b.sell(order, ledger.Purchase, meter, n, fen, "")
	b.write(schemas.CardSale, issuer, meter, n, int64(fen))
}

// told is an outcome in words.
func told(o Outcome) (out []string) {
	for _, f := range o.Files {
		for _, d := range f.Details {
			out = append(out, fmt.Sprintf("%s %s %d %s %s %s<%s", f.To, f.Utility, f.Number, d.Kind, d.Amount, d.Order, d.Undoes))
		}
	}
	for _, h := range o.Held {
		if h.Sale != nil {
			out = append(out, "held row "+h.Sale.Order+": "+h.Why[:12])
		} else {
			out = append(out, fmt.Sprintf("held entry %d: %s", h.Entry.Purchase.Number, h.Why[:12]))
		}
	}
	return append(out, fmt.Sprintf("own %d", o.Own))
}

func TestSplit(t *testing.T) {
	for name, c := range map[string]struct {
		build func(*terminal)
		want  []string
	}{
		"own card":         {func(b *terminal) { b.both("a", home, 1, 1, 5000) }, []string{"own 1"}},
		"same city":        {func(b *terminal) { b.both("a", "33010009", 1, 1, 5000) }, []string{"own 1"}},
		"no issuer":        {func(b *terminal) { b.both("a", "", 1, 1, 5000) }, []string{"own 1"}},
		"no entry at all":  {func(b *terminal) { b.sell("a", ledger.Purchase, 1, 1, 5000, "") }, []string{"own 1"}},
		"other city":       {func(b *terminal) { b.both("a", other, 1, 1, 5000) }, []string{"32010002 water 1 purchase 50.00 counter-1:a<", "own 0"}},
		"issuer malformed": {func(b *terminal) { b.both("a", "3201", 1, 1, 5000) }, []string{"held row a: issuer: \"320", "own 0"}},
		"two issuers": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.both("b", third, 2, 1, 100) },
			[]string{"31000001 water 1 purchase 1.00 counter-1:b<", "32010002 water 1 purchase 50.00 counter-1:a<", "own 0"}},
		"sold, reversed, sold again": {func(b *terminal) {
			b.both("a", other, 1, 1, 5000)
			b.sell("r", ledger.Reversal, 1, 1, 5000, "a")
			b.write(schemas.CardClear, other, 1, 1, 5000)
			b.both("b", other, 1, 1, 5000)
		}, []string{"32010002 water 1 purchase 50.00 counter-1:a<", "32010002 water 1 reversal 50.00 counter-1:r<counter-1:a",
			"32010002 water 1 purchase 50.00 counter-1:b<", "own 0"}},
		"refund of another channel": {func(b *terminal) {
			b.sell("r", ledger.Refund, 1, 1, 5000, "wechat/a")
			b.write(schemas.CardClear, other, 1, 1, 5000)
		}, []string{"32010002 water 1 refund 50.00 counter-1:r<wechat:a", "own 0"}},
		"not taken off the card": {func(b *terminal) {
			b.both("a", other, 1, 1, 5000)
			b.sell("r", ledger.Reversal, 1, 1, 5000, "a")
		}, []string{"32010002 water 1 purchase 50.00 counter-1:a<", "held row r: no card entr", "own 0"}},
		"not written": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.sell("b", ledger.Purchase, 1, 2, 100, "") },
			[]string{"32010002 water 1 purchase 50.00 counter-1:a<", "held row b: no card entr", "own 0"}},
		"not sold": {func(b *terminal) { b.write(schemas.CardSale, other, 1, 1, 5000) }, []string{"held entry 1: no sale row ", "own 0"}},
		"written once, sold twice": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.sell("b", ledger.Purchase, 1, 1, 5000, "") },
			[]string{"32010002 water 1 purchase 50.00 counter-1:a<", "held row b: no card entr", "own 0"}},
		"amounts differ": {func(b *terminal) {
			b.sell("a", ledger.Purchase, 1, 1, 5000, "")
			b.write(schemas.CardSale, other, 1, 1, 5001)
		}, []string{"held row a: the card say", "held entry 1: no sale row ", "own 0"}},
		"another card": {func(b *terminal) {
			b.sell("a", ledger.Purchase, 1, 1, 5000, "")
			b.write(schemas.CardSale, other, 1, 1, 5000).Card = cardOf(9)
		}, []string{"held entry 1: no sale row ", "own 1"}},
		"volume": {func(b *terminal) {
			b.sell("a", ledger.Purchase, 1, 1, 5000, "").Volume = 12000
			b.write(schemas.CardSale, other, 1, 1, 12000).Amount.Unit = schemas.CreditLitre
		}, []string{"32010002 water 1 purchase 50.00 counter-1:a<", "own 0"}},
		"two utilities are two numbers": {func(b *terminal) {
			b.both("a", other, 1, 1, 5000)
			b.sell("b", ledger.Purchase, 2, 1, 100, "").Utility = schemas.Gas
			b.write(schemas.CardSale, other, 2, 1, 100).Utility = schemas.Gas
		}, []string{"32010002 gas 1 purchase 1.00 counter-1:b<", "32010002 water 2 purchase 50.00 counter-1:a<", "own 0"}},
		"one order, two purchases": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.both("a", other, 1, 2, 100) },
			[]string{"32010002 water 1 purchase 50.00 counter-1:a<", "held row a: order counte", "own 0"}},
		"one order, two issuers": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.both("a", third, 2, 2, 100) },
			[]string{"31000001 water 1 purchase 1.00 counter-1:a<", "32010002 water 1 purchase 50.00 counter-1:a<", "own 0"}},
		"no card on the entry": {func(b *terminal) { b.both("a", other, 1, 1, 5000); b.entries[0].Card = ""; b.sales[0].Card = "" },
			[]string{"held row a: card or mete", "own 0"}},
		"what no file can carry": {func(b *terminal) {
			b.both("a", other, 1, 1, 5000)
			b.both("b", other, 2, 1, 5000)
			b.both("c", other, 3, 1, 5000)
			b.sales[1].Volume = -5
		}, []string{"32010002 water 1 purchase 50.00 counter-1:a<", "32010002 water 1 purchase 50.00 counter-1:c<", "held row b: write cleari", "own 0"}},
		"nothing of it can be carried": {func(b *terminal) { b.both("b", other, 2, 1, 5000); b.sales[0].Volume = -5 }, []string{"held row b: write cleari", "own 0"}},
		"no money flows":               {func(b *terminal) { b.sell("a", ledger.Transfer, 1, 1, 5000, "") }, []string{"own 1"}},
		"order too long": {func(b *terminal) { b.both(strings.Repeat("x", 60), other, 1, 1, 5000) },
			[]string{"held row " + strings.Repeat("x", 60) + ": \"counter-1:x", "own 0"}},
	} {
		var b terminal
		c.build(&b)
		got, err := Split(home, b.sales, b.entries, Earlier{})
		if err != nil || !slices.Equal(told(got), c.want) {
			t.Errorf("%s: %v\n got %q\nwant %q", name, err, told(got), c.want)
		}
		for n, f := range got.Files {
			encoded(t, f)
			for i, p := range got.Proofs[n] {
				if d := f.Details[i]; p.Sale.Channel+":"+p.Sale.Order != d.Order || p.Entry.Purchase != d.Purchase || p.Entry.Card != d.Card {
					t.Errorf("%s: detail %+v, proof %+v %+v", name, d, p.Sale, p.Entry)
				}
			}
		}
	}
}

// TestSplitKeepsAll: every row is in a file, held or own, whatever the order of
// the arguments, and every file can be written.
func TestSplitKeepsAll(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var b terminal
		for n := range 1 + r.IntN(30) {
			issuer := []schemas.IssuerID{home, other, third}[r.IntN(3)]
			meter := 1 + r.IntN(5)
			if r.IntN(8) > 0 {
				b.sell(fmt.Sprint("o", n), ledger.Purchase, meter, 1+r.Uint32N(3), schemas.Fen(1+r.IntN(2)), "")
			}
			if r.IntN(8) > 0 {
				b.write(schemas.CardSale, issuer, meter, 1+r.Uint32N(3), int64(1+r.IntN(2)))
			}
		}
		a, err := Split(home, b.sales, b.entries, Earlier{})
		if err != nil {
			t.Fatal(err)
		}
		rows := a.Own
		for _, f := range a.Files {
			rows += len(f.Details)
			encoded(t, f)
		}
		for _, h := range a.Held {
			if h.Sale != nil {
				rows++
			}
		}
		if rows != len(b.sales) {
			t.Fatalf("%d of %d rows accounted for", rows, len(b.sales))
		}
		b.sales, b.entries = slices.Clone(b.sales), slices.Clone(b.entries) // what a holds points to the old ones
		r.Shuffle(len(b.sales), func(i, j int) { b.sales[i], b.sales[j] = b.sales[j], b.sales[i] })
		r.Shuffle(len(b.entries), func(i, j int) { b.entries[i], b.entries[j] = b.entries[j], b.entries[i] })
		if again, err := Split(home, b.sales, b.entries, Earlier{}); err != nil || !reflect.DeepEqual(again, a) {
			t.Fatalf("another order of the arguments: %v\n%+v\n%+v", err, told(again), told(a))
		}
	}
}

func TestNumbers(t *testing.T) {
	var b terminal
	b.both("a", other, 1, 1, 5000)
	got, err := Split(home, b.sales, b.entries, Earlier{Number: func(schemas.IssuerID, ledger.Day) int { return 4 }})
	if err != nil || got.Files[0].Number != 4 {
		t.Errorf("%+v, %v", got.Files, err)
	}
	if _, err := Split(home, b.sales, b.entries, Earlier{Number: func(schemas.IssuerID, ledger.Day) int { return 1000 }}); err == nil {
		t.Error("number 1000 is taken")
	}
	sent := func(to schemas.IssuerID, order string) bool { return to == other && order == "counter-1:a" }
	if got, err := Split(home, b.sales, b.entries, Earlier{Sent: sent}); err != nil || len(got.Files) != 0 || len(got.Held) != 1 {
		t.Errorf("an order that was sent: %+v, %v", got, err)
	}
	if _, err := Split("1", nil, nil, Earlier{}); err == nil {
		t.Error("home 1 is taken")
	}
}

func TestMatch(t *testing.T) {
	s, err := Match(sampleFile(), sampleAnswer())
	if err != nil || len(s.Accepted) != 2 || len(s.Refused) != 1 || s.Reasons[s.Refused[0].Order] == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	pay := s.Payments(day("2026-11-22"), sampleAnswer())
	if len(pay) != 2 || pay[0].Refund || !pay[1].Refund || pay[0].Amount != 5000 || pay[0].Order != "counter-1:S-1001" || pay[0].Channel != s.Accepted[0].Channel || pay[0].At.IsZero() {
		t.Errorf("payments %+v", pay)
	}
	for says, change := range map[string]func(*Answer){
		"want that to":   func(a *Answer) { a.Number++ },
		"power":          func(a *Answer) { a.Utility = schemas.Power },
		"answered twice": func(a *Answer) { a.Results = append(a.Results, a.Results[0]) },
		"not answered":   func(a *Answer) { a.Results = a.Results[1:] },
		"sent 50.00":     func(a *Answer) { a.Results[0].Amount++ },
		"not sent":       func(a *Answer) { a.Results = append(a.Results, Result{Order: "x"}) },
	} {
		a := sampleAnswer()
		change(&a)
		if _, err := Match(sampleFile(), a); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestNet: what one city owes is what the other is owed, and every netting foots.
func TestNet(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 100 {
		var all []Exchange
		for number := range 1 + r.IntN(8) {
			key := Key{From: home, To: other, Day: day("2026-11-21"), Number: number + 1}
			if r.IntN(2) == 0 {
				key.From, key.To = other, home
			}
			x := Exchange{File: randomFile(r, key)}
			for i := range x.File.Details {
				x.File.Details[i].Order += fmt.Sprintf(".%d.%d", n, number)
			}
			if r.IntN(4) > 0 {
				x.Answer = answered(r, x.File)
			}
			all = append(all, x)
		}
		ours, err := Net(home, all)
		theirs, err2 := Net(other, all)
		if errors.Join(err, err2) != nil {
			t.Fatal(err, err2)
		}
		if ours.Owe != theirs.Owed || ours.Owed != theirs.Owe || ours.Balance != -theirs.Balance || len(ours.Positions) != 1 {
			t.Fatalf("ours %+v, theirs %+v", ours, theirs)
		}
		if p, q := ours.Positions[0], theirs.Positions[0]; p.Ours != q.Theirs || p.Theirs != q.Ours || p.Partner != other {
			t.Fatalf("ours %+v, theirs %+v", p, q)
		}
		spoilt := ours
		spoilt.Positions = slices.Clone(ours.Positions)
		spoilt.Positions[0].Ours.Accepted.Taken++
		if spoilt.Foot() == nil {
			t.Fatal("a netting that does not foot is taken")
		}
	}
}

func answered(r *rand.Rand, f File) *Answer {
	a := &Answer{Key: f.Key, Utility: f.Utility}
	for _, d := range f.Details {
		a.Results = append(a.Results, Result{Order: d.Order, Amount: d.Amount, Reason: []string{"", "", "no such card"}[r.IntN(3)]})
	}
	return a
}

func TestNetFigures(t *testing.T) {
	sent, a := sampleFile(), sampleAnswer()
	got := sampleFile()
	got.From, got.To = other, home
	got.setChannel()
	got.Details = got.Details[:1]
	yes := Answer{Key: got.Key, Utility: got.Utility, Results: a.Results[:1]}
	n, err := Net(home, []Exchange{{sent, &a}, {got, &yes}})
	if err != nil || n.Owe != 0 || n.Owed != 5000 || n.Balance != 5000 {
		t.Errorf("%+v, %v", n, err)
	}
	if p := n.Positions[0].Ours; p.Sent != (Sums{3, 7724, 5000}) || p.Accepted != (Sums{2, 5000, 5000}) || p.Refused != (Sums{1, 2724, 0}) || p.Pending != (Sums{}) {
		t.Errorf("%+v", p)
	}
	further := sent
	further.Number = 2
	for says, bad := range map[string][]Exchange{
		"given twice": {{sent, nil}, {sent, &a}}, "is in clearing file": {{sent, nil}, {further, nil}}, "answer to": {{further, &a}},
	} {
		if _, err := Net(home, bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := Net(third, []Exchange{{sent, nil}}); err == nil {
		t.Error("a file of others is taken")
	}
}
