package cardslot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"citygrid/adapters/cardslot/apdu"
	"citygrid/schemas"
)

// terminalKey is the number of the key by which terminals prove themselves to an
// application.
const terminalKey = 0x01

// updateInstruction is UPDATE BINARY, which alone changes files.
const updateInstruction = 0xD6

// watched is a card of which is known whether it may have been changed.
type watched struct {
	Card
	touched bool
}

// Transmit notes an UPDATE that the card has not clearly refused.
func (w *watched) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := w.Card.Transmit(ctx, command)
	if len(command) < 2 || command[1] != updateInstruction {
		return answer, err
	}
	if n := len(answer); err == nil && n == 2 {
		status := apdu.StatusError{SW: uint16(answer[0])<<8 | uint16(answer[1])}
		if status.Refused() {
			return answer, nil
		}
	}
	w.touched = true
	return answer, err
}

// session writes to one application of one card.
type session struct {
	card *watched
	sam  SAM
	id   schemas.CardID
	app  Application
	l    layout
}

func newSession(card Card, sam SAM, r *Record) *session {
	l, _ := r.Application.layout()
	return &session{card: &watched{Card: card}, sam: sam, id: r.Card, app: r.Application, l: l}
}

// apply brings the card from now to r.After and reads back that it is so. What is
// there already is not written.
//
// A purchase is put on by its wallet, which therefore comes last, and taken off
// by its wallet, which therefore comes first: in between, the card is worth less
// than it will be, never more.
func (s *session) apply(ctx context.Context, r *Record, now image) error {
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	order, wallet := step{s.l.order, now.order, r.After.Order}, step{s.l.wallet, now.wallet, r.After.Wallet}
	steps := [2]step{order, wallet}
	if r.Kind == Clearing {
		steps = [2]step{wallet, order}
	}
	for _, x := range steps {
		if err := s.write(ctx, x); err != nil {
			return err
		}
	}
	return s.readBack(ctx, r)
}

// step is one file to be written.
type step struct {
	sfi      byte
	now, new []byte
}

func (s *session) write(ctx context.Context, x step) error {
	if bytes.Equal(x.now, x.new) {
		return nil
	}
	sign := func(ctx context.Context, challenge, message []byte) ([4]byte, error) {
		return s.sam.MAC(ctx, s.id, uint16(s.app), challenge, message)
	}
	return apdu.UpdateBinaryMAC(ctx, s.card, x.sfi, 0, x.new, sign)
}

// authenticate selects the application and proves the terminal to it.
func (s *session) authenticate(ctx context.Context) error {
	if err := apdu.Select(ctx, s.card, uint16(s.app)); err != nil {
		return err
	}
	challenge, err := apdu.Challenge(ctx, s.card, 8)
	if err != nil {
		return err
	}
	cryptogram, err := s.sam.Cryptogram(ctx, s.id, uint16(s.app), challenge)
	if err != nil {
		return fmt.Errorf("security module: %w", err)
	}
	return apdu.ExternalAuthenticate(ctx, s.card, terminalKey, cryptogram)
}

// errReadBack: the card took what was written and gives something else back.
var errReadBack = errors.New("what was read back is not what was written")

func (s *session) readBack(ctx context.Context, r *Record) error {
	got, err := readImage(ctx, s.card, s.l)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !bytes.Equal(got.order, r.After.Order) || !bytes.Equal(got.wallet, r.After.Wallet) {
		return errReadBack
	}
	return nil
}
