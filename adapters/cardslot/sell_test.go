package cardslot_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/apdu"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

// TestSale follows a purchase from order to entry, and its entry.
func TestSale(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		s := w.newCard(h)
		o := w.order(h, a, 1, 50_00)
		sold := w.mustSell(s, o)
		e, ok := sold.Entry()
		want := schemas.CardEntry{
			Event: schemas.CardSale, Source: schemas.FromMemory, Utility: a.Utility(), Issuer: card.SimulatorIssuer, Card: s.chip.ID(),
			Customer: h.customer, MeterNumber: h.number, Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 1},
			Amount: o.Amount, Terminal: "T1", TakenAt: o.At,
		}
		if e.Counters != nil || !ok {
			t.Errorf("%v, %t", e.Counters, ok)
		}
		if got, wanted := e, want; !sameEntry(got, wanted) {
			t.Errorf("got %+v\nwant %+v", got, wanted)
		}
		if sold.Advice != "" {
			t.Errorf("advice after a sale: %s", sold.Advice)
		}
	}
}

// sameEntry compares entries without counters.
func sameEntry(a, b schemas.CardEntry) bool {
	a.TakenAt, b.TakenAt = a.TakenAt.UTC(), b.TakenAt.UTC()
	return a.Event == b.Event && a.Source == b.Source && a.Utility == b.Utility && a.Issuer == b.Issuer && a.Card == b.Card && a.Replaces == b.Replaces &&
		a.Customer == b.Customer && a.MeterNumber == b.MeterNumber && a.Purchase == b.Purchase && a.Amount == b.Amount && a.Terminal == b.Terminal && a.TakenAt.Equal(b.TakenAt)
}

// TestSaleIsRefused changes one thing of an order or card at a time; nothing may
// be written.
func TestSaleIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world, h *household, s slot, o *cardslot.Order)
		says   string
	}{
		{"other customer", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Customer = "112233449999" }, "customer"},
		{"no customer", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Customer = "" }, "customer"},
		{"other meter", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.MeterNumber = "2" }, "meter"},
		{"other issuer", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Issuer = "00010001" }, "issued by"},
		{"other card", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Card = card.Serial(99) }, "put that one in"},
		{"number too high", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Purchase = 3 }, "ledger says 3"},
		{"number again", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Purchase = 1 }, "ledger says 1"},
		{"no amount", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Amount.Value = 0 }, "amount"},
		{"negative amount", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Amount.Value = -1 }, "amount"},
		{"overflow", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Amount.Value = 100_000_000 }, "amount"},
		{"unit", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Amount.Unit = schemas.CreditWh }, "count"},
		{"application", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Application = 0xDF07 }, "application"},
		{"no time", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.At = time.Time{} }, "no time"},
		{"no number", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.ID = "" }, "order"},
		{"hoard of the order", func(_ *world, _ *household, _ slot, o *cardslot.Order) {
			o.Hoard = schemas.Credit{Value: bought + 20_00, Unit: schemas.CreditFen}
		}, "sell at most 2000"},
		{"most that a meter shows", func(_ *world, _ *household, _ slot, o *cardslot.Order) { o.Amount.Value = 99_999_999 }, "sell at most 99994999"},
		{"purchase not loaded", func(w *world, h *household, s slot, o *cardslot.Order) {
			w.mustSell(s, w.order(h, o.Application, 2, 5_00))
			o.Purchase = 3
		}, "purchase 2 is still on it"},
		{"old card", oldCard, "old card"},
		{"pending", func(w *world, h *household, s slot, o *cardslot.Order) {
			s.Insert()
			s.RemoveAt(14, cardslot.AfterCommand)
			if sold, _ := w.sell(s, w.order(h, o.Application, 2, 5_00)); sold.Outcome != cardslot.Doubtful {
				w.t.Errorf("torn: %v", sold.Outcome)
			}
		}, "unfinished"},
	} {
		for _, a := range applications {
			t.Run(c.name+"/"+string(a.Utility()), func(t *testing.T) {
				w, h := newWorld(t), newHousehold(t, 1)
				s := bring(w, h, a)
				o := w.order(h, a, 2, 20_01)
				c.change(w, h, s, &o)
				s.Insert()
				before := s.chip.Snapshot()
				sold, err := w.sell(s, o)
				if err == nil || sold.Outcome != cardslot.NotWritten || sold.Advice == "" || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, %v; want a refusal that says %q", sold.Outcome, err, c.says)
				}
				if s.chip.Snapshot() != before {
					t.Error("something was written")
				}
			})
		}
	}
}

// oldCard puts the files that a sale writes back to what they were before any.
func oldCard(w *world, h *household, s slot, o *cardslot.Order) {
	w.t.Helper()
	old := w.newCard(h).chip
	for _, sfi := range []byte{1, walletSFI(o.Application)} {
		file, _ := old.File(uint16(o.Application), sfi)
		if err := s.chip.Store(uint16(o.Application), sfi, file); err != nil {
			w.t.Fatal(err)
		}
	}
}

// storeWallet puts a wallet on the chip, as no terminal would.
func storeWallet(t testing.TB, s slot, a cardslot.Application, amount, count uint32) {
	t.Helper()
	file := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, amount), count)
	if err := s.chip.Store(uint16(a), walletSFI(a), file); err != nil {
		t.Fatal(err)
	}
}

// TestOrderComesTwice: the same order, and the same purchase under another order,
// are written once.
func TestOrderComesTwice(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := bring(w, h, cardslot.WaterApplication)
	o := w.order(h, cardslot.WaterApplication, 2, 20_00)
	w.mustSell(s, o)
	if sold, err := w.sell(s, o); err == nil || sold.Outcome != cardslot.NotWritten {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.mustLoad(s, h, cardslot.WaterApplication)
	o.Purchase = 0
	if sold, err := w.sell(s, o); err == nil || sold.Outcome != cardslot.NotWritten || !strings.Contains(err.Error(), "already") {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.closes("twice", h, cardslot.WaterApplication, s)
}

// wrongSAM has other keys than the card.
type wrongSAM struct{ cardslot.SAM }

func (w wrongSAM) Cryptogram(ctx context.Context, id schemas.CardID, a uint16, challenge []byte) ([]byte, error) {
	b, err := w.SAM.Cryptogram(ctx, id, a, challenge)
	b[0] ^= 1
	return b, err
}

// wrongMAC proves itself but not its commands.
type wrongMAC struct{ cardslot.SAM }

func (w wrongMAC) MAC(ctx context.Context, id schemas.CardID, a uint16, challenge, message []byte) ([4]byte, error) {
	mac, err := w.SAM.MAC(ctx, id, a, challenge, message)
	mac[3] ^= 1
	return mac, err
}

// TestWrongKeysWriteNothing: a card that refuses keeps what it had, the journal
// keeps nothing pending, and the clerk is warned of the tries.
func TestWrongKeysWriteNothing(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	before := s.chip.Snapshot()
	for _, c := range []struct {
		sam  cardslot.SAM
		want error
	}{{wrongSAM{card.TestSAM()}, apdu.ErrWrongSecret}, {wrongMAC{card.TestSAM()}, apdu.ErrMAC}, {card.SAM{}, nil}} {
		sold, err := cardslot.Sell(context.Background(), s, c.sam, w.journal, w.order(h, cardslot.GasApplication, 1, 5_00))
		if err == nil || c.want != nil && !errors.Is(err, c.want) || sold.Outcome != cardslot.NotWritten || s.chip.Snapshot() != before {
			t.Errorf("%v, %v", sold.Outcome, err)
		}
		if warned := strings.Contains(sold.Advice, "security module"); warned != (c.want == apdu.ErrWrongSecret) {
			t.Errorf("advice: %s", sold.Advice)
		}
	}
	if pending, err := w.journal.Pending(); err != nil || len(pending) != 0 {
		t.Errorf("%d pending, %v", len(pending), err)
	}
	w.mustSell(s, w.order(h, cardslot.GasApplication, 1, 5_00))
}

// liar takes writes and gives other data back.
type liar struct {
	chip *card.Card
	off  bool
}

func (l *liar) Transmit(command []byte) []byte {
	answer := l.chip.Transmit(command)
	if command[1] == 0xD6 {
		l.off = true
	}
	if l.off && command[1] == 0xB0 && len(answer) == 10 {
		answer[3]++
	}
	return answer
}

// TestReadBackDecides: a sale is not committed when the card gives something else
// back.
func TestReadBackDecides(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	sold, err := cardslot.Sell(context.Background(), cardslot.NewMemory(&liar{chip: s.chip}), card.TestSAM(), w.journal, w.order(h, cardslot.PowerApplication, 1, 5_00))
	if err == nil || sold.Outcome != cardslot.Doubtful {
		t.Fatalf("%v, %v", sold.Outcome, err)
	}
	s.Insert()
	if sold, err := w.resume(s); err != nil || sold.Outcome != cardslot.Committed {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.closes("after a lie", h, cardslot.PowerApplication, s)
}

// TestResumeOfContradictions: a card that stands where no interruption can have
// left it is for a person, and nothing is written on it.
func TestResumeOfContradictions(t *testing.T) {
	for _, c := range []struct {
		name          string
		amount, count uint32
	}{
		{"another amount", 19_99, 2}, {"a later purchase", 20_01, 3}, {"an earlier purchase", bought, 0}, {"another amount before", 1, 1},
	} {
		for _, a := range applications {
			w, h := newWorld(t), newHousehold(t, 1)
			s := bring(w, h, a)
			s.Insert()
			s.RemoveAt(13, cardslot.AfterCommand)
			if sold, _ := w.sell(s, w.order(h, a, 2, 20_01)); sold.Outcome != cardslot.Doubtful {
				t.Fatalf("torn: %v", sold.Outcome)
			}
			storeWallet(t, s, a, c.amount, c.count)
			s.Insert()
			before := s.chip.Snapshot()
			sold, err := w.resume(s)
			var refusal *cardslot.Refusal
			if sold.Outcome != cardslot.Doubtful || !errors.As(err, &refusal) || !strings.Contains(sold.Advice, "supervisor") || s.chip.Snapshot() != before {
				t.Errorf("%s, %s: %v, %v", a.Utility(), c.name, sold.Outcome, err)
			}
			if _, ok := sold.Entry(); ok {
				t.Errorf("%s, %s: an entry of what is not certain", a.Utility(), c.name)
			}
		}
	}
}

// TestMetersThatEmptyWallets: some meters take the amount off the card when they
// load it.
func TestMetersThatEmptyWallets(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		s := bring(w, h, a)
		s.Insert()
		s.RemoveAt(16, cardslot.AfterCommand) // the last command: all is written, nothing is known
		if sold, _ := w.sell(s, w.order(h, a, 2, 20_01)); sold.Outcome != cardslot.Doubtful {
			t.Fatalf("torn: %v", sold.Outcome)
		}
		storeWallet(t, s, a, 0, 2)
		s.Insert()
		if sold, err := w.resume(s); err != nil || sold.Outcome != cardslot.Committed {
			t.Errorf("%s: %v, %v", a.Utility(), sold.Outcome, err)
		}
		order := w.order(h, a, 2, 20_01)
		if sold, err := cardslot.Clear(context.Background(), s, card.TestSAM(), w.journal, order); err == nil || sold.Outcome != cardslot.NotWritten {
			t.Errorf("%s: clearing of what was taken: %v, %v", a.Utility(), sold.Outcome, err)
		}
		if _, err := w.sell(s, w.order(h, a, 3, 1_00)); err != nil {
			t.Errorf("%s: the next sale: %v", a.Utility(), err)
		}
	}
}

// TestClearing takes an unloaded purchase off and nothing else.
func TestClearing(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		s := bring(w, h, a)
		clear := func(o cardslot.Order) (cardslot.Sold, error) {
			return cardslot.Clear(context.Background(), s, card.TestSAM(), w.journal, o)
		}
		if sold, err := clear(w.order(h, a, 1, bought)); err == nil || sold.Outcome != cardslot.NotWritten || !strings.Contains(err.Error(), "has taken purchase 1") {
			t.Errorf("a loaded purchase: %v, %v", sold.Outcome, err)
		}
		w.mustSell(s, w.order(h, a, 2, 20_01))
		for _, o := range []cardslot.Order{w.order(h, a, 2, 20_00), w.order(h, a, 1, 20_01), w.order(h, a, 0, 20_01)} {
			if sold, err := clear(o); err == nil || sold.Outcome != cardslot.NotWritten {
				t.Errorf("%+v: %v, %v", o, sold.Outcome, err)
			}
		}
		sold, err := clear(w.order(h, a, 2, 20_01))
		if e, ok := sold.Entry(); err != nil || !ok || e.Event != schemas.CardClear || e.Purchase.Number != 2 || e.Amount.Value != 20_01 {
			t.Errorf("%+v, %v", sold, err)
		}
		w.closes("cleared", h, a, s)
		w.mustSell(s, w.order(h, a, 2, 7_00))
		w.mustLoad(s, h, a)
		w.closes("sold anew", h, a, s)
	}
}

// TestIssueRefusals: a card in use, a pending purchase that is not carried on, and
// orders that no card can carry.
func TestIssueRefusals(t *testing.T) {
	a := cardslot.WaterApplication
	w, h := newWorld(t), newHousehold(t, 1)
	lost, blank := bring(w, h, a), w.newCard(h)
	issue := func(s slot, o cardslot.IssueOrder) error {
		s.Insert()
		sold, err := cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, o)
		if err == nil || sold.Outcome != cardslot.NotWritten {
			t.Errorf("%+v: %v, %v", o, sold.Outcome, err)
		}
		return err
	}
	order := func(purchase uint32, amount int64) cardslot.IssueOrder {
		return cardslot.IssueOrder{Order: w.order(h, a, purchase, amount), Replaces: lost.chip.ID()}
	}
	issue(lost, order(1, 0))
	used := bring(w, newHousehold(t, 2), a)
	issue(used, order(1, 0))
	issue(w.newCard(newHousehold(t, 2)), order(1, 0))
	issue(blank, order(0, 5_00))
	issue(blank, order(1, -1))
	issue(blank, order(70_000, 0))
	lost.Insert()
	lost.RemoveAt(16, cardslot.AfterCommand)
	if sold, _ := w.sell(lost, w.order(h, a, 2, 20_01)); sold.Outcome != cardslot.Doubtful {
		t.Fatalf("torn: %v", sold.Outcome)
	}
	for _, o := range []cardslot.IssueOrder{order(1, 0), order(2, 0), order(2, 20_00), order(3, 20_01)} {
		if err := issue(blank, o); err != nil && !strings.Contains(err.Error(), "must carry purchase 2 of 2001") {
			t.Errorf("%v", err)
		}
	}
	sold, err := cardslot.Issue(context.Background(), blank, card.TestSAM(), w.journal, order(2, 20_01))
	if e, ok := sold.Entry(); err != nil || !ok || e.Event != schemas.CardIssue || e.Replaces != lost.chip.ID() || e.Amount.Value != 20_01 {
		t.Errorf("%+v, %v", sold, err)
	}
	w.closes("replaced", h, a, blank)
}
