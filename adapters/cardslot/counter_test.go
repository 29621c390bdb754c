package cardslot_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

func (w *world) clear(s slot, o cardslot.Order) (cardslot.Sold, error) {
	return cardslot.Clear(context.Background(), s, card.TestSAM(), w.journal, o)
}

// purseOf reads an application of the card.
func purseOf(t *testing.T, s slot, a cardslot.Application) *cardslot.Purse {
	t.Helper()
	c := mustRead(t, s, cardslot.Profile{})
	return c.Purse(a)
}

// storePurse puts an order file on the chip that was changed.
func storePurse(t *testing.T, s slot, a cardslot.Application, change func(*cardslot.Purse)) {
	t.Helper()
	p := purseOf(t, s, a)
	change(p)
	if p.Power != nil {
		file, err := p.Power.Encode()
		store(t, s, a, 1, file, err)
		return
	}
	file, err := p.Purchase.Encode()
	store(t, s, a, 1, file, err)
}

// refuses checks that nothing was written, and why.
func refuses(t *testing.T, sold cardslot.Sold, err error, says string) {
	t.Helper()
	if err == nil || sold.Outcome != cardslot.NotWritten || sold.Advice == "" || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, %v; want a refusal that says %q", sold.Outcome, err, says)
	}
}

// store puts a file on the chip, as no terminal would.
func store(t *testing.T, s slot, a cardslot.Application, sfi byte, file []byte, err error) {
	t.Helper()
	if err == nil {
		err = s.chip.Store(uint16(a), sfi, file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReturnFileOfAnotherMeter: what another meter wrote back says nothing of the
// purchase on the card. Believed, it would let the next sale overwrite it.
func TestReturnFileOfAnotherMeter(t *testing.T) {
	for _, a := range applications {
		for _, meter := range []cardfile.Number{7, 1} {
			w, h := newWorld(t), newHousehold(t, 1)
			s := bring(w, h, a)
			w.mustSell(s, w.order(h, a, 2, 20_01))
			p := purseOf(t, s, a)
			if x := p.PowerReturn; x != nil {
				x.Meter, x.Customer, x.Count = meter, 8, 2
				file, err := x.Encode()
				store(t, s, a, 5, file, err)
			}
			if x := p.Return; x != nil {
				x.Meter, x.Customer, x.Count = meter, 8, 2
				file, err := x.Encode()
				store(t, s, a, 2, file, err)
			}
			sold, err := w.sell(s, w.order(h, a, 3, 5_00))
			refuses(t, sold, err, "another meter or customer")
			sold, err = w.clear(s, w.order(h, a, 2, 20_01))
			refuses(t, sold, err, "another meter or customer")
		}
	}
}

// TestWhatNoEntryTellsIsNotWritten: an order of which the ledger would refuse the
// entry is refused while that costs nothing.
func TestWhatNoEntryTellsIsNotWritten(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	before := s.chip.Snapshot()
	for _, terminal := range []string{"T1\nT2", strings.Repeat("T", 129)} {
		o := w.order(h, cardslot.GasApplication, 1, 5_00)
		o.Terminal = terminal
		sold, err := w.sell(s, o)
		refuses(t, sold, err, "terminal")
		if s.chip.Snapshot() != before {
			t.Error("something was written")
		}
	}
}

// tornReplacement is a lost card with an unfinished operation, and a replacement
// that is unfinished itself: its purchase is on it, and nobody knows.
func tornReplacement(t *testing.T, w *world, h *household, a cardslot.Application, clearing bool) (lost, torn slot) {
	t.Helper()
	lost, torn = bring(w, h, a), w.newCard(h)
	if clearing {
		w.mustSell(lost, w.order(h, a, 2, 20_01))
	}
	lost.Insert()
	lost.RemoveAt(12, cardslot.BeforeCommand)
	var sold cardslot.Sold
	if clearing {
		sold, _ = w.clear(lost, w.order(h, a, 2, 20_01))
	} else {
		lost.RemoveAt(13, cardslot.AfterCommand)
		sold, _ = w.sell(lost, w.order(h, a, 2, 20_01))
	}
	if sold.Outcome != cardslot.Doubtful {
		t.Fatalf("the lost card: %v", sold.Outcome)
	}
	torn.Insert()
	torn.RemoveAt(16, cardslot.AfterCommand)
	if sold, err := w.replace(torn, lost, w.order(h, a, 2, 20_01)); sold.Outcome != cardslot.Doubtful {
		t.Fatalf("the replacement: %v, %v", sold.Outcome, err)
	}
	return lost, torn
}

func (w *world) replace(s, lost slot, o cardslot.Order) (cardslot.Sold, error) {
	return cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, cardslot.IssueOrder{Order: o, Replaces: lost.chip.ID()})
}

// TestLostCardComesBackFirst: a clearing of the lost card is not finished while a
// replacement may carry the purchase, or the money would be given back twice over.
func TestLostCardComesBackFirst(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		lost, torn := tornReplacement(t, w, h, a, true)
		lost.Insert()
		before := lost.chip.Snapshot()
		if sold, err := w.resume(lost); err == nil || sold.Outcome != cardslot.Doubtful || sold.Advice == "" || lost.chip.Snapshot() != before {
			t.Errorf("the lost card: %v, %v", sold.Outcome, err)
		}
		torn.Insert()
		if sold, err := w.resume(torn); err != nil || sold.Outcome != cardslot.Committed {
			t.Errorf("the replacement: %v, %v", sold.Outcome, err)
		}
		lost.Insert()
		if sold, err := w.resume(lost); err != nil || sold.Outcome != cardslot.NothingPending {
			t.Errorf("the lost card at last: %v, %v", sold.Outcome, err)
		}
		w.load(torn, h, a)
		w.load(lost, h, a)
		w.closes("all loaded", h, a, torn)
	}
}

// TestReplacedTwice: the first replacement broke, a second one settled what was
// pending; when the first comes back after all, it comes to its end, too.
func TestReplacedTwice(t *testing.T) {
	for _, forget := range []bool{false, true} {
		a := cardslot.GasApplication
		w, h := newWorld(t), newHousehold(t, 1)
		lost, torn := tornReplacement(t, w, h, a, false)
		second := w.newCard(h)
		if sold, err := w.replace(second, lost, w.order(h, a, 2, 20_01)); err != nil {
			t.Fatalf("%v, %v", sold.Outcome, err)
		}
		paid, _ := w.paid(h, a)
		if forget {
			for _, r := range w.journal.Settled() {
				must(t, w.journal.Forget(r.ID))
			}
		}
		torn.Insert()
		if sold, err := w.resume(torn); err != nil || sold.Outcome != cardslot.Committed {
			t.Errorf("%v, %v", sold.Outcome, err)
		}
		w.load(second, h, a)
		w.load(torn, h, a)
		if loaded := h.meters[a].State().Bought; loaded != paid {
			t.Errorf("%d paid, %d loaded", paid, loaded)
		}
	}
}

// TestCarriedPurchaseIsNotCleared: the lost card may carry it as well, and may
// turn up.
func TestCarriedPurchaseIsNotCleared(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		lost, s := bring(w, h, a), w.newCard(h)
		w.mustSell(lost, w.order(h, a, 2, 20_01))
		if sold, err := w.replace(s, lost, w.order(h, a, 2, 20_01)); err != nil {
			t.Fatalf("%v, %v", sold.Outcome, err)
		}
		sold, err := w.clear(s, w.order(h, a, 2, 20_01))
		refuses(t, sold, err, "lost card may carry it, too")
		w.load(lost, h, a)
		w.load(s, h, a)
		w.closes("all loaded", h, a, s)
	}
}

// TestTwoCounters: what another counter left unfinished between the two files is
// seen and left alone. Sold over, it would be found done there, and be paid twice.
func TestTwoCounters(t *testing.T) {
	for _, a := range applications[1:] {
		here, there, h := newWorld(t), newWorld(t), newHousehold(t, 1)
		s := bring(there, h, a)
		s.Insert()
		s.RemoveAt(13, cardslot.AfterCommand)
		if sold, _ := there.sell(s, there.order(h, a, 0, 20_01)); sold.Outcome != cardslot.Doubtful {
			t.Fatalf("torn: %v", sold.Outcome)
		}
		s.Insert()
		sold, err := here.sell(s, here.order(h, a, 0, 20_01))
		refuses(t, sold, err, "another counter")
		s.Insert()
		if sold, err := there.resume(s); err != nil || sold.Outcome != cardslot.Committed {
			t.Errorf("%v, %v", sold.Outcome, err)
		}
		there.closes("resumed", h, a, s)
	}
}

// TestBlankWalletOfOnes: chips whose empty memory is FF.
func TestBlankWalletOfOnes(t *testing.T) {
	for _, a := range applications {
		for _, torn := range []int{0, 13} {
			w, h := newWorld(t), newHousehold(t, 1)
			s := w.newCard(h)
			store(t, s, a, walletSFI(a), bytes.Repeat([]byte{0xFF}, cardfile.WalletSize), nil)
			if p := purseOf(t, s, a); p.Unloaded() || p.Wallet.Count != 0 {
				t.Errorf("%+v", p.Wallet)
			}
			s.Insert()
			s.RemoveAt(torn, cardslot.BeforeCommand)
			o := cardslot.IssueOrder{Order: w.order(h, a, 1, 20_01)}
			sold, err := cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, o)
			if torn > 0 {
				s.Insert()
				sold, err = w.resume(s)
			}
			if err != nil || sold.Outcome != cardslot.Committed {
				t.Errorf("%v, %v", sold.Outcome, err)
			}
		}
	}
}

// TestNotWrittenStaysSo: a journal that fails after its file was replaced does not
// bring the sale back with the next start, when the money has been given back.
func TestNotWrittenStaysSo(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	broken, writes := errors.New("the folder cannot be synced"), 0
	w.journal.SetWrite(func(_ string, data []byte, _ fs.FileMode) error {
		w.file = data
		if writes++; writes == 1 {
			return broken
		}
		return nil
	})
	if sold, err := w.sell(s, w.order(h, cardslot.PowerApplication, 1, 5_00)); !errors.Is(err, broken) || sold.Outcome != cardslot.NotWritten {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.restart()
	s.Insert()
	if sold, err := w.resume(s); err != nil || sold.Outcome != cardslot.NothingPending {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
}

// TestCardsThatBringNothing: what meters take for no purchase card is not sold on.
func TestCardsThatBringNothing(t *testing.T) {
	for _, a := range applications {
		for _, kind := range []cardfile.CardType{cardfile.CloseRelay, 0x10} {
			w, h := newWorld(t), newHousehold(t, 1)
			s := w.newCard(h)
			storePurse(t, s, a, func(p *cardslot.Purse) {
				if p.Power != nil {
					p.Power.Type = kind
				} else {
					p.Purchase.Type = kind
				}
			})
			sold, err := w.sell(s, w.order(h, a, 1, 5_00))
			refuses(t, sold, err, "type")
		}
	}
}

// TestPurseOfAnotherUnit: a card does not say whether it counts money or volume.
// 50 yuan must not become 5000 litres because an order says so.
func TestPurseOfAnotherUnit(t *testing.T) {
	for _, a := range applications[1:] {
		w, h := newWorld(t), newHousehold(t, 1)
		s := w.newCard(h)
		o := w.order(h, a, 1, 50_00)
		o.Profile = cardslot.Profile{Water: schemas.CreditLitre, Gas: schemas.CreditLitre}
		sold, err := w.sell(s, o)
		refuses(t, sold, err, `count "L"`)
		o.Amount.Unit, o.Hoard = schemas.CreditLitre, schemas.Credit{Value: 9, Unit: schemas.CreditFen}
		sold, err = w.sell(s, o)
		refuses(t, sold, err, "hoard limit")
		o.Hoard = schemas.Credit{}
		issue := cardslot.IssueOrder{Order: o}
		issue.Amount.Unit = ""
		sold, err = cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, issue)
		refuses(t, sold, err, `count "L"`)
		o.Profile.Water, o.Profile.Gas = "m3", "m3"
		sold, err = w.sell(s, o)
		refuses(t, sold, err, "profile")
		o.Profile = cardslot.Profile{Water: schemas.CreditLitre, Gas: schemas.CreditLitre}
		w.mustSell(s, o)
	}
}

// TestIssueMixesNoUnits: the limits of an issued card are in the unit of its purse.
func TestIssueMixesNoUnits(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	p := purseOf(t, s, cardslot.WaterApplication)
	p.Purchase.Hoard = schemas.Credit{Value: 9000, Unit: schemas.CreditLitre}
	o := cardslot.IssueOrder{Order: w.order(h, cardslot.WaterApplication, 1, 20_01), Utility: p.Purchase}
	sold, err := cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, o)
	refuses(t, sold, err, "hoard limit")
}

// TestLostWhileIssued: a card that is lost before its issue was finished has no
// purchases of its own; what the clerk is told must lead on.
func TestLostWhileIssued(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	lost, torn := tornReplacement(t, w, h, cardslot.PowerApplication, false)
	s := w.newCard(h)
	sold, err := w.replace(s, torn, w.order(h, cardslot.PowerApplication, 2, 20_01))
	refuses(t, sold, err, "in place of card "+string(lost.chip.ID()))
	if sold, err := w.replace(s, lost, w.order(h, cardslot.PowerApplication, 2, 20_01)); err != nil {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
}

// TestNobodysCard: 0 is no number. A card without customer and meter is nobody's, and
// an order without them is not for it.
func TestNobodysCard(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), &household{customer: "0", number: "000"}
		c, err := card.New(card.Options{Serial: card.Serial(1)})
		if err != nil {
			t.Fatal(err)
		}
		s := slot{cardslot.NewMemory(c), c}
		sold, err := w.sell(s, w.order(h, a, 1, 5_00))
		refuses(t, sold, err, "is 0")
		sold, err = cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, cardslot.IssueOrder{Order: w.order(h, a, 0, 0)})
		refuses(t, sold, err, "is 0")
	}
}

// TestAmountWithoutNumber: credit that no purchase brought is not written over.
func TestAmountWithoutNumber(t *testing.T) {
	for _, a := range applications {
		w, h := newWorld(t), newHousehold(t, 1)
		s := w.newCard(h)
		storeWallet(t, s, a, 50_00, 0)
		sold, err := w.sell(s, w.order(h, a, 1, 5_00))
		refuses(t, sold, err, "purchase 0 of 5000")
	}
}

// TestFullCounter: the last number that a card can carry is sold, and no other
// after it: the purchase files of water and gas count to 65535.
func TestFullCounter(t *testing.T) {
	for _, a := range applications {
		last := uint32(1<<16 - 1)
		if a == cardslot.PowerApplication {
			last = 1<<32 - 1
		}
		w, h := newWorld(t), newHousehold(t, 1)
		s := w.newCard(h)
		storeWallet(t, s, a, 0, last-1)
		if a != cardslot.PowerApplication {
			storePurse(t, s, a, func(p *cardslot.Purse) { p.Purchase.Count = uint16(last - 1) })
		}
		sold := w.mustSell(s, w.order(h, a, last, 5_00))
		if e, _ := sold.Entry(); e.Purchase.Number != last {
			t.Errorf("%+v", e)
		}
		storeWallet(t, s, a, 0, last)
		sold, err := w.sell(s, w.order(h, a, 0, 5_00))
		refuses(t, sold, err, "counter is full")
	}
}

// TestMeterWithoutDate: the clock of a meter may show any year. What it wrote back
// is told all the same, without a time.
func TestMeterWithoutDate(t *testing.T) {
	a := cardslot.WaterApplication
	w, h := newWorld(t), newHousehold(t, 1)
	s := bring(w, h, a)
	p := purseOf(t, s, a)
	p.Return.WrittenAt = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	file, err := p.Return.Encode()
	store(t, s, a, 2, file, err)
	c := mustRead(t, s, cardslot.Profile{})
	for _, e := range c.Entries(w.now, "T1") {
		if err := e.Validate(); err != nil || !e.RecordedAt.IsZero() || e.Purchase.Number != 1 {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// TestHoardLimitInTheMeter: the meter judges by the limit that it has, not by the
// one that the card brings.
func TestHoardLimitInTheMeter(t *testing.T) {
	a := cardslot.WaterApplication
	w, h := newWorld(t), newHousehold(t, 1)
	s := bring(w, h, a)
	p := purseOf(t, s, a)
	p.Return.Hoard.Value = 60_00
	file, err := p.Return.Encode()
	store(t, s, a, 2, file, err)
	storePurse(t, s, a, func(p *cardslot.Purse) { p.Purchase.Hoard.Value = 900_00 })
	sold, err := w.sell(s, w.order(h, a, 2, 20_00))
	refuses(t, sold, err, "sell at most 1000")
}

// TestJournalThatWasEdited: a supervisor's slip in the file is found when it is
// opened, not when money is gone.
func TestJournalThatWasEdited(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	w.mustSell(w.newCard(h), w.order(h, cardslot.GasApplication, 1, 5_00))
	good := string(w.file)
	record := good[strings.Index(good, "{\n\t\t\t"):strings.LastIndex(good, "\n\t]")]
	for name, content := range map[string]string{
		"state":   strings.Replace(good, `"committed"`, `"comitted"`, 1),
		"twice":   strings.Replace(good, record, record+","+record, 1),
		"trailer": good + "{}",
		"pending": strings.Replace(strings.Replace(good, record, strings.Replace(record, "T1-0001", "T1-0009", 1)+","+record, 1), `"committed"`, `"pending"`, 2),
		"folder":  strings.Replace(good, `"application": 57091`, `"application": 57100`, 1),
		"kind":    strings.Replace(good, `"kind": "sale"`, `"kind": "sail"`, 1),
	} {
		file := []byte(content)
		if content == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := cardslot.OpenJournalIn(&file); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
