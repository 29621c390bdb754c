package apdu

import (
	"context"
	"fmt"
)

// Card is what Exchange needs of a card: cardslot.Card has it.
type Card interface {
	// Transmit sends a command and returns data and status word, as they came.
	Transmit(ctx context.Context, command []byte) (answer []byte, err error)
}

// maxPieces bounds how many times a card may say that there is more.
const maxPieces = 16

// Exchange sends c and returns the data of the answer. It fetches what the card
// holds back (61xx) and repeats plain reads with the length that the card names
// (6Cxx), once. A status word other than 9000 is a *StatusError; any other error
// means that the card did not answer.
func Exchange(ctx context.Context, card Card, c Command) ([]byte, error) {
	data, sw, err := send(ctx, card, c)
	if err == nil && sw>>8 == 0x6C && c.repeatable() {
		c.Le = length(sw)
		data, sw, err = send(ctx, card, c)
	}
	for n := 0; err == nil && sw>>8 == 0x61; n++ {
		if n == maxPieces {
			return nil, fmt.Errorf("%s: the card says for the %dth time that there is more: take it out and try another", c, n)
		}
		var more []byte
		more, sw, err = send(ctx, card, Command{INS: insGetResponse, Le: length(sw)})
		data = append(data, more...)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	if sw != swOK {
		return nil, &StatusError{Command: c.String(), SW: sw}
	}
	return data, nil
}

// length is the number of bytes that a status word 61xx or 6Cxx names.
func length(sw uint16) int {
	if n := int(sw & 0xFF); n > 0 {
		return n
	}
	return MaxAnswer
}

// send is one command and its answer.
func send(ctx context.Context, card Card, c Command) (data []byte, sw uint16, err error) {
	command, err := c.Bytes()
	if err != nil {
		return nil, 0, err
	}
	answer, err := card.Transmit(ctx, command)
	if err != nil {
		return nil, 0, err
	}
	n := len(answer) - 2
	if n < 0 || n > MaxAnswer {
		return nil, 0, fmt.Errorf("answer of %d bytes; want 2 to %d: look at the reader and its cable", len(answer), MaxAnswer+2)
	}
	return answer[:n:n], uint16(answer[n])<<8 | uint16(answer[n+1]), nil
}
