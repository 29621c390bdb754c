package card

import (
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"slices"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// Role is who holds a key: its number in EXTERNAL and INTERNAL AUTHENTICATE.
type Role byte

// The roles of an application. They are bits, so that a set of them is a Role.
const (
	Terminal Role = 1 // points of sale
	Meter    Role = 2 // meters, whose security module loads the purse
)

// master returns the published test key of a role in an application.
func master(application uint16, role Role) []byte {
	return append([]byte("CITYGRID TEST "), byte(application), byte(role))
}

// block encrypts 16 bytes with a key of 16 bytes.
func block(key, plain []byte) ([]byte, error) {
	b, err := gm.NewSM4(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 of the simulated card: %w", err)
	}
	out := make([]byte, b.BlockSize())
	b.Encrypt(out, plain)
	return out, nil
}

// diversified returns the key of one card: SM4 of its serial and the complement of
// its serial under the master key.
func diversified(serial [8]byte, application uint16, role Role) ([]byte, error) {
	factor := slices.Clone(serial[:])
	for _, b := range serial {
		factor = append(factor, ^b)
	}
	return block(master(application, role), factor)
}

// macLength is what a card asks for of a MAC.
const macLength = 4

// mac is the SM4 CBC-MAC with padding method 2 of GB/T 15852.1, beginning from the
// challenge and cut to 4 bytes.
func mac(key, challenge, message []byte) ([macLength]byte, error) {
	b, err := gm.NewSM4(key)
	if err != nil {
		return [macLength]byte{}, fmt.Errorf("SM4 of the simulated card: %w", err)
	}
	start := make([]byte, b.BlockSize())
	copy(start, challenge)
	padded := append(slices.Clone(message), 0x80)
	for len(padded)%b.BlockSize() != 0 {
		padded = append(padded, 0)
	}
	cipher.NewCBCEncrypter(b, start).CryptBlocks(padded, padded)
	return [macLength]byte(padded[len(padded)-b.BlockSize():]), nil
}

// cryptogramLength is the length of a challenge to be answered, and of the answer.
const cryptogramLength = 8

// cryptogram answers a challenge of 8 bytes.
func cryptogram(key, challenge []byte) ([]byte, error) {
	out, err := block(key, append(slices.Clone(challenge), make([]byte, 8)...))
	if err != nil {
		return nil, err
	}
	return out[:cryptogramLength], nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// SAM is a security module with the simulator's keys of one role. It works with
// simulated cards only. The zero SAM holds no keys and always fails.
type SAM struct{ role Role }

// TestSAM returns the security module of a terminal (key 01).
func TestSAM() SAM { return SAM{Terminal} }

// MeterSAM returns the security module of a meter (key 02).
func MeterSAM() SAM { return SAM{Meter} }

// MAC returns the code that proves message, which is a command's header, Lc and
// data without the code, to the card that gave the challenge of 4 or 8 bytes. With
// an answer of READ BINARY CLA 04 as message it checks what the card has sent.
func (s SAM) MAC(ctx context.Context, card schemas.CardID, application uint16, challenge, message []byte) ([macLength]byte, error) {
	key, err := s.key(ctx, card, application)
	if err != nil {
		return [macLength]byte{}, err
	}
	if n := len(challenge); n != 4 && n != 8 {
		return [macLength]byte{}, fmt.Errorf("simulator's security module: a challenge of %d bytes; want 4 or 8", n)
	}
	return mac(key, challenge, message)
}

// Cryptogram answers the card's challenge of 8 bytes for EXTERNAL AUTHENTICATE.
// With a challenge of our own it is what INTERNAL AUTHENTICATE must return.
func (s SAM) Cryptogram(ctx context.Context, card schemas.CardID, application uint16, challenge []byte) ([]byte, error) {
	key, err := s.key(ctx, card, application)
	if err != nil {
		return nil, err
	}
	if n := len(challenge); n != cryptogramLength {
		return nil, fmt.Errorf("simulator's security module: a challenge of %d bytes; want 8", n)
	}
	return cryptogram(key, challenge)
}

// key returns the card's key of the SAM's role.
func (s SAM) key(ctx context.Context, card schemas.CardID, application uint16) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("simulator's security module: %w", err)
	}
	if s.role != Terminal && s.role != Meter {
		return nil, fmt.Errorf("simulator's security module has no keys: make it by TestSAM or MeterSAM")
	}
	if application < Power || application > Gas {
		return nil, fmt.Errorf("simulator's security module: no keys for folder %04X", application)
	}
	serial, err := parseSerial(card)
	if err != nil {
		return nil, fmt.Errorf("simulator's security module: %w", err)
	}
	return diversified(serial, application, s.role)
}
