// Package cardslot is the prepaid card slot: where cards, meters and terminals
// meet. A Slot tells what happened there as schemas.CardEntry, whatever it is
// made of: a PC/SC reader (package pcsc), the slot of a meter seen over its line
// (the modbus, dlt645 and cjt188 adapters), or a card in the same process.
//
// Cards are spoken to in APDUs [ISO/IEC 7816-4] (package apdu), their files are
// coded by package cardfile, and Sell and Clear put money on a card and take it
// off again in such a way that a card pulled at any moment neither makes nor
// loses any [shared fact: the wallet is written last and read back].
package cardslot

import (
	"context"

	"citygrid/schemas"
)

// Slot is a place where prepaid cards leave their traces.
type Slot interface {
	// Entries returns what the slot tells that it has not told before: it reads a
	// meter's purchase records, or waits for a card and reads its files. After a
	// restart a slot may tell the same facts again, with the same content; the
	// ledger joins them. An error says which slot and what to do.
	Entries(ctx context.Context) ([]schemas.CardEntry, error)
}

// Card is a card in a slot, for as long as it stays there. It is used by one
// goroutine at a time.
type Card interface {
	// Transmit sends a command APDU and returns the answer, data and two bytes of
	// status word, as the card gave it. It fetches nothing by itself (61xx, 6Cxx
	// come as they are) and is never repeated. An error means that the card did
	// not answer: nobody knows whether it has carried out the command.
	// ErrRemoved is among the causes when the card is gone.
	Transmit(ctx context.Context, command []byte) (answer []byte, err error)
}

// Application is a utility's folder on the card.
type Application uint16

// The applications of a multi-utility card.
const (
	PowerApplication Application = 0xDF01
	WaterApplication Application = 0xDF02
	GasApplication   Application = 0xDF03
)

// SAM is the terminal's security module, which holds the keys that cards check.
// Only the simulator's is part of this project; a city's own holds real keys.
type SAM interface {
	// MAC returns the code that proves a command to the card: message is the
	// command's header, Lc and data without the code itself, challenge what the
	// card gave for it (4 or 8 bytes).
	MAC(ctx context.Context, card schemas.CardID, application uint16, challenge, message []byte) ([4]byte, error)
	// Cryptogram answers the card's challenge for EXTERNAL AUTHENTICATE.
	Cryptogram(ctx context.Context, card schemas.CardID, application uint16, challenge []byte) ([]byte, error)
}
