// Package clearing exchanges sales between cities: what our terminals sold on
// cards that an issuer of another city issued goes to that issuer in a file for
// each accounting day, the issuer answers detail by detail, and the sums of both
// directions are netted. The files are our own settlement format, read more
// strictly (docs/clearing-files.md); their parts (header, details, trailer with
// counts, sums and digest) are modelled on the clearing of interoperability cards
// [CJ/T 332], without a claim of conformity. The package is pure: it keeps
// nothing, and the same arguments give the same bytes.
package clearing

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Key names a file for ever. The files from one issuer to another are numbered
// from 1 on each accounting day, over all utilities. A second file with a key that
// has been taken is the same file or is refused.
type Key struct {
	From schemas.IssuerID // the acquirer: its terminals sold
	To   schemas.IssuerID // the issuer of the cards
	Day  ledger.Day
	// Number is 1 to MaxNumber.
	Number int
}

// MaxNumber bounds Key.Number.
const MaxNumber = 999

// String writes the key for messages.
func (k Key) String() string {
	return fmt.Sprintf("clearing file %d of %s from %s to %s", k.Number, k.Day, k.From, k.To)
}

// Channel returns the channel under which the books know the details: sales of
// the file, and payments that answer them.
func (k Key) Channel() string { return "clearing-" + string(k.From) + "-" + string(k.To) }

// name returns the file name without what it is.
func (k Key) name() string {
	day := time.Unix(int64(k.Day)*86400, 0).UTC().Format("20060102")
	return fmt.Sprintf("%s-%s-%s-%03d.csv", k.From, k.To, day, k.Number)
}

// FileName returns the name of the file: clearing-FROM-TO-YYYYMMDD-NNN.csv.
func (k Key) FileName() string { return "clearing-" + k.name() }

// AnswerName returns the name of the answer to the file:
// answer-FROM-TO-YYYYMMDD-NNN.csv, with From and To as in the file.
func (k Key) AnswerName() string { return "answer-" + k.name() }

// nameForm is the rule for file names.
var nameForm = regexp.MustCompile(`^(clearing|answer)-([0-9]{8})-([0-9]{8})-([0-9]{8})-([0-9]{3})\.csv$`)

// ParseName reads a file name, and reports whether it is that of an answer.
func ParseName(name string) (key Key, answer bool, err error) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return Key{}, false, fmt.Errorf("file name %q: want clearing-FROM-TO-YYYYMMDD-NNN.csv, or answer- in its place", name)
	}
	t, err := time.Parse("20060102", m[4])
	if err != nil {
		return Key{}, false, fmt.Errorf("file name %q: %s is no date", name, m[4])
	}
	key = Key{From: schemas.IssuerID(m[2]), To: schemas.IssuerID(m[3]), Day: ledger.Day(t.Unix() / 86400)}
	for _, c := range m[5] {
		key.Number = key.Number*10 + int(c-'0')
	}
	if err := key.check(); err != nil {
		return Key{}, false, fmt.Errorf("file name %q: %w", name, err)
	}
	return key, m[1] == "answer", nil
}

// check reports a key that no file can have.
func (k Key) check() error {
	for _, id := range []schemas.IssuerID{k.From, k.To} {
		if err := id.Validate(); err != nil {
			return err
		}
	}
	switch {
	case k.From.City() == k.To.City():
		return fmt.Errorf("issuers %s and %s are of one city; there is nothing to clear between cities", k.From, k.To)
	case k.Number < 1 || k.Number > MaxNumber:
		return fmt.Errorf("file number %d: want 1 to %d; put more details into one file", k.Number, MaxNumber)
	}
	return nil
}

// File is a clearing file: what the terminals of Key.From sold on one accounting
// day, on cards of Key.To, of one utility.
type File struct {
	Key
	Utility schemas.Medium
	// Details are purchases, refunds and reversals. They have the channel of the
	// key and its day; they carry no Meter, From, ID or Operator, which mean nothing
	// to another city. MeterNumber and Card are always given.
	Details []ledger.Sale
}

// ID returns the name under which the books import the file.
func (f *File) ID() ledger.FileID {
	return ledger.FileID{Content: ledger.SalesFile, Utility: f.Utility, Channel: f.Channel(), Day: f.Day, Number: f.Number}
}

// Sums are counts and money of details, in fen.
type Sums struct {
	Count           int
	Taken, Returned schemas.Fen // purchases; refunds and reversals
}

// Net returns what is left of the money.
func (s Sums) Net() schemas.Fen { return s.Taken - s.Returned }

// add counts one detail.
func (s *Sums) add(d *ledger.Sale) {
	s.Count++
	if d.Kind == ledger.Purchase {
		s.Taken += d.Amount
	} else {
		s.Returned += d.Amount
	}
}

// plus returns the sum of both.
func (s Sums) plus(o Sums) Sums {
	return Sums{s.Count + o.Count, s.Taken + o.Taken, s.Returned + o.Returned}
}

// Sums returns count and money of all details.
func (f *File) Sums() Sums {
	var s Sums
	for i := range f.Details {
		s.add(&f.Details[i])
	}
	return s
}

// checkDetails reports the first detail that a file cannot have, and its index.
func (f *File) checkDetails() (int, error) {
	seen := make(map[string]bool, len(f.Details))
	for i := range f.Details {
		d := &f.Details[i]
		switch {
		case seen[d.Order]:
			return i, fmt.Errorf("order %s stands twice in the file", d.Order)
		case d.Card == "" || d.MeterNumber == "":
			return i, fmt.Errorf("order %s: card or meter_number is missing; the issuer needs both to find the purchase", d.Order)
		}
		seen[d.Order] = true
	}
	return 0, nil
}

// splitChannel returns both issuers of a channel that the header's form allows.
func splitChannel(channel string) (from, to schemas.IssuerID) {
	a, b, _ := strings.Cut(strings.TrimPrefix(channel, "clearing-"), "-")
	return schemas.IssuerID(a), schemas.IssuerID(b)
}
