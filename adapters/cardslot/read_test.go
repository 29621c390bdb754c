package cardslot_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/apdu"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

func mustRead(t testing.TB, s slot, p cardslot.Profile) cardslot.Contents {
	t.Helper()
	s.Insert()
	c, err := cardslot.Read(context.Background(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReadTellsWhatTheMeterWroteBack sells, loads, and reads the card again.
func TestReadTellsWhatTheMeterWroteBack(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	if c := mustRead(t, s, cardslot.Profile{}); len(c.Purses) != 3 || len(c.Entries(w.now, "T1")) != 0 {
		t.Fatalf("a new card: %d purses, %d entries", len(c.Purses), len(c.Entries(w.now, "T1")))
	}
	for i, a := range applications {
		w.mustSell(s, w.order(h, a, 1, int64(10_00*(i+1))))
	}
	c := mustRead(t, s, cardslot.Profile{})
	for _, a := range applications {
		if p := c.Purse(a); !p.Unloaded() || p.Returned() != 0 {
			t.Errorf("%s: a sale that waits: %+v", a.Utility(), p)
		}
	}
	if n := len(c.Entries(w.now, "T1")); n != 0 {
		t.Errorf("%d entries before any meter wrote back", n)
	}
	for _, a := range applications {
		w.mustLoad(s, h, a)
	}
	c = mustRead(t, s, cardslot.Profile{Source: schemas.FromMemory})
	at := time.Date(2026, 11, 22, 9, 0, 0, 123_456_789, time.FixedZone("", 3600))
	entries := c.Entries(at, "T7")
	if len(entries) != 3 || c.Card != card.Serial(1) || c.Issuer != card.SimulatorIssuer {
		t.Fatalf("%d entries, card %s of %s", len(entries), c.Card, c.Issuer)
	}
	for i, e := range entries {
		fen := schemas.Credit{Value: int64(10_00 * (i + 1)), Unit: schemas.CreditFen}
		if e.Event != schemas.CardReturn || e.Source != schemas.FromMemory || e.Utility != applications[i].Utility() || e.Residual != fen ||
			e.Purchase != (schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 1}) || e.MeterNumber != h.number || e.Customer != h.customer ||
			e.Card != c.Card || e.Issuer != c.Issuer || e.Terminal != "T7" || e.Amount.Known() {
			t.Errorf("entry %d: %+v", i, e)
		}
		if want := time.Date(2026, 11, 22, 8, 0, 0, 123_000_000, time.UTC); !e.TakenAt.Equal(want) || e.TakenAt.Location() != time.UTC {
			t.Errorf("taken at %s, want %s", e.TakenAt, want)
		}
		if since := w.now.Sub(e.RecordedAt); since < 0 || since > 5*time.Minute || e.RecordedAt.Location() != time.UTC {
			t.Errorf("recorded at %s, now is %s", e.RecordedAt, w.now)
		}
		if e.Utility != schemas.Power && (e.Bought != fen || !e.Used.Known()) {
			t.Errorf("entry %d: bought %v, used %v", i, e.Bought, e.Used)
		}
		if p := c.Purse(applications[i]); p.Unloaded() {
			t.Errorf("%s is still said to be unloaded", applications[i].Utility())
		}
	}
}

// TestReadOfDamagedAndStrangeCards: one bad file does not hide the rest, and a
// card of another city is recognised.
func TestReadOfDamagedAndStrangeCards(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	file, _ := s.chip.File(card.Water, 1)
	file[20] ^= 0xFF
	if err := s.chip.Store(card.Water, 1, file); err != nil {
		t.Fatal(err)
	}
	c := mustRead(t, s, cardslot.Profile{Water: schemas.CreditLitre})
	water := c.Purse(cardslot.WaterApplication)
	var e *cardfile.FieldError
	if len(water.Problems) != 1 || !errors.As(water.Problems[0], &e) || e.Field != "checksum" || water.Wallet.Amount.Unit != schemas.CreditLitre {
		t.Errorf("%+v", water)
	}
	if p := c.Purse(cardslot.PowerApplication); p.Power == nil || len(p.Problems) != 0 {
		t.Errorf("%+v", p)
	}
	steps, err := cardfile.Frame{Command: 1, Data: make([]byte, cardfile.StepSize-5)}.EncodeSteps()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.chip.Store(card.Gas, 7, steps); err != nil {
		t.Fatal(err)
	}
	if c = mustRead(t, s, cardslot.Profile{}); c.Purse(cardslot.GasApplication).Current == nil || c.Purse(cardslot.GasApplication).Spare != nil {
		t.Error("the step file was not read, or a blank one was")
	}
	foreign, err := card.New(card.Options{Serial: card.Serial(8), Issuer: "00110001", Applications: []schemas.Medium{schemas.Gas}})
	if err != nil {
		t.Fatal(err)
	}
	c = mustRead(t, slot{cardslot.NewMemory(foreign), foreign}, cardslot.Profile{})
	if !c.Foreign(card.SimulatorIssuer) || c.Foreign("00119999") || len(c.Purses) != 1 || c.Purse(cardslot.PowerApplication) != nil {
		t.Errorf("a foreign card: %+v", c)
	}
}

func TestReadErrors(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	mustRead(t, s, cardslot.Profile{})
	for n := 1; n <= s.Sent(); n++ {
		s.Insert()
		s.RemoveAt(n, cardslot.AfterCommand)
		if _, err := cardslot.Read(context.Background(), s, cardslot.Profile{}); !errors.Is(err, cardslot.ErrRemoved) {
			t.Errorf("removed at %d: %v", n, err)
		}
	}
	s.Remove()
	if _, err := cardslot.Read(context.Background(), s, cardslot.Profile{}); !errors.Is(err, cardslot.ErrRemoved) {
		t.Errorf("removed: %v", err)
	}
	s.Insert()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cardslot.Read(ctx, s, cardslot.Profile{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := cardslot.Read(context.Background(), cardslot.NewMemory(nothing{}), cardslot.Profile{}); !errors.Is(err, apdu.ErrFileNotFound) {
		t.Errorf("a strange card: %v", err)
	}
	copied := w.newCard(h)
	other, _ := copied.chip.File(card.MF, 1)
	if err := s.chip.Store(card.MF, 1, other); err != nil {
		t.Fatal(err)
	}
	if _, err := cardslot.Read(context.Background(), s, cardslot.Profile{}); err == nil || !strings.Contains(err.Error(), "copy") {
		t.Errorf("a public file of another card: %v", err)
	}
}

// nothing is a card that knows no file.
type nothing struct{}

func (nothing) Transmit([]byte) []byte { return []byte{0x6A, 0x82} }

func TestApplications(t *testing.T) {
	for _, a := range applications {
		if got, ok := cardslot.ApplicationOf(a.Utility()); !ok || got != a {
			t.Errorf("%04X: %04X", a, got)
		}
	}
	if _, ok := cardslot.ApplicationOf(schemas.Device); ok {
		t.Error("devices have an application")
	}
}

// TestEntriesKeepAmountsApart: each amount of a return file goes to its own field.
func TestEntriesKeepAmountsApart(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	s := w.newCard(h)
	litres := func(v int64) schemas.Credit { return schemas.Credit{Value: v, Unit: schemas.CreditLitre} }
	water := cardfile.UtilityReturn{
		Command: 1, Head: cardfile.Head{Meter: 1, Customer: 2}, Count: 7, LastAmount: litres(99), Remaining: litres(11), Bought: litres(33), Used: litres(22),
		Pulses: 44, State: 55, WrittenAt: start,
	}
	power := cardfile.PowerReturn{Command: 1, Meter: 3, Customer: 4, Count: 8, Remaining: 66, Overdraft: 77, Illegal: 5, WrittenAt: start}
	for _, f := range []struct {
		folder uint16
		sfi    byte
		encode func() ([]byte, error)
	}{{card.Water, 2, water.Encode}, {card.Power, 5, power.Encode}} {
		b, err := f.encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.chip.Store(f.folder, f.sfi, b); err != nil {
			t.Fatal(err)
		}
	}
	c := mustRead(t, s, cardslot.Profile{Water: schemas.CreditLitre})
	entries := c.Entries(start, "T1")
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	p, e := entries[0], entries[1]
	fen := func(v int64) schemas.Credit { return schemas.Credit{Value: v, Unit: schemas.CreditFen} }
	if p.Residual != fen(66) || p.Overdraft != fen(77) || p.Purchase.Number != 8 || p.Counters[schemas.IllegalCards] != 5 ||
		p.MeterNumber != "000000000003" || p.Customer != "000000000004" || p.Bought.Known() || p.Used.Known() {
		t.Errorf("%+v", p)
	}
	if e.Residual != litres(11) || e.Bought != litres(33) || e.Used != litres(22) || e.Overdraft.Known() || e.Purchase.Number != 7 ||
		e.Counters[schemas.Pulses] != 44 || e.Counters[schemas.StatusWord] != 55 || !e.RecordedAt.Equal(start) || e.Source != schemas.FromReader {
		t.Errorf("%+v", e)
	}
}
