package schemas

import (
	"fmt"
	"slices"
	"time"
)

// MaxTerminal bounds CardEntry.Terminal, in bytes.
const MaxTerminal = 128

// MaxTID is the largest token identifier: 24 bits [IEC 62055-41 6.3.5].
const MaxTID = 1<<24 - 1

// meterDigits is the length of a meter number on a card and in a meter, issuerDigits
// that of an IssuerID, cardDigits that of a CardID.
const (
	meterDigits  = 12
	issuerDigits = 8
	cardDigits   = 16
)

// The closed lists, in the order of the documents.
var (
	cardEventTable   = []CardEvent{CardSale, CardClear, CardIssue, CardLoad, CardRefusal, CardReturn, CardState}
	cardSourceTable  = []CardSource{FromReader, FromModbus, FromDLT645, FromCJT188, FromMemory}
	creditUnitTable  = []CreditUnit{CreditFen, CreditLitre, CreditWh}
	schemeTable      = []PurchaseScheme{BySequence, ByTID}
	cardCounterTable = []CardCounter{IllegalCards, Pulses, StatusWord}
	utilityTable     = []Medium{Water, Power, Gas}
)

// CardEvents returns every card event.
func CardEvents() []CardEvent { return slices.Clone(cardEventTable) }

// CardSources returns every source of card entries.
func CardSources() []CardSource { return slices.Clone(cardSourceTable) }

// CardCounters returns every counter that an entry may carry.
func CardCounters() []CardCounter { return slices.Clone(cardCounterTable) }

// Validate reports an id that is not 16 upper-case hexadecimal digits.
func (c CardID) Validate() error { return validCard("card", c) }

// Validate reports an id outside the alphabet or the length.
func (c CustomerID) Validate() error { return validID("customer", string(c)) }

// Validate reports an id that is not 8 digits.
func (i IssuerID) Validate() error { return validDigits("issuer", string(i), issuerDigits) }

func validCard(field string, c CardID) error {
	if len(c) != cardDigits || !onlyIn(string(c), isUpperHex) {
		return &FieldError{Field: field, Problem: fmt.Sprintf("%q is no card: want %d digits of 0-9 A-F", string(c), cardDigits)}
	}
	return nil
}

func validDigits(field, s string, n int) error {
	if len(s) != n || !onlyIn(s, isDigit) {
		return &FieldError{Field: field, Problem: fmt.Sprintf("%q, want %d digits", s, n)}
	}
	return nil
}

func isUpperHex(c byte) bool { return isDigit(c) || 'A' <= c && c <= 'F' }

// oneOf refuses what is not in a closed list.
func oneOf[T ~string](field string, v T, list []T) error {
	if slices.Contains(list, v) {
		return nil
	}
	return &FieldError{Field: field, Problem: fmt.Sprintf("unknown %s %q, want one of %q", field, string(v), list)}
}

// Validate reports the first thing that keeps e from being a well-formed entry,
// naming the field. It says nothing about whether the entry agrees with others:
// that is reconciliation.
func (e CardEntry) Validate() error { return e.validate() }

func (e *CardEntry) validate() error {
	for _, check := range [...]func() error{e.validKind, e.validPlace, e.validCards, e.validPurchase, e.validCredits, e.validRest} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (e *CardEntry) validKind() error {
	if err := oneOf("event", e.Event, cardEventTable); err != nil {
		return err
	}
	if err := oneOf("source", e.Source, cardSourceTable); err != nil {
		return err
	}
	return oneOf("utility", e.Utility, utilityTable)
}

// validPlace checks what says which meter it was.
func (e *CardEntry) validPlace() error {
	if e.Meter == "" && e.MeterNumber == "" {
		return &FieldError{Field: "meter", Problem: "missing, and no meter_number either"}
	}
	if e.Meter != "" {
		if err := e.Meter.Validate(); err != nil {
			return err
		}
	}
	if e.MeterNumber != "" {
		if err := validDigits("meter_number", e.MeterNumber, meterDigits); err != nil {
			return err
		}
	}
	if e.InstalledAt.IsZero() {
		return nil
	}
	if e.Meter == "" {
		return &FieldError{Field: "installed_at", Problem: "given without the meter whose installation it names"}
	}
	return validTime("installed_at", e.InstalledAt)
}

func (e *CardEntry) validCards() error {
	if e.Issuer != "" {
		if err := e.Issuer.Validate(); err != nil {
			return err
		}
	}
	if e.Card != "" {
		if err := e.Card.Validate(); err != nil {
			return err
		}
	}
	if e.Replaces != "" {
		if e.Event != CardIssue {
			return &FieldError{Field: "replaces", Problem: fmt.Sprintf("given for %q; only an issue replaces a card", string(e.Event))}
		}
		if err := validCard("replaces", e.Replaces); err != nil {
			return err
		}
	}
	if e.Customer != "" {
		return e.Customer.Validate()
	}
	return nil
}

// validPurchase: a number of 0 says that no purchase has been taken yet, which
// a sale, a clearing and a load contradict.
func (e *CardEntry) validPurchase() error {
	p := e.Purchase
	if err := e.validModulus(); err != nil || p == (PurchaseRef{}) {
		return err
	}
	if err := oneOf("scheme", p.Scheme, schemeTable); err != nil {
		return at("purchase", err)
	}
	if p.Scheme == ByTID && p.Number > MaxTID {
		return &FieldError{Field: "purchase.number", Problem: fmt.Sprintf("%d, want at most %d for a token", p.Number, MaxTID)}
	}
	if p.Number == 0 && e.moves() {
		return &FieldError{Field: "purchase.number", Problem: fmt.Sprintf("0 for %q; purchases count from 1", string(e.Event))}
	}
	return nil
}

// minModulus is the least count that begins anew: one that never leaves 0 counts
// nothing.
const minModulus = 2

// validModulus: only a sequence begins anew, and no number lies beyond a round.
func (e *CardEntry) validModulus() error {
	m := e.PurchaseModulus
	switch {
	case m == 0:
		return nil
	case e.Purchase.Scheme != BySequence:
		return &FieldError{Field: "purchase_modulus", Problem: fmt.Sprintf("%d given without a purchase of %q", m, string(BySequence))}
	case m < minModulus:
		return &FieldError{Field: "purchase_modulus", Problem: fmt.Sprintf("%d, want at least %d; leave it out where the number is absolute", m, minModulus)}
	case e.Purchase.Number > m:
		return &FieldError{Field: "purchase_modulus", Problem: fmt.Sprintf("%d is below the number %d", m, e.Purchase.Number)}
	}
	return nil
}

// moves reports whether the entry is about credit that moved.
func (e *CardEntry) moves() bool {
	return e.Event == CardSale || e.Event == CardClear || e.Event == CardLoad
}

// namedCredit is one of the amounts of an entry.
type namedCredit struct {
	key    int
	credit *Credit
}

// credits lists the amounts of e in the order of their keys.
func (e *CardEntry) credits() [5]namedCredit {
	return [5]namedCredit{
		{entryAmount, &e.Amount}, {entryResidual, &e.Residual}, {entryOverdraft, &e.Overdraft},
		{entryBought, &e.Bought}, {entryUsed, &e.Used},
	}
}

func (e *CardEntry) validCredits() error {
	for _, c := range e.credits() {
		if err := c.credit.validate(e.Utility); err != nil {
			return at(entryFields[c.key], err)
		}
	}
	switch {
	case e.moves() && !e.Amount.Known():
		return &FieldError{Field: "amount", Problem: fmt.Sprintf("missing; %q says how much", string(e.Event))}
	case (e.Event == CardReturn || e.Event == CardState) && e.Amount.Known():
		return &FieldError{Field: "amount", Problem: fmt.Sprintf("given for %q, which moves nothing", string(e.Event))}
	case e.Amount.Value < 0:
		return &FieldError{Field: "amount", Problem: fmt.Sprintf("%d is below zero; the event says which way it went", e.Amount.Value)}
	case e.Overdraft.Value < 0:
		return &FieldError{Field: "overdraft", Problem: fmt.Sprintf("%d is below zero; credit is residual", e.Overdraft.Value)}
	}
	return nil
}

// validate refuses a unit that does not measure what the utility sells: it is
// how a volume that was taken for money is found.
func (c *Credit) validate(utility Medium) error {
	switch {
	case *c == Credit{}:
		return nil
	case !c.Known():
		return &FieldError{Field: "unit", Problem: fmt.Sprintf("missing for the value %d", c.Value)}
	case c.Unit == CreditWh && utility != Power, c.Unit == CreditLitre && utility == Power:
		return &FieldError{Field: "unit", Problem: fmt.Sprintf("%q is no unit of %s", string(c.Unit), string(utility))}
	}
	return oneOf("unit", c.Unit, creditUnitTable)
}

// validRest checks counters, fault, terminal and times.
func (e *CardEntry) validRest() error {
	for name := range e.Counters {
		if err := oneOf("counter", name, cardCounterTable); err != nil {
			return at("counters", err)
		}
	}
	switch {
	case e.Fault > FaultHoard:
		return &FieldError{Field: "fault", Problem: fmt.Sprintf("unknown fault %d, want at most %d", e.Fault, FaultHoard)}
	case e.Event == CardRefusal && e.Fault == FaultNone:
		return &FieldError{Field: "fault", Problem: "missing; a refusal says why"}
	case e.Event != CardRefusal && e.Fault != FaultNone:
		return &FieldError{Field: "fault", Problem: fmt.Sprintf("%d given for %q", e.Fault, string(e.Event))}
	}
	if e.Terminal != "" {
		if err := validLine("terminal", e.Terminal, MaxTerminal); err != nil {
			return err
		}
	}
	if err := validTime("taken_at", e.TakenAt); err != nil || e.RecordedAt.IsZero() {
		return err
	}
	return validTime("recorded_at", e.RecordedAt)
}

// Recorded returns t, which a meter's or a card's clock shows, as RecordedAt may
// carry it: zero, which says nothing, where it lies outside the years that a
// message may carry. A clock that has begun anew is no reason to lose the entry.
func Recorded(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if validTime("", t) != nil {
		return time.Time{}
	}
	return t
}

// Validate reports the first thing that keeps b from being sealed or stored,
// naming the entry's index and the field.
func (b CardBatch) Validate() error {
	if err := (batchHead{b.Collector, b.Area, b.SealedAt}).validate(); err != nil {
		return err
	}
	if n := len(b.Entries); n == 0 || n > MaxCardEntries {
		return &FieldError{Field: "entries", Problem: fmt.Sprintf("%d entries, want 1 to %d", n, MaxCardEntries)}
	}
	for i := range b.Entries {
		if err := b.Entries[i].validate(); err != nil {
			return at(fmt.Sprintf("entries[%d]", i), err)
		}
	}
	return nil
}

// TerminalText makes a text fit CardEntry.Terminal, as FaultText does for faults.
// An empty text stays empty.
func TerminalText(s string) string { return lineText(s, MaxTerminal) }
