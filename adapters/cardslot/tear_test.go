package cardslot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"citygrid/adapters/cardslot"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

// operation is something done to a card that is to be torn.
type operation struct {
	name string
	// prepare brings household and cards to where the operation begins and
	// returns it. first is the card that is torn, second the household's other
	// card, if there is one.
	prepare func(w *world, h *household, a cardslot.Application) (torn, other slot, do func() (cardslot.Sold, error))
}

const bought = 50_00

// bring sells and loads a first purchase, so that the one under test is number 2.
func bring(w *world, h *household, a cardslot.Application) slot {
	s := w.newCard(h)
	w.mustSell(s, w.order(h, a, 1, bought))
	w.mustLoad(s, h, a)
	return s
}

var operations = []operation{
	{"sell", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		s := bring(w, h, a)
		o := w.order(h, a, 2, 20_01)
		return s, slot{}, func() (cardslot.Sold, error) { return w.sell(s, o) }
	}},
	{"first sale", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		s := w.newCard(h)
		o := w.order(h, a, 1, 20_01)
		return s, slot{}, func() (cardslot.Sold, error) { return w.sell(s, o) }
	}},
	{"clear", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		s := bring(w, h, a)
		w.mustSell(s, w.order(h, a, 2, 20_01))
		o := w.order(h, a, 2, 20_01)
		return s, slot{}, func() (cardslot.Sold, error) {
			return cardslot.Clear(context.Background(), s, card.TestSAM(), w.journal, o)
		}
	}},
	{"replace with unloaded purchase", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		lost := bring(w, h, a)
		w.mustSell(lost, w.order(h, a, 2, 20_01))
		return replace(w, h, a, lost, 20_01)
	}},
	{"replace without", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		lost := bring(w, h, a)
		w.mustSell(lost, w.order(h, a, 2, 20_01))
		w.mustLoad(lost, h, a)
		return replace(w, h, a, lost, 0)
	}},
	{"replace after torn sale", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		lost := bring(w, h, a)
		lost.RemoveAt(15, cardslot.AfterCommand)
		if sold, _ := w.sell(lost, w.order(h, a, 2, 20_01)); sold.Outcome != cardslot.Doubtful {
			w.t.Fatalf("a sale torn at command 15 of the card is %v", sold.Outcome)
		}
		return replace(w, h, a, lost, 20_01)
	}},
	{"replace after torn clearing", func(w *world, h *household, a cardslot.Application) (slot, slot, func() (cardslot.Sold, error)) {
		lost := bring(w, h, a)
		w.mustSell(lost, w.order(h, a, 2, 20_01))
		lost.Insert()
		lost.RemoveAt(12, cardslot.AfterCommand)
		sold, _ := cardslot.Clear(context.Background(), lost, card.TestSAM(), w.journal, w.order(h, a, 2, 20_01))
		if sold.Outcome != cardslot.Doubtful {
			w.t.Fatalf("a clearing torn at command 12 of the card is %v", sold.Outcome)
		}
		return replace(w, h, a, lost, 20_01)
	}},
}

// replace is the operation that issues a card in place of lost.
func replace(w *world, h *household, a cardslot.Application, lost slot, carried int64) (torn, other slot, do func() (cardslot.Sold, error)) {
	s := w.newCard(h)
	o := cardslot.IssueOrder{Order: w.order(h, a, 2, carried), Replaces: lost.chip.ID()}
	return s, lost, func() (cardslot.Sold, error) {
		return cardslot.Issue(context.Background(), s, card.TestSAM(), w.journal, o)
	}
}

// between is what happens from the tear to the next insertion at the counter.
type between struct {
	name string
	// meter: the torn card sees a meter, and it matters what that does to wallets.
	meter bool
	do    func(w *world, h *household, a cardslot.Application, torn, other slot)
}

var betweens = []between{
	{"at once", false, func(*world, *household, cardslot.Application, slot, slot) {}},
	{"after a restart", false, func(w *world, _ *household, _ cardslot.Application, _, _ slot) { w.restart() }},
	{"after the meter", true, func(w *world, h *household, a cardslot.Application, torn, _ slot) { w.load(torn, h, a) }},
	{"after the lost card went into the meter", false, func(w *world, h *household, a cardslot.Application, _, other slot) {
		if other.chip != nil {
			w.load(other, h, a)
		}
	}},
	{"after both went into the meter", true, func(w *world, h *household, a cardslot.Application, torn, other slot) {
		w.load(torn, h, a)
		if other.chip != nil {
			w.load(other, h, a)
		}
	}},
	{"after the lost card was brought first", false, func(w *world, _ *household, _ cardslot.Application, _, other slot) {
		if other.chip != nil {
			other.Insert()
			_, _ = w.resume(other) // the money tells
		}
	}},
	{"after another customer", false, anotherCustomer},
	{"after resuming was torn, too", true, func(w *world, h *household, a cardslot.Application, torn, _ slot) {
		for range 3 {
			torn.Insert()
			torn.RemoveAt(1+w.random.Intn(20), w.random.Intn(2) == 0)
			_, _ = w.resume(torn) // whatever it says: the last one counts
			w.load(torn, h, a)
			w.restart()
		}
	}},
}

// anotherCustomer buys and loads while the torn card is pending.
func anotherCustomer(w *world, _ *household, a cardslot.Application, _, _ slot) {
	w.t.Helper()
	h := newHousehold(w.t, 9)
	s := w.newCard(h)
	if sold, err := w.resume(s); err != nil || sold.Outcome != cardslot.NothingPending {
		w.t.Errorf("the other customer's card: %v, %v", sold.Outcome, err)
	}
	w.mustSell(s, w.order(h, a, 1, 7_77))
	w.mustLoad(s, h, a)
	w.closes("the other customer", h, a, s)
}

// TestTornAtEveryCommand tears each operation at every command, before and after
// the card has carried it out, and lets everything happen that can happen before
// the card comes back. Then what was paid must be what was loaded and what is
// still on the card, to the fen.
func TestTornAtEveryCommand(t *testing.T) {
	for _, a := range applications {
		for _, op := range operations {
			t.Run(fmt.Sprintf("%s/%s", a.Utility(), op.name), func(t *testing.T) {
				t.Parallel()
				commands := length(t, a, op)
				t.Logf("%d commands", commands)
				for _, b := range betweens {
					for n := 1; n <= commands; n++ {
						for _, moment := range []cardslot.Moment{cardslot.BeforeCommand, cardslot.AfterCommand} {
							tear(t, a, op, b, n, moment, false)
							if b.meter {
								tear(t, a, op, b, n, moment, true)
							}
						}
					}
				}
			})
		}
	}
}

// length is how many commands the operation takes.
func length(t *testing.T, a cardslot.Application, op operation) int {
	t.Helper()
	w, h := newWorld(t), newHousehold(t, 1)
	s, _, do := op.prepare(w, h, a)
	s.Insert()
	if sold, err := do(); err != nil || sold.Outcome != cardslot.Committed {
		t.Fatalf("whole: %v, %v", sold.Outcome, err)
	}
	commands := s.Sent()
	w.closes("whole", h, a, s)
	return commands
}

func tear(t *testing.T, a cardslot.Application, op operation, b between, n int, moment cardslot.Moment, keeps bool) {
	t.Helper()
	when := fmt.Sprintf("%s %s torn at command %d (carried out: %t), %s, meter keeps wallets: %t", a.Utility(), op.name, n, moment, b.name, keeps)
	w, h := newWorld(t), newHousehold(t, 1)
	w.random.Seed(int64(n))
	w.keeps = keeps
	s, other, do := op.prepare(w, h, a)
	s.Insert()
	s.RemoveAt(n, moment)
	sold, err := do()
	if !errors.Is(err, cardslot.ErrRemoved) || sold.Advice == "" || sold.Outcome != cardslot.NotWritten && sold.Outcome != cardslot.Doubtful {
		t.Fatalf("%s: %v, %v", when, sold.Outcome, err)
	}
	w.notMore(when, h, a)
	b.do(w, h, a, s, other)
	w.notMore(when, h, a)
	carrier := settle(w, when, h, a, s, other, sold.Outcome)
	after(w, when, h, a, carrier, s, other)
}

// settle resumes what is pending on the two cards, checks that the money is where
// it should be, and returns the card that the household goes on with.
func settle(w *world, when string, h *household, a cardslot.Application, s, other slot, torn cardslot.Outcome) slot {
	w.t.Helper()
	s.Insert()
	sold, err := w.resume(s)
	switch {
	case torn == cardslot.NotWritten && (err != nil || sold.Outcome != cardslot.NothingPending):
		w.t.Errorf("%s: not written, but resume says %v, %v", when, sold.Outcome, err)
	case sold.Outcome == cardslot.Doubtful:
		w.t.Errorf("%s: resume says %v, %v", when, sold.Outcome, err)
	}
	if other.chip != nil && !w.issued() { // no replacement came about, and the lost card turns up
		other.Insert()
		if sold, err := w.resume(other); sold.Outcome == cardslot.Doubtful {
			w.t.Errorf("%s: resume of the lost card: %v", when, err)
		}
		s = other
	}
	w.closes(when, h, a, s)
	return s
}

// issued reports whether a replacement came about.
func (w *world) issued() bool {
	return slices.ContainsFunc(w.journal.Settled(), func(r cardslot.Settled) bool {
		return r.Kind == cardslot.Issuing && r.State == cardslot.CommittedState
	})
}

// after puts every card that there is into the meter, and the household goes on
// buying.
func after(w *world, when string, h *household, a cardslot.Application, carrier, torn, other slot) {
	w.t.Helper()
	w.load(carrier, h, a)
	for _, s := range []slot{torn, other} {
		if s.chip != nil {
			w.load(s, h, a)
		}
	}
	w.closes(when+", all loaded", h, a, carrier)
	if sold, err := w.sell(carrier, w.order(h, a, 0, 3_33)); err != nil {
		w.t.Errorf("%s: the next sale is %v: %v", when, sold.Outcome, err)
	}
	if out := w.load(carrier, h, a); !out.Loaded {
		w.t.Errorf("%s: the next purchase is not loaded: %v", when, out.Err)
	}
	w.closes(when+", one more", h, a, carrier)
}

// TestTornAgainAndAgain pulls the card at random commands, also while it is
// resumed and while it is in the meter, until everything is settled.
func TestTornAgainAndAgain(t *testing.T) {
	const households = 40
	for i := range households {
		w, h := newWorld(t), newHousehold(t, 1)
		w.random.Seed(int64(i))
		a := applications[i%len(applications)]
		s := w.newCard(h)
		for range 12 {
			manyTears(w, s, h, a)
		}
		if len(w.journal.Settled()) < 3 {
			t.Errorf("household %d: only %d orders came to an end", i, len(w.journal.Settled()))
		}
	}
}

func manyTears(w *world, s slot, h *household, a cardslot.Application) {
	w.t.Helper()
	moment := func() cardslot.Moment { return w.random.Intn(2) == 0 }
	s.Insert()
	s.RemoveAt(1+w.random.Intn(30), moment())
	sold, _ := w.sell(s, w.order(h, a, 0, 1+w.random.Int63n(100_00)))
	for n := 0; sold.Outcome == cardslot.Doubtful || w.pending() > 0; n++ {
		if n == 200 {
			w.t.Fatalf("still pending after %d insertions: %v", n, sold.Outcome)
		}
		w.notMore("torn again", h, a)
		if w.random.Intn(3) == 0 {
			w.tornLoad(s, h, a)
		}
		w.restart()
		s.Insert()
		s.RemoveAt(1+w.random.Intn(40), moment())
		sold, _ = w.resume(s)
	}
	w.closes("after a sale", h, a, s)
	w.tornLoad(s, h, a)
	w.load(s, h, a)
	w.closes("after the meter", h, a, s)
}

func (w *world) pending() int {
	w.t.Helper()
	pending, err := w.journal.Pending()
	if err != nil {
		w.t.Fatal(err)
	}
	return len(pending)
}

// tornLoad pulls the card out of the meter at a random command.
func (w *world) tornLoad(s slot, h *household, a cardslot.Application) {
	p := &pulled{slot: s, after: w.random.Intn(25), late: w.random.Intn(2) == 0}
	h.meters[a].Insert(context.Background(), p, card.MeterSAM(), w.now)
	s.Insert()
}

// pulled is a card that leaves the meter's slot.
type pulled struct {
	slot
	after int
	late  bool
}

func (p *pulled) Reset() []byte { return p.chip.Reset() }

func (p *pulled) Transmit(command []byte) []byte {
	p.after--
	switch {
	case p.after >= 0:
		return p.chip.Transmit(command)
	case p.after == -1 && p.late:
		p.chip.Transmit(command)
	}
	return nil
}

// TestTornBetweenFilesLoadsNothing: while water and gas cards are torn
// between their two files, the meter takes nothing from them.
func TestTornBetweenFilesLoadsNothing(t *testing.T) {
	for _, a := range applications[1:] {
		w, h := newWorld(t), newHousehold(t, 1)
		s := bring(w, h, a)
		s.Insert()
		s.RemoveAt(13, cardslot.AfterCommand) // the UPDATE of the purchase file
		if sold, _ := w.sell(s, w.order(h, a, 2, 30_00)); sold.Outcome != cardslot.Doubtful {
			t.Fatalf("%s: %v", a.Utility(), sold.Outcome)
		}
		s.Insert()
		c, err := cardslot.Read(context.Background(), s, cardslot.Profile{})
		if err != nil {
			t.Fatal(err)
		}
		if p := c.Purse(a); p.Purchase.Count != 2 || p.Wallet.Count != 1 {
			t.Fatalf("%s: the tear is not between the files: %d, %d", a.Utility(), p.Purchase.Count, p.Wallet.Count)
		}
		if out := w.load(s, h, a); out.Loaded || out.Fault != schemas.FaultNone || h.meters[a].Count() != 1 {
			t.Errorf("%s: %+v", a.Utility(), out)
		}
	}
}
