package cardslot_test

import (
	"context"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/schemas"
	"citygrid/simulators/card"
	"citygrid/simulators/prepaid"
)

var start = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)

// household is a customer with a meter of each utility.
type household struct {
	customer schemas.CustomerID
	number   string
	meters   map[cardslot.Application]*prepaid.Meter
}

func newHousehold(t testing.TB, n int) *household {
	t.Helper()
	h := &household{
		customer: schemas.CustomerID(fmt.Sprintf("11223344%04d", n)), number: fmt.Sprintf("00000000%04d", n),
		meters: make(map[cardslot.Application]*prepaid.Meter),
	}
	for _, a := range applications {
		m, err := prepaid.New(prepaid.Config{Utility: a.Utility(), Number: h.number, Unit: schemas.CreditFen, Start: start})
		if err != nil {
			t.Fatal(err)
		}
		h.meters[a] = m
	}
	return h
}

var applications = []cardslot.Application{cardslot.PowerApplication, cardslot.WaterApplication, cardslot.GasApplication}

// world is a point of sale, its customers and their cards.
type world struct {
	t       testing.TB
	file    []byte // of the journal; what a disk does is tested in internal/durable
	journal *cardslot.FileJournal
	random  *rand.Rand
	now     time.Time
	orders  int
	cards   uint32
	// keeps: the meters leave the wallet as it is when they load it, as some do;
	// the others empty it.
	keeps bool
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, random: rand.New(rand.NewSource(1)), now: start}
	w.restart()
	return w
}

// restart is the end of the process and its next start.
func (w *world) restart() {
	w.t.Helper()
	j, err := cardslot.OpenJournalIn(&w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = j
}

// slot is a card with the chip that it is made of.
type slot struct {
	*cardslot.Memory
	chip *card.Card
}

// newCard is a card as personalisation made it for the household.
func (w *world) newCard(h *household) slot {
	w.t.Helper()
	w.cards++
	numbers := map[schemas.Medium]string{schemas.Power: h.number, schemas.Water: h.number, schemas.Gas: h.number}
	c, err := card.New(card.Options{Serial: card.Serial(w.cards), Customer: h.customer, MeterNumbers: numbers, Random: w.random})
	if err != nil {
		w.t.Fatal(err)
	}
	return slot{cardslot.NewMemory(c), c}
}

// order is the next order of the household.
func (w *world) order(h *household, a cardslot.Application, purchase uint32, amount int64) cardslot.Order {
	w.orders++
	w.now = w.now.Add(time.Minute)
	return cardslot.Order{
		ID: fmt.Sprintf("T1-%04d", w.orders), Application: a, Issuer: card.SimulatorIssuer, Customer: h.customer, MeterNumber: h.number,
		Amount: schemas.Credit{Value: amount, Unit: schemas.CreditFen}, Purchase: purchase, Terminal: "T1", Profile: cardslot.Profile{Source: schemas.FromMemory}, At: w.now,
	}
}

func (w *world) sell(s slot, o cardslot.Order) (cardslot.Sold, error) {
	return cardslot.Sell(context.Background(), s, card.TestSAM(), w.journal, o)
}

func (w *world) mustSell(s slot, o cardslot.Order) cardslot.Sold {
	w.t.Helper()
	sold, err := w.sell(s, o)
	if err != nil || sold.Outcome != cardslot.Committed {
		w.t.Fatalf("sell: %v, %v", sold.Outcome, err)
	}
	return sold
}

func (w *world) resume(s slot) (cardslot.Sold, error) {
	return cardslot.Resume(context.Background(), s, card.TestSAM(), w.journal)
}

// load puts a card into the household's meter until the meter is done.
func (w *world) load(s slot, h *household, a cardslot.Application) prepaid.Outcome {
	w.now = w.now.Add(time.Minute)
	var port prepaid.CardPort = s.chip
	if w.keeps {
		port = keeping{s.chip, walletSFI(a)}
	}
	out := h.meters[a].Insert(context.Background(), port, card.MeterSAM(), w.now)
	s.Insert()
	return out
}

// keeping is a card whose wallet the meter does not write.
type keeping struct {
	*card.Card
	wallet byte
}

func (k keeping) Transmit(command []byte) []byte {
	if command[1] == 0xD6 && command[2] == 0x80|k.wallet {
		return []byte{0x90, 0x00}
	}
	return k.Card.Transmit(command)
}

// walletSFI is the short identifier of the application's wallet file.
func walletSFI(a cardslot.Application) byte {
	if a == cardslot.PowerApplication {
		return 2
	}
	return 3
}

// mustLoad is load, and the meter must accept the card.
func (w *world) mustLoad(s slot, h *household, a cardslot.Application) {
	w.t.Helper()
	if out := w.load(s, h, a); out.Fault != schemas.FaultNone {
		w.t.Fatalf("meter refuses the card: %v", out.Err)
	}
}

// paid is what the journal says that the household has paid, and what it may
// have paid beyond that.
func (w *world) paid(h *household, a cardslot.Application) (sure, possible int64) {
	w.t.Helper()
	for _, r := range w.journal.Settled() {
		if r.State != cardslot.CommittedState || r.MeterNumber != h.number || r.Application != a {
			continue
		}
		switch r.Kind {
		case cardslot.Sale:
			sure += r.Amount.Value
		case cardslot.Clearing:
			sure -= r.Amount.Value
		}
	}
	possible = sure
	pending, err := w.journal.Pending()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range pending {
		if r.Kind == cardslot.Sale && r.MeterNumber == h.number && r.Application == a {
			possible += r.Amount.Value
		}
	}
	return sure, possible
}

// onCard is what the card would bring to the meter, by the meter's own rules.
func (w *world) onCard(s slot, h *household, a cardslot.Application) int64 {
	w.t.Helper()
	s.Insert()
	c, err := cardslot.Read(context.Background(), s, cardslot.Profile{})
	if err != nil {
		w.t.Fatal(err)
	}
	p := c.Purse(a)
	if m := h.meters[a]; p.Wallet.Count == m.Count()+1 {
		return p.Wallet.Amount.Value
	}
	return 0
}

// closes checks that paid = on the card + loaded, exactly.
func (w *world) closes(when string, h *household, a cardslot.Application, carrier slot) {
	w.t.Helper()
	loaded := h.meters[a].State().Bought
	sure, possible := w.paid(h, a)
	if sure != possible {
		w.t.Errorf("%s: something is still pending: %d paid, %d possible", when, sure, possible)
	}
	if card := w.onCard(carrier, h, a); loaded+card != sure {
		w.t.Errorf("%s: %d paid, but %d loaded and %d on the card", when, sure, loaded, card)
	}
}

// notMore checks that the meter has never taken what nobody paid.
func (w *world) notMore(when string, h *household, a cardslot.Application) {
	w.t.Helper()
	loaded := h.meters[a].State().Bought
	if _, possible := w.paid(h, a); loaded > possible {
		w.t.Errorf("%s: %d loaded, at most %d paid", when, loaded, possible)
	}
}
