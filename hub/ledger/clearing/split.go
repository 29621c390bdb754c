package clearing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Held is a sale row or a card entry of another city's card that is not in a file,
// and why. It has one of both.
type Held struct {
	Sale  *ledger.Sale
	Entry *schemas.CardEntry
	Why   string
}

// Outcome is what Split makes.
type Outcome struct {
	Files []File // by issuer, day and utility; details by moment and order
	Held  []Held // rows by order, then entries by moment
	// Own counts the rows that are not cleared: cards of our city, cards that no
	// entry names, and rows without money.
	Own int
}

// Numbers returns the number for the next file to an issuer for a day.
type Numbers func(to schemas.IssuerID, day ledger.Day) int

// Split makes the clearing files of home from rows of L1 and entries of L3 that
// were in no file before. A row is cleared when an entry proves it: a sale, or for
// a refund or reversal a clear, of the same meter number, purchase and amount, on a
// card whose issuer is of another city. What is not proven is held, with the
// reason, to be given again when the other side has arrived. A row of a card
// that no entry names is counted in Own: its issuer is not known. Nil numbers begin
// with 1.
func Split(home schemas.IssuerID, sales []ledger.Sale, entries []schemas.CardEntry, numbers Numbers) (Outcome, error) {
	if err := home.Validate(); err != nil {
		return Outcome{}, fmt.Errorf("clearing files: %w", err)
	}
	s := splitter{home: home, by: make(map[proof][]*written), foreign: make(map[schemas.CardID]bool), files: make(map[group]*File)}
	all := s.index(entries)
	for _, row := range sortedSales(sales) {
		s.row(row)
	}
	for _, w := range all {
		if !w.used && s.isForeign(w.Issuer) {
			s.out.Held = append(s.out.Held, Held{Entry: w.CardEntry, Why: "no sale row agrees with it; import the vending file, or look for the row at the terminal"})
		}
	}
	return s.out, s.number(numbers)
}

// proof is what a row and its entry have in common.
type proof struct {
	utility  schemas.Medium
	number   string
	purchase schemas.PurchaseRef
	back     bool
}

// written is an entry that may prove one row.
type written struct {
	*schemas.CardEntry
	used bool
}

// group is what one file holds.
type group struct {
	to      schemas.IssuerID
	day     ledger.Day
	utility schemas.Medium
}

type splitter struct {
	home    schemas.IssuerID
	by      map[proof][]*written
	foreign map[schemas.CardID]bool
	files   map[group]*File
	out     Outcome
}

// isForeign reports an issuer of another city; one that is not known is none.
func (s *splitter) isForeign(id schemas.IssuerID) bool { return id != "" && id.City() != s.home.City() }

// index takes the entries that write on a card, in the order of their moments.
func (s *splitter) index(entries []schemas.CardEntry) []*written {
	var all []*written
	for i := range entries {
		e := &entries[i]
		if e.Card != "" && s.isForeign(e.Issuer) {
			s.foreign[e.Card] = true
		}
		if e.Event == schemas.CardSale || e.Event == schemas.CardClear {
			all = append(all, &written{CardEntry: e})
		}
	}
	slices.SortStableFunc(all, func(a, b *written) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), cmp.Compare(a.Card, b.Card), cmp.Compare(a.Purchase.Number, b.Purchase.Number))
	})
	for _, w := range all {
		p := proof{w.Utility, w.MeterNumber, w.Purchase, w.Event == schemas.CardClear}
		s.by[p] = append(s.by[p], w)
	}
	return all
}

func sortedSales(sales []ledger.Sale) []*ledger.Sale {
	out := make([]*ledger.Sale, len(sales))
	for i := range sales {
		out[i] = &sales[i]
	}
	slices.SortStableFunc(out, func(a, b *ledger.Sale) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Order, b.Order))
	})
	return out
}

// row puts one row where it belongs.
func (s *splitter) row(row *ledger.Sale) {
	if row.Kind != ledger.Purchase && row.Kind != ledger.Refund && row.Kind != ledger.Reversal {
		s.out.Own++ // no money flowed, or no card is concerned
		return
	}
	w, why := s.find(row)
	switch {
	case w == nil && why == "" || w != nil && !s.isForeign(w.Issuer):
		s.out.Own++
	case why == "":
		why = s.clear(row, w)
	}
	if w != nil {
		w.used = true
	}
	if why != "" {
		s.out.Held = append(s.out.Held, Held{Sale: row, Why: why})
	}
}

// find returns the first entry that proves row, or says why there is none.
func (s *splitter) find(row *ledger.Sale) (*written, string) {
	back := row.Kind != ledger.Purchase
	why := ""
	if s.foreign[row.Card] {
		why = "no card entry says that the purchase was written; fetch the terminal's entries"
		if back {
			why = "no card entry says that the purchase was taken off the card; fetch the terminal's entries"
		}
	}
	for _, w := range s.by[proof{row.Utility, row.MeterNumber, row.Purchase, back}] {
		if w.used || row.Card != "" && w.Card != "" && row.Card != w.Card {
			continue
		}
		if agree(row, w.Amount) {
			return w, ""
		}
		if s.isForeign(w.Issuer) {
			why = fmt.Sprintf("the card says %d %s, the sale row %s yuan and %d of volume; find out which is right", w.Amount.Value, w.Amount.Unit, row.Amount, row.Volume)
		}
	}
	return nil, why
}

// agree reports whether a row sold what the card got.
func agree(row *ledger.Sale, c schemas.Credit) bool {
	switch c.Unit {
	case schemas.CreditFen:
		return int64(row.Amount) == c.Value
	case schemas.CreditLitre, schemas.CreditWh:
		return row.Volume == c.Value
	}
	return false
}

// clear puts a proven row into its file, or says why it cannot.
func (s *splitter) clear(row *ledger.Sale, w *written) string {
	key := Key{From: s.home, To: w.Issuer, Day: row.Day, Number: 1}
	if err := key.check(); err != nil {
		return err.Error()
	}
	d := ledger.Sale{Channel: key.Channel(), Order: row.Channel + ":" + row.Order, Kind: row.Kind, Utility: row.Utility,
		MeterNumber: row.MeterNumber, Customer: cmp.Or(row.Customer, w.Customer), Card: w.Card, Purchase: row.Purchase,
		Amount: row.Amount, Volume: row.Volume, Undoes: undone(row), Day: row.Day,
		At: row.At.UTC().Truncate(time.Millisecond), Terminal: row.Terminal}
	if d.Terminal == "" && printable(w.Terminal) {
		d.Terminal = w.Terminal
	}
	for _, text := range []string{d.Order, d.Undoes, d.Terminal} {
		if !printable(text) {
			return fmt.Sprintf("%q: want at most %d printable bytes without blanks around them; correct the row", text, maxText)
		}
	}
	g := group{key.To, key.Day, row.Utility}
	if s.files[g] == nil {
		s.files[g] = &File{Key: key, Utility: row.Utility}
	}
	s.files[g].Details = append(s.files[g].Details, d)
	return ""
}

// undone returns what row undoes as the file names it. An order of the file is
// channel:order, since those of our channels meet in one.
func undone(row *ledger.Sale) string {
	if row.Undoes == "" {
		return ""
	}
	if channel, order, other := strings.Cut(row.Undoes, "/"); other {
		return channel + ":" + order
	}
	return row.Channel + ":" + row.Undoes
}

// maxText bounds texts in bytes, as the settlement format does.
const maxText = 64

func printable(s string) bool {
	return len(s) <= maxText && strings.TrimSpace(s) == s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// number sorts the files and gives them their numbers.
func (s *splitter) number(numbers Numbers) error {
	for _, f := range s.files {
		s.out.Files = append(s.out.Files, *f)
	}
	slices.SortFunc(s.out.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Utility, b.Utility))
	})
	for i := range s.out.Files {
		f := &s.out.Files[i]
		if i > 0 && s.out.Files[i-1].To == f.To && s.out.Files[i-1].Day == f.Day {
			f.Number = s.out.Files[i-1].Number + 1
		} else if numbers != nil {
			f.Number = numbers(f.To, f.Day)
		}
		if err := f.check(); err != nil {
			return fmt.Errorf("clearing files: %w", err)
		}
	}
	return nil
}
