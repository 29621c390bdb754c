package clearing

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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

// Proof is what stands behind a detail.
type Proof struct {
	Sale  *ledger.Sale
	Entry *schemas.CardEntry
}

// Outcome is what Split makes.
type Outcome struct {
	Files []File // by issuer, day and utility; details by moment and order
	// Proofs are those of the files, detail by detail.
	Proofs [][]Proof
	Held   []Held // rows by moment and order, then entries by moment
	// Own counts the rows that are not cleared: cards of our city, cards that no
	// entry names, and rows without money.
	Own int
}

// Earlier is what was sent before; the zero Earlier is nothing.
type Earlier struct {
	// Number returns the number for the next file to an issuer for a day; nil begins
	// with 1.
	Number func(to schemas.IssuerID, day ledger.Day) int
	// Sent reports whether an order, as files name it, was sent to an issuer; nil
	// knows of none.
	Sent func(to schemas.IssuerID, order string) bool
}

// Split makes the clearing files of home from rows of L1 and entries of L3 that
// were in no file before. A row is cleared when an entry proves it: a sale, or for
// a refund or reversal a clear, of the same meter number, purchase and amount, on a
// card whose issuer is of another city. What is not proven is held, with the
// reason, to be given again when the other side has arrived; so is what no file can
// carry, since one bad row must not keep back all others. A row of a card that no
// entry names is counted in Own: its issuer is not known. The outcome points into
// sales and entries.
func Split(home schemas.IssuerID, sales []ledger.Sale, entries []schemas.CardEntry, before Earlier) (Outcome, error) {
	if err := home.Validate(); err != nil {
		return Outcome{}, fmt.Errorf("clearing files: %w", err)
	}
	s := splitter{home: home, by: make(map[proof][]*written), foreign: make(map[schemas.CardID]bool), files: make(map[group]*draft),
		before: before, orders: make(map[sentOrder]bool)}
	all := s.index(entries)
	for _, row := range sortedSales(sales) {
		s.row(row)
	}
	if err := s.sift(); err != nil {
		return Outcome{}, fmt.Errorf("clearing files: %w", err)
	}
	for _, w := range all {
		if !w.used && s.isForeign(w.Issuer) {
			s.out.Held = append(s.out.Held, Held{Entry: w.CardEntry, Why: "no sale row agrees with it; import the vending file, or look for the row at the terminal"})
		}
	}
	return s.out, s.number()
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

// draft is a file in the making.
type draft struct {
	File
	proofs []Proof
}

// sentOrder is an order in a file to an issuer.
type sentOrder struct {
	to    schemas.IssuerID
	order string
}

type splitter struct {
	home    schemas.IssuerID
	by      map[proof][]*written
	foreign map[schemas.CardID]bool
	files   map[group]*draft
	before  Earlier
	orders  map[sentOrder]bool // of this outcome
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
	slices.SortStableFunc(out, bySale)
	return out
}

func bySale(a, b *ledger.Sale) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Order, b.Order))
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
	if d.Terminal == "" && ledger.Printable(w.Terminal) {
		d.Terminal = w.Terminal
	}
	if d.Card == "" || d.MeterNumber == "" {
		return "card or meter number is missing, by which the issuer finds the purchase; look for them at the terminal"
	}
	for _, text := range []string{d.Order, d.Undoes, d.Terminal} {
		if !ledger.Printable(text) {
			return fmt.Sprintf("%q: want at most %d printable bytes without blanks around them; correct the row", text, ledger.MaxText)
		}
	}
	order := sentOrder{key.To, d.Order}
	if s.orders[order] || s.before.Sent != nil && s.before.Sent(key.To, d.Order) {
		return fmt.Sprintf("order %s was sent to %s already; an order is cleared once, correct the row's order", d.Order, key.To)
	}
	s.orders[order] = true
	g := group{key.To, key.Day, row.Utility}
	if s.files[g] == nil {
		s.files[g] = &draft{File: File{Key: key, Utility: row.Utility}}
	}
	f := s.files[g]
	f.Details, f.proofs = append(f.Details, d), append(f.proofs, Proof{row, w.CardEntry})
	return ""
}

// sift holds the details that no file can carry.
func (s *splitter) sift() error {
	for g, f := range s.files {
		err := Write(io.Discard, f.File)
		if err == nil {
			continue
		}
		whole := len(f.Details)
		f.keep(func(n int) bool {
			err := Write(io.Discard, File{Key: f.Key, Utility: f.Utility, Details: f.Details[n : n+1]})
			if err != nil {
				s.out.Held = append(s.out.Held, Held{Sale: f.proofs[n].Sale, Why: err.Error()})
			}
			return err == nil
		})
		switch len(f.Details) {
		case whole:
			return err
		case 0:
			delete(s.files, g)
		}
	}
	slices.SortStableFunc(s.out.Held, func(a, b Held) int { return bySale(a.Sale, b.Sale) })
	return nil
}

// keep drops the details that good does not report.
func (f *draft) keep(good func(n int) bool) {
	var details []ledger.Sale
	var proofs []Proof
	for n := range f.Details {
		if good(n) {
			details, proofs = append(details, f.Details[n]), append(proofs, f.proofs[n])
		}
	}
	f.Details, f.proofs = details, proofs
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

// number sorts the files and gives them their numbers.
func (s *splitter) number() error {
	drafts := slices.SortedFunc(maps.Values(s.files), func(a, b *draft) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Utility, b.Utility))
	})
	for i, f := range drafts {
		if i > 0 && drafts[i-1].To == f.To && drafts[i-1].Day == f.Day {
			f.Number = drafts[i-1].Number + 1
		} else if s.before.Number != nil {
			f.Number = s.before.Number(f.To, f.Day)
		}
		if err := f.check(); err != nil {
			return fmt.Errorf("clearing files: %w", err)
		}
		s.out.Files, s.out.Proofs = append(s.out.Files, f.File), append(s.out.Proofs, f.proofs)
	}
	return nil
}
