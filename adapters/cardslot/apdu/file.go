package apdu

import (
	"context"
	"fmt"
)

// shortFile marks P1 as a short file identifier [ISO/IEC 7816-4 7.2.2].
const shortFile = 0x80

// maxSFI is the largest short file identifier: five bits, of which all ones mean
// something else.
const maxSFI = 30

// maxOffset is the largest offset without a short file identifier: 15 bits.
const maxOffset = 0x7FFF

// Sizes of one READ BINARY and of the data of one UPDATE BINARY. Reads stay one
// byte below what is possible, so that the second begins at offset 255, which
// still goes with the short file identifier.
const (
	readPiece   = 255
	plainPiece  = 255
	securePiece = plainPiece - macLen
)

// macLen is the length of a secure-messaging MAC.
const macLen = 4

// Select makes the folder or file with the identifier the current one. What the
// card would tell of it (61xx) is not fetched.
func Select(ctx context.Context, card Card, id uint16) error {
	return choose(ctx, card, Command{INS: insSelect, Data: []byte{byte(id >> 8), byte(id)}})
}

// SelectName makes the application with the name (AID, 5 to 16 bytes) the
// current one.
func SelectName(ctx context.Context, card Card, name []byte) error {
	return choose(ctx, card, Command{INS: insSelect, P1: 0x04, Data: name})
}

func choose(ctx context.Context, card Card, c Command) error {
	_, sw, err := send(ctx, card, c)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", c, err)
	case sw != swOK && sw>>8 != 0x61:
		return &StatusError{Command: c.String(), SW: sw}
	}
	return nil
}

// ReadBinary returns n bytes at offset of the file with the short identifier
// sfi in the current folder. Files longer than one answer are read in pieces.
// The file then is the current one. A file that ends early is ErrShortFile.
func ReadBinary(ctx context.Context, card Card, sfi byte, offset, n int) ([]byte, error) {
	data := make([]byte, 0, n)
	for len(data) < n {
		c, err := binary(classPlain, insReadBinary, sfi, offset+len(data))
		if err != nil {
			return nil, err
		}
		c.Le = min(readPiece, n-len(data))
		piece, err := Exchange(ctx, card, c)
		if err != nil {
			return nil, err
		}
		if len(piece) != c.Le {
			return nil, fmt.Errorf("%s: %w: %d bytes came, want %d: %s", c, ErrShortFile, len(piece), c.Le, doIssuer)
		}
		data = append(data, piece...)
	}
	return data, nil
}

// binary is a READ or UPDATE BINARY at offset of a file, with the short
// identifier as far as offsets go with one and of the current file beyond.
func binary(class, ins, sfi byte, offset int) (Command, error) {
	switch {
	case sfi == 0 || sfi > maxSFI:
		return Command{}, fmt.Errorf("short file identifier %d; want 1 to %d", sfi, maxSFI)
	case offset < 0 || offset > maxOffset:
		return Command{}, fmt.Errorf("file %02X: offset %d; want 0 to %d", sfi, offset, maxOffset)
	case offset <= 0xFF:
		return Command{CLA: class, INS: ins, P1: shortFile | sfi, P2: byte(offset)}, nil
	}
	return Command{CLA: class, INS: ins, P1: byte(offset >> 8), P2: byte(offset)}, nil
}

// UpdateBinary writes data at offset of the file with the short identifier sfi
// in the current folder, in pieces where it is longer than one command. After an
// error the file may be written in part.
func UpdateBinary(ctx context.Context, card Card, sfi byte, offset int, data []byte) error {
	for len(data) > 0 {
		c, err := binary(classPlain, insUpdateBinary, sfi, offset)
		if err != nil {
			return err
		}
		c.Data = data[:min(plainPiece, len(data))]
		if _, err := Exchange(ctx, card, c); err != nil {
			return err
		}
		offset, data = offset+len(c.Data), data[len(c.Data):]
	}
	return nil
}

// Sign returns the MAC of a command: message is its header, Lc and data without
// the MAC (Lc counts it), challenge what the card gave for this command.
type Sign func(ctx context.Context, challenge, message []byte) ([4]byte, error)

// UpdateBinaryMAC is UpdateBinary with secure messaging: before each command it
// gets a challenge, which is good for that command only, and proves the command
// with the MAC that sign returns.
func UpdateBinaryMAC(ctx context.Context, card Card, sfi byte, offset int, data []byte, sign Sign) error {
	for len(data) > 0 {
		piece := data[:min(securePiece, len(data))]
		c, err := binary(classSecure, insUpdateBinary, sfi, offset)
		if err != nil {
			return err
		}
		if c.Data, err = signed(ctx, card, c, piece, sign); err != nil {
			return err
		}
		if _, err := Exchange(ctx, card, c); err != nil {
			return err
		}
		offset, data = offset+len(piece), data[len(piece):]
	}
	return nil
}

// signed returns data followed by its MAC for c.
func signed(ctx context.Context, card Card, c Command, data []byte, sign Sign) ([]byte, error) {
	challenge, err := Challenge(ctx, card, macLen)
	if err != nil {
		return nil, err
	}
	message := append([]byte{c.CLA, c.INS, c.P1, c.P2, byte(len(data) + macLen)}, data...)
	mac, err := sign(ctx, challenge, message)
	if err != nil {
		return nil, fmt.Errorf("%s: security module: %w", c, err)
	}
	return append(data[:len(data):len(data)], mac[:]...), nil
}

// ReadRecord returns record number (from 1, the newest first in a cyclic file)
// of n bytes of the file with the short identifier sfi.
func ReadRecord(ctx context.Context, card Card, sfi, number byte, n int) ([]byte, error) {
	if sfi == 0 || sfi > maxSFI {
		return nil, fmt.Errorf("short file identifier %d; want 1 to %d", sfi, maxSFI)
	}
	return Exchange(ctx, card, Command{INS: insReadRecord, P1: number, P2: sfi<<3 | 4, Le: n})
}
