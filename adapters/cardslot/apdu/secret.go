package apdu

import (
	"context"
	"fmt"
)

// Challenge gets a random number of n bytes (4 or 8) from the card. It is good
// for the next command only.
func Challenge(ctx context.Context, card Card, n int) ([]byte, error) {
	c := Command{INS: insGetChallenge, Le: n}
	challenge, err := Exchange(ctx, card, c)
	if err == nil && len(challenge) != n {
		return nil, fmt.Errorf("%s: %d bytes came, want %d: %s", c, len(challenge), n, doTryOther)
	}
	return challenge, err
}

// InternalAuthenticate asks the card to prove itself: it returns random, 8
// bytes, encrypted with the card's key of that number.
func InternalAuthenticate(ctx context.Context, card Card, key byte, random []byte) ([]byte, error) {
	return Exchange(ctx, card, Command{INS: insInternalAuthenticate, P2: key, Data: random, Le: len(random)})
}

// ExternalAuthenticate proves the terminal to the card: cryptogram answers the
// challenge of the command before. A wrong one costs a try.
func ExternalAuthenticate(ctx context.Context, card Card, key byte, cryptogram []byte) error {
	_, err := Exchange(ctx, card, Command{INS: insExternalAuthenticate, P2: key, Data: cryptogram})
	return err
}

// Verify shows the card a secret (PIN) under its reference. A wrong one is
// ErrWrongSecret and costs a try.
func Verify(ctx context.Context, card Card, reference byte, secret []byte) error {
	_, err := Exchange(ctx, card, Command{INS: insVerify, P2: reference, Data: secret})
	return err
}
