package card

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"citygrid/schemas"
)

// SimulatorIssuer is the issuer that no city has. Its digits begin the serial of
// every simulated card.
const SimulatorIssuer schemas.IssuerID = "00000000"

// foreignPrefix begins the issuers that a simulated card may have: a hundred
// cities in a province that GB/T 2260 does not know.
const foreignPrefix = "00"

// Options describes a card as it leaves personalisation.
type Options struct {
	// Serial begins with SimulatorIssuer: see Serial.
	Serial schemas.CardID
	// Issuer is SimulatorIssuer if empty, else any of a city 00xx: that is how
	// tests get the card of another city.
	Issuer schemas.IssuerID
	// Customer is up to 12 digits, the width of the number on the card.
	Customer schemas.CustomerID
	// MeterNumbers holds up to 12 digits for each application; a missing one is
	// written as 0.
	MeterNumbers map[schemas.Medium]string
	// Applications are the utilities that the card serves; all three if empty.
	Applications []schemas.Medium
	// Random is what challenges are made of; crypto/rand if nil.
	Random io.Reader
}

// Card is a simulated CPU card. Its methods may be called from several
// goroutines; commands are carried out one after the other.
type Card struct {
	serial  [8]byte
	id      schemas.CardID
	random  io.Reader
	mu      sync.Mutex
	folders []*folder // the first is the MF
	session session
	failing int // writes that are still to fail
}

// session is what a card forgets when it loses power.
type session struct {
	folder    *folder
	file      *file  // the current elementary file, nil if none
	role      Role   // who has authenticated, 0 if nobody
	challenge []byte // for the command being carried out, nil if none
	offered   []byte // for the next command
	pending   []byte // for GET RESPONSE
}

// Serial returns the serial of simulated card n.
func Serial(n uint32) schemas.CardID {
	return schemas.CardID(fmt.Sprintf("%s%08X", SimulatorIssuer, n))
}

// New makes a card, powered and reset. The error says which option is wrong.
func New(o Options) (*Card, error) {
	if o.Issuer == "" {
		o.Issuer = SimulatorIssuer
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if len(o.Applications) == 0 {
		o.Applications = []schemas.Medium{schemas.Power, schemas.Water, schemas.Gas}
	}
	serial, err := parseSerial(o.Serial)
	if err != nil {
		return nil, fmt.Errorf("simulated card: %w", err)
	}
	folders, err := layOut(serial, o)
	if err != nil {
		return nil, fmt.Errorf("simulated card %s: %w", o.Serial, err)
	}
	c := &Card{serial: serial, id: o.Serial, random: o.Random, folders: folders}
	c.Reset()
	return c, nil
}

// errNotSimulated is why the test keys refuse a card.
var errNotSimulated = errors.New("not a simulated card (serial must begin with " + string(SimulatorIssuer) +
	"): the simulator's keys are public and work with no other; use the city's own security module")

// parseSerial returns the bytes of a simulated card's serial and refuses any
// other.
func parseSerial(id schemas.CardID) (serial [8]byte, err error) {
	raw, err := hex.DecodeString(string(id))
	if err != nil || len(raw) != len(serial) || string(id) != strings.ToUpper(string(id)) {
		return serial, fmt.Errorf("serial %q: want 16 upper-case hexadecimal digits", id)
	}
	if !strings.HasPrefix(string(id), string(SimulatorIssuer)) {
		return serial, fmt.Errorf("serial %s: %w", id, errNotSimulated)
	}
	return [8]byte(raw), nil
}

// ID returns the card's serial.
func (c *Card) ID() schemas.CardID { return c.id }

// ATR returns the answer to reset: direct convention, TB1 and TC1 (no programming
// voltage, no extra guard time), no TD1 and hence T=0 only, and nine historical
// bytes, the last eight of them the serial [ISO/IEC 7816-3 8.2; metering 4.5].
func (c *Card) ATR() []byte {
	return append([]byte{0x3B, 0x69, 0x00, 0x00, 'C'}, c.serial[:]...)
}

// Reset does what power-on or the reset line does: files stay, the MF is current,
// nobody is authenticated, and a challenge given before is void. It returns the
// ATR.
func (c *Card) Reset() (atr []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{folder: c.folders[0]}
	return c.ATR()
}

// FailWrites makes the next n writes that are otherwise in order fail with 6581
// (memory failure). They change nothing.
func (c *Card) FailWrites(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = n
}
