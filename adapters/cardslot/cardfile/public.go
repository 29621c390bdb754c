package cardfile

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// PublicSize is the length of the public file.
const PublicSize = 39

// Applications is the set of utilities that a card serves.
type Applications byte

// The utilities, as bits of the set.
const (
	HasPower Applications = 1 << iota
	HasWater
	HasGas
)

// Public is the public file of the card (MF, file 01): who issued it, and for
// what. The sources fix its place and length and nothing else: this layout is
// our own.
//
//	offset  bytes
//	 0      4   issuer, 8 BCD digits
//	 4      8   serial of the chip
//	12      1   layout, 01
//	13      1   applications: bit 0 power, bit 1 water, bit 2 gas
//	14      6   customer, 12 BCD digits
//	20      4   valid from, YYYYMMDD BCD; zeros: no limit
//	24      4   valid to, the last day; zeros: no limit
//	28     11   reserved
//
// No name and no address stand on the card.
type Public struct {
	Issuer       schemas.IssuerID // 8 digits
	Serial       Serial
	Applications Applications
	Customer     Number
	// ValidFrom and ValidTo are the first and the last day on which the card may
	// be used, as Beijing midnights in UTC; zero: no limit.
	ValidFrom, ValidTo time.Time
	Reserved           [11]byte
}

const (
	publicFile   = "public file"
	publicLayout = 1
)

// DecodePublic reads a public file.
func DecodePublic(b []byte) (Public, error) {
	var p Public
	r := newReader(publicFile, b, PublicSize)
	p.Issuer = schemas.IssuerID(fmt.Sprintf("%08d", r.bcd("issuer", 4)))
	r.keep(p.Serial[:])
	if v := r.byte(); r.err == nil && v != publicLayout {
		r.fail("layout", r.at-1, "%02X, want %02X: a newer card, or one of another make", v, publicLayout)
	}
	p.Applications = Applications(r.byte())
	if p.Applications&^(HasPower|HasWater|HasGas) != 0 {
		r.fail("applications", r.at-1, "%02X names applications that are not known", byte(p.Applications))
	}
	p.Customer = Number(r.bcd("customer", 6))
	p.ValidFrom = r.day("valid from")
	p.ValidTo = r.day("valid to")
	r.keep(p.Reserved[:])
	if r.err != nil {
		return Public{}, r.err
	}
	return p, nil
}

// Encode returns the file.
func (p Public) Encode() ([]byte, error) {
	w := newWriter(publicFile, PublicSize)
	issuer, err := ParseNumber(string(p.Issuer))
	if err != nil || len(p.Issuer) != 8 {
		w.fail("issuer", "%q, want 8 digits", p.Issuer)
	}
	w.bcd("issuer", 4, uint64(issuer))
	w.keep(p.Serial[:])
	w.byte(publicLayout)
	if p.Applications&^(HasPower|HasWater|HasGas) != 0 {
		w.fail("applications", "%02X names applications that are not known", byte(p.Applications))
	}
	w.byte(byte(p.Applications))
	w.bcd("customer", 6, uint64(p.Customer))
	w.day("valid from", p.ValidFrom)
	w.day("valid to", p.ValidTo)
	w.keep(p.Reserved[:])
	return w.done()
}

// day reads YYYYMMDD.
func (r *reader) day(field string) time.Time {
	at := r.at
	year := r.bcd(field, 2)
	return r.date(field, at, [6]uint64{year, r.bcd(field, 1), r.bcd(field, 1)})
}

// day writes YYYYMMDD, or zeros for no time.
func (w *writer) day(field string, t time.Time) {
	if t.IsZero() {
		w.bcd(field, 4, 0)
		return
	}
	b := t.UTC().Add(beijing)
	if h, m, s := b.Clock(); b.Year() < firstYear || b.Year() > 9999 || h+m+s+b.Nanosecond() != 0 {
		w.fail(field, "%s; want midnight in Beijing", t.Format(time.RFC3339Nano))
		return
	}
	w.bcd(field, 2, uint64(b.Year()))
	w.bcd(field, 1, uint64(b.Month()))
	w.bcd(field, 1, uint64(b.Day()))
}
