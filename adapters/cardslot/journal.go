package cardslot

import (
	"encoding/hex"
	"fmt"
	"time"

	"citygrid/schemas"
)

// Kind is what a Record is about.
type Kind string

// The kinds.
const (
	Sale     Kind = "sale"  // a purchase is put on the card
	Clearing Kind = "clear" // an unloaded purchase is taken off
	Issuing  Kind = "issue" // the card is issued, first or as a replacement
)

// Journal is the point of sale's own memory of what it does to cards. It is used
// by one goroutine at a time.
type Journal interface {
	// Begin remembers r as pending, durably when it returns. It refuses an ID that
	// it knows already, and a second pending record of one card.
	Begin(r Record) error
	// Commit makes a pending record final, and with it what r.Settles names, all
	// or nothing.
	Commit(id string) error
	// Drop ends a pending record without effect and remembers why.
	Drop(id, reason string) error
	// Pending returns the pending records, the oldest first.
	Pending() ([]Record, error)
}

// Record is one thing done to a card. It holds all that is needed to finish it
// when the same card comes again.
type Record struct {
	ID          string             `json:"id"`
	Kind        Kind               `json:"kind"`
	Application Application        `json:"application"`
	Issuer      schemas.IssuerID   `json:"issuer"`
	Card        schemas.CardID     `json:"card"`
	Replaces    schemas.CardID     `json:"replaces"`
	Customer    schemas.CustomerID `json:"customer"`
	MeterNumber string             `json:"meter_number"`
	// Purchase and Amount are what is put on the card or taken off.
	Purchase uint32         `json:"purchase"`
	Amount   schemas.Credit `json:"amount"`
	Terminal string         `json:"terminal"`

	Source schemas.CardSource `json:"source"`
	At     time.Time          `json:"at"`
	// Before and After are the files as they were found and as they shall be.
	Before Image `json:"before"`
	After  Image `json:"after"`
	// Settles is what the commitment of a replacement decides about pending records
	// of the lost card.
	Settles []Settlement `json:"settles"`
}

// Image is the two files that decide what a card is worth.
type Image struct {
	Order  Bytes `json:"order"`
	Wallet Bytes `json:"wallet"`
}

// Bytes are written as hexadecimal digits.
type Bytes []byte

// MarshalText returns the digits.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText reads them.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(nil, text)
	return err
}

// Settlement ends a pending record of a lost card.
type Settlement struct {
	ID     string `json:"id"`
	Commit bool   `json:"commit"` // else it is dropped
}

// Entry returns what a committed record tells the ledger. It is the same however
// often and whenever it is asked for.
func (r *Record) Entry() schemas.CardEntry {
	event := schemas.CardSale
	switch r.Kind {
	case Clearing:
		event = schemas.CardClear
	case Issuing:
		event = schemas.CardIssue
	}
	amount := r.Amount
	if amount.Value == 0 { // a card issued with nothing on it
		amount = schemas.Credit{}
	}
	return schemas.CardEntry{
		Event: event, Source: r.Source, Utility: r.Application.Utility(),
		Issuer: r.Issuer, Card: r.Card, Replaces: r.Replaces, Customer: r.Customer, MeterNumber: r.MeterNumber,
		Purchase: bySequence(r.Purchase), Amount: amount,
		Terminal: r.Terminal, TakenAt: milliseconds(r.At),
	}
}

// String names the record for people.
func (r *Record) String() string {
	return fmt.Sprintf("%s %s (purchase %d, %d %s)", r.Kind, r.ID, r.Purchase, r.Amount.Value, r.Amount.Unit)
}
