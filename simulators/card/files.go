package card

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"citygrid/schemas"
)

// The folders of the card.
const (
	MF    uint16 = 0x3F00
	Power uint16 = 0xDF01
	Water uint16 = 0xDF02
	Gas   uint16 = 0xDF03
)

// keyTries is how many wrong cryptograms in a row block a key.
const keyTries = 3

// folder is the MF or an application.
type folder struct {
	id    uint16
	files []*file
	tries map[Role]int // left, for each key that the folder has
}

// file is an elementary file of fixed length.
type file struct {
	sfi     byte
	writers Role // those who may write, as a set
	wallet  bool
	data    []byte
}

func (f *folder) find(sfi byte) *file {
	for _, e := range f.files {
		if e.sfi == sfi {
			return e
		}
	}
	return nil
}

// name is what SELECT by name knows the folder by: our own, unregistered.
func (f *folder) name() []byte {
	return append([]byte("\xF0CITYGRID"), byte(f.id>>8), byte(f.id))
}

// layOut writes the files of a new card.
func layOut(serial [8]byte, o Options) ([]*folder, error) {
	issuer, err := digits("issuer", string(o.Issuer), 4)
	if err != nil {
		return nil, err
	}
	if len(o.Issuer) != 8 || !strings.HasPrefix(string(o.Issuer), foreignPrefix) {
		return nil, fmt.Errorf("issuer %q: a simulated card has 8 digits that begin with %s, which no city has", o.Issuer, foreignPrefix)
	}
	customer, err := digits("customer", string(o.Customer), 6)
	if err != nil {
		return nil, err
	}
	public := slices.Concat(issuer, serial[:], []byte{1, 0}, customer, make([]byte, 19))
	folders := []*folder{{id: MF, files: []*file{
		{sfi: 0x01, data: public},
		{sfi: 0x19, data: append([]byte{0}, serial[:]...)},
	}}}
	for _, medium := range o.Applications {
		meter, err := digits("number of the "+string(medium)+" meter", o.MeterNumbers[medium], 6)
		if err != nil {
			return nil, err
		}
		f, err := application(medium, meter, customer)
		if err != nil {
			return nil, err
		}
		bit := byte(1) << (f.id - Power)
		if public[13]&bit != 0 {
			return nil, fmt.Errorf("application %q is given twice", medium)
		}
		public[13] |= bit
		folders = append(folders, f)
	}
	return folders, nil
}

// digits packs s as BCD, right-aligned in size bytes.
func digits(what, s string, size int) ([]byte, error) {
	if len(s) > 2*size || strings.Trim(s, "0123456789") != "" {
		return nil, fmt.Errorf("%s %q: want up to %d digits", what, s, 2*size)
	}
	return hex.DecodeString(strings.Repeat("0", 2*size-len(s)) + s)
}

// application returns the folder of a utility as it is issued.
func application(medium schemas.Medium, meter, customer []byte) (*folder, error) {
	f := &folder{tries: map[Role]int{Terminal: keyTries, Meter: keyTries}}
	switch medium {
	case schemas.Power:
		f.id, f.files = Power, []*file{
			{sfi: 1, writers: Terminal, data: parameterFile(meter, customer)},
			{sfi: 2, writers: Terminal | Meter, wallet: true, data: make([]byte, 8)},
			{sfi: 3, writers: Terminal, data: make([]byte, 258)},
			{sfi: 4, writers: Terminal, data: make([]byte, 258)},
			{sfi: 5, writers: Meter, data: make([]byte, 49)},
		}
		return f, nil
	case schemas.Water:
		f.id = Water
	case schemas.Gas:
		f.id = Gas
	default:
		return nil, fmt.Errorf("application %q: want water, power or gas", medium)
	}
	f.files = []*file{
		{sfi: 1, writers: Terminal, data: purchaseFile(medium, meter, customer)},
		{sfi: 2, writers: Meter, data: make([]byte, 124)},
		{sfi: 3, writers: Terminal | Meter, wallet: true, data: make([]byte, 8)},
		{sfi: 7, writers: Terminal, data: make([]byte, 106)},
		{sfi: 0x19, writers: Terminal, data: make([]byte, 106)},
	}
	return f, nil
}

// openAccount is the card type of a first card [metering 4.2].
const openAccount = 0x01

// parameterFile is the power parameter file of 45 bytes, all limits 0 and both
// transformer ratios 1 [metering 4.4].
func parameterFile(meter, customer []byte) []byte {
	data := slices.Concat(make([]byte, 20), []byte{0, 0, 1, 0, 0, 1}, meter, customer, []byte{openAccount})
	return framed([]byte{0x01, 0x00, 0x27}, data)
}

// purchaseFile is the water or gas purchase file of 50 bytes; the meter type is
// that of CJ/T 188: 10 cold water, 30 gas.
func purchaseFile(medium schemas.Medium, meter, customer []byte) []byte {
	kind := byte(0x10)
	if medium == schemas.Gas {
		kind = 0x30
	}
	data := slices.Concat(meter, customer, []byte{1, 1, openAccount, kind, 0}, make([]byte, 28))
	return framed([]byte{0x01, 0x2D}, data)
}

// framed puts 68, the sum of all that is between, and 16 around head and data.
func framed(head, data []byte) []byte {
	body := slices.Concat(head, data)
	var sum byte
	for _, b := range body {
		sum += b
	}
	return slices.Concat([]byte{0x68}, body, []byte{sum, 0x16})
}

// File returns a copy of a file, as a look at the chip would, and whether the card
// has it.
func (c *Card) File(folder uint16, sfi byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.lookUp(folder, sfi)
	if f == nil {
		return nil, false
	}
	return bytes.Clone(f.data), true
}

// Store writes a whole file without keys, as personalisation does; for tests that
// need a card in a given state.
func (c *Card) Store(folder uint16, sfi byte, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.lookUp(folder, sfi)
	if f == nil {
		return fmt.Errorf("store in simulated card %s: no file %02X in folder %04X", c.id, sfi, folder)
	}
	if len(data) != len(f.data) {
		return fmt.Errorf("store in simulated card %s: file %02X of folder %04X has %d bytes, not %d", c.id, sfi, folder, len(f.data), len(data))
	}
	f.data = bytes.Clone(data)
	return nil
}

func (c *Card) lookUp(id uint16, sfi byte) *file {
	for _, f := range c.folders {
		if f.id == id {
			return f.find(sfi)
		}
	}
	return nil
}

// Snapshot is what all files of a card hold at a moment. Two are equal (==) if
// nothing has been written between them.
type Snapshot struct {
	card  schemas.CardID
	files string
}

// Snapshot returns what the files hold now. The tries left of the keys are no
// part of it.
func (c *Card) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all strings.Builder
	for _, d := range c.folders {
		for _, f := range d.files {
			all.Write(f.data)
		}
	}
	return Snapshot{card: c.id, files: all.String()}
}

// Restore puts the files back as they were and resets the card: what a cheat does
// with a copy of an old card. A snapshot of another card is refused, because its
// keys would not fit.
func (c *Card) Restore(s Snapshot) error {
	if s.card != c.id {
		return fmt.Errorf("restore simulated card %s: the snapshot is of card %q", c.id, s.card)
	}
	c.mu.Lock()
	rest := []byte(s.files)
	for _, d := range c.folders {
		for _, f := range d.files {
			f.data, rest = bytes.Clone(rest[:len(f.data)]), rest[len(f.data):]
		}
	}
	c.mu.Unlock()
	c.Reset()
	return nil
}
