package cardfile

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"citygrid/schemas"
)

// Number is the number of a meter or customer as cards carry it: 12 decimal
// digits. 0 is none.
type Number uint64

// numberDigits is the width of a Number.
const numberDigits = 12

// String returns all 12 digits.
func (n Number) String() string { return fmt.Sprintf("%0*d", numberDigits, uint64(n)) }

// ParseNumber reads 1 to 12 digits.
func ParseNumber(s string) (Number, error) {
	if s == "" || len(s) > numberDigits || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("number %q: want 1 to %d digits, as the card carries it", s, numberDigits)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return Number(n), err
}

// Serial is the serial number of the card's chip.
type Serial [8]byte

// SerialSize is the length of the serial, at SerialOffset of its file.
const (
	SerialSize   = 8
	SerialOffset = 1
)

// DecodeSerial reads the 8 bytes of the serial.
func DecodeSerial(b []byte) (s Serial, err error) {
	r := newReader("serial file", b, SerialSize)
	r.keep(s[:])
	return s, r.err
}

// ID returns the serial as the project writes it.
func (s Serial) ID() schemas.CardID {
	return schemas.CardID(strings.ToUpper(hex.EncodeToString(s[:])))
}

// CardType is what a power, water or gas card is for (电卡类型).
type CardType byte

// The types of user cards.
const (
	CloseRelay  CardType = 0 // lets the meter close its relay again
	OpenAccount CardType = 1 // the first card: opens the account in the meter
	Purchased   CardType = 2 // brings a purchase
	Replacement CardType = 3 // stands in for a lost card (补卡)
)
