package cardslot

import (
	"errors"
	"fmt"

	"citygrid/schemas"
)

// ErrRemoved is among the causes of a Transmit that failed because the card is
// no longer in the slot.
var ErrRemoved = errors.New("the card was taken out")

// ErrPending: the journal holds an unfinished sale of this card. Resume settles
// it.
var ErrPending = errors.New("an earlier operation on this card is unfinished")

// Refusal is why nothing was written on a card: it is not the one that the order
// is for, or its state does not allow the order.
type Refusal struct {
	Card   schemas.CardID
	Reason string // what does not fit, and what to do
}

// Error names the card, the reason and what to do.
func (e *Refusal) Error() string { return fmt.Sprintf("card %s: %s", e.Card, e.Reason) }

func refuse(card schemas.CardID, format string, args ...any) error {
	return &Refusal{card, fmt.Sprintf(format, args...)}
}
