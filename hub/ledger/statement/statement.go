// Package statement makes the statement of a reconciliation run: what each ledger
// says, what agrees, what does not, and what the utility owes, for three persons
// to sign. A Statement is data with one canonical form (JSON), whose SM3 digest is
// printed on every form that people read: text, CSV, XLSX and an HTML page.
//
// A statement that does not foot is never made, written or accepted: New, Parse
// and every writer refuse it with a *FootError. docs/reconciliation.md, "Runs",
// says what must foot.
//
// Money is whole fen everywhere, volumes whole litres or watt-hours. Nothing here
// is ever a float.
package statement

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// Input is what a statement is made of: a run of the books.
type Input struct {
	// City is the name of the city or utility, as the statement's head shows it.
	City    string
	Utility schemas.Medium
	Span    reconcile.Span
	// Calendar is the city's, for the cut-off and the times on the page.
	Calendar ledger.Calendar
	Run      RunRef
	// Rules is the version of the rules, Tariffs and Inputs the SM3 digests of the
	// price sets and of what was compared, by name.
	Rules   string
	Tariffs map[string]string
	Inputs  map[string]string
	Figures *reconcile.Figures
	// Unresolved is nil where the run did not count them.
	Unresolved *Unresolved
	// Open are the differences with which the run closed.
	Open []OpenDifference
	// By made the run, At that moment.
	By string
	At time.Time
}

// OpenDifference is a difference and how it stood when the run closed.
type OpenDifference struct {
	Key string
	ledger.Difference
	State ledger.State
}

// RunRef names a run.
type RunRef struct {
	ID      int64 `json:"id"`
	Version int   `json:"version"`
	// Before is the run with whose balances it began, Replaces the version before
	// it of the same days; 0 for none.
	Before   int64 `json:"before"`
	Replaces int64 `json:"replaces"`
}

// Statement is what is printed and signed. Its fields are in the order of the
// canonical form and all of them are in it.
type Statement struct {
	City     string         `json:"city"`
	Utility  schemas.Medium `json:"utility"`
	From     Day            `json:"from"`
	To       Day            `json:"to"`
	CutOff   string         `json:"cut_off"` // such as "23:00", by Zone
	Zone     string         `json:"zone"`
	Run      RunRef         `json:"run"`
	Rules    string         `json:"rules"`
	Tariffs  []Named        `json:"tariffs"`
	Inputs   []Named        `json:"inputs"`
	Prepared Prepared       `json:"prepared"`
	Rows     Rows           `json:"rows"`
	Channels []Channel      `json:"channels"`
	// Purchases is what is sold and not loaded.
	Purchases PurchaseRoll `json:"purchases"`
	Classes   []ClassRoll  `json:"classes"`
	Stock     StockRoll    `json:"stock"`
	// Unresolved is part of the coverage; a statement without it is of a run that
	// was made before it was counted.
	Unresolved *Unresolved `json:"unresolved,omitempty"`
	Open       []Line      `json:"open"`
}

// Day is an accounting day that is written as 2026-11-21.
type Day ledger.Day

// String writes the day.
func (d Day) String() string { return ledger.Day(d).String() }

// MarshalText writes the day.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Day) UnmarshalText(text []byte) error {
	day, err := ledger.ParseDay(string(text))
	*d = Day(day)
	return err
}

// Money is an amount in fen that is written in yuan, as "150.00".
type Money schemas.Fen

// String writes yuan with two decimals.
func (m Money) String() string { return schemas.Fen(m).String() }

// MarshalText writes yuan with two decimals.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *Money) UnmarshalText(text []byte) error {
	f, err := schemas.ParseFen(string(text))
	*m = Money(f)
	return err
}

// Named is an SM3 digest, or another version, by the name of what it is of.
type Named struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// Prepared says who made the run, and when (RFC 3339, UTC).
type Prepared struct {
	By string `json:"by"`
	At string `json:"at"`
}

// Rows counts what the run took from each ledger.
type Rows struct {
	Sales    int64 `json:"sales"`    // L1
	Payments int64 `json:"payments"` // L2
	Entries  int64 `json:"entries"`  // L3 and L4
	Refused  int64 `json:"refused"`  // left out because they contradict the register
}

// Unresolved counts rows up to the end of the period that are in no account, because
// the register did not know their meter when the run was made.
type Unresolved struct {
	Sales   int64 `json:"sales"`   // L1
	Entries int64 `json:"entries"` // L3 and L4
}

// Tally counts rows with their sums: yuan, and litres or watt-hours.
type Tally struct {
	Count  int64 `json:"count"`
	Amount Money `json:"amount"`
	Volume int64 `json:"volume"`
}

// Channel is roll-forward 2 of one channel.
type Channel struct {
	Channel  string    `json:"channel"`
	Sales    MatchRoll `json:"sales"`
	Payments MatchRoll `json:"payments"`
}

// MatchRoll says how the rows of one side of a channel stood before and after.
type MatchRoll struct {
	Opening    Tally `json:"opening"` // unmatched before
	Rows       Tally `json:"rows"`    // of the span
	Matched    Tally `json:"matched"`
	AmountDiff Tally `json:"amount_diff"`
	Duplicates Tally `json:"duplicates"`
	Decided    Tally `json:"decided"`
	Closing    Tally `json:"closing"` // unmatched after
}

// PurchaseRoll is roll-forward 3.
type PurchaseRoll struct {
	Opening     Tally `json:"opening"`
	Sold        Tally `json:"sold"`
	Transferred Tally `json:"transferred"`
	Undone      Tally `json:"undone"`
	Loaded      Tally `json:"loaded"`
	Closing     Tally `json:"closing"`
}

// ClassRoll is roll-forward 1 of one class.
type ClassRoll struct {
	Class   ledger.Class `json:"class"`
	Opening Tally        `json:"opening"`
	Found   Tally        `json:"found"`
	Cleared Tally        `json:"cleared"` // by themselves
	Decided Tally        `json:"decided"`
	Closing Tally        `json:"closing"`
}

// Stock is what the meters hold, and how many of them were heard.
type Stock struct {
	Residual      Tally `json:"residual"`
	Overdraft     Tally `json:"overdraft"`
	Installations int64 `json:"installations"`
	Fresh         int64 `json:"fresh"`
	Stale         int64 `json:"stale"`
}

// StockRoll is roll-forward 4.
type StockRoll struct {
	Opening Stock `json:"opening"`
	Change  Stock `json:"change"`
	Closing Stock `json:"closing"`
}

// Line is one open difference.
type Line struct {
	Key      string          `json:"key"`
	Class    ledger.Class    `json:"class"`
	Day      Day             `json:"day"`
	State    ledger.State    `json:"state"`
	Channel  string          `json:"channel"`
	Order    string          `json:"order"`
	Meter    schemas.MeterID `json:"meter"`
	Purchase uint32          `json:"purchase"` // 0 for none
	Card     schemas.CardID  `json:"card"`
	Amount   Money           `json:"amount"`
	Volume   int64           `json:"volume"`
	Shown    string          `json:"shown"`
	Expected string          `json:"expected"`
	Note     string          `json:"note"`
}

// New makes the statement of a run. It returns a *FootError when the figures do
// not foot.
func New(in Input) (*Statement, error) {
	if in.Figures == nil || in.Calendar.Zone == nil {
		return nil, errors.New("make a statement: the run has no figures, or the calendar no time zone")
	}
	f := in.Figures
	s := &Statement{
		City: in.City, Utility: in.Utility, From: Day(in.Span.From), To: Day(in.Span.To),
		CutOff: Clock(in.Calendar.CutOff), Zone: in.Calendar.Zone.String(), Run: in.Run, Rules: in.Rules,
		Tariffs: named(in.Tariffs), Inputs: named(in.Inputs),
		Prepared:  Prepared{By: in.By, At: in.At.UTC().Format(time.RFC3339)},
		Rows:      Rows{Sales: f.Sales, Payments: f.Payments, Entries: f.Entries, Refused: f.Refused},
		Purchases: purchaseRoll(f.Purchases), Stock: stockRoll(f.Stock), Unresolved: in.Unresolved,
		Channels: make([]Channel, 0, len(f.Channels)), Classes: make([]ClassRoll, 0, reconcile.Classes), Open: make([]Line, 0, len(in.Open)),
	}
	for _, c := range f.Channels {
		s.Channels = append(s.Channels, Channel{Channel: c.Channel, Sales: matchRoll(c.Sales), Payments: matchRoll(c.Payments)})
	}
	for n, class := range ledger.Classes() {
		s.Classes = append(s.Classes, classRoll(class, f.Classes[n]))
	}
	for n := range in.Open {
		s.Open = append(s.Open, line(&in.Open[n]))
	}
	slices.SortFunc(s.Open, compareLines)
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// Clock writes a cut-off as a time of day; 0 is midnight, with which a day is said
// to end.
func Clock(d time.Duration) string {
	if d == 0 {
		d = 24 * time.Hour
	}
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

func named(m map[string]string) []Named {
	list := make([]Named, 0, len(m))
	for name, digest := range m {
		list = append(list, Named{name, digest})
	}
	slices.SortFunc(list, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func tally(t reconcile.Tally) Tally {
	return Tally{Count: t.Count, Amount: Money(t.Fen), Volume: t.Volume}
}

func matchRoll(r reconcile.MatchRoll) MatchRoll {
	return MatchRoll{Opening: tally(r.Opening), Rows: tally(r.Rows), Matched: tally(r.Matched), AmountDiff: tally(r.AmountDiff),
		Duplicates: tally(r.Duplicates), Decided: tally(r.Decided), Closing: tally(r.Closing)}
}

func purchaseRoll(r reconcile.PurchaseRoll) PurchaseRoll {
	return PurchaseRoll{Opening: tally(r.Opening), Sold: tally(r.Sold), Transferred: tally(r.Transferred),
		Undone: tally(r.Undone), Loaded: tally(r.Loaded), Closing: tally(r.Closing)}
}

func classRoll(class ledger.Class, r reconcile.ClassRoll) ClassRoll {
	return ClassRoll{Class: class, Opening: tally(r.Opening), Found: tally(r.Found), Cleared: tally(r.Cleared),
		Decided: tally(r.Decided), Closing: tally(r.Closing)}
}

// stockRoll takes over roll-forward 4. Evidence grows old without any entry, so
// that the change in coverage is what lies between opening and closing.
func stockRoll(r reconcile.StockRoll) StockRoll {
	s := StockRoll{Opening: stock(r.Opening), Change: stock(r.Change), Closing: stock(r.Closing)}
	s.Change.Fresh, s.Change.Stale = s.Closing.Fresh-s.Opening.Fresh, s.Closing.Stale-s.Opening.Stale
	return s
}

func stock(s reconcile.Stock) Stock {
	return Stock{Residual: tally(s.Residual), Overdraft: tally(s.Overdraft), Installations: s.Installations, Fresh: s.Fresh, Stale: s.Stale}
}

func line(d *OpenDifference) Line {
	return Line{Key: d.Key, Class: d.Class, Day: Day(d.Day), State: d.State, Channel: d.Channel, Order: d.Order, Meter: d.Meter,
		Purchase: d.Purchase.Number, Card: d.Card, Amount: Money(d.Amount), Volume: d.Volume, Shown: d.Shown, Expected: d.Expected, Note: d.Note}
}

// compareLines orders by class as the page lists them, then by age, then by key.
func compareLines(a, b Line) int {
	classes := ledger.Classes()
	return cmp.Or(cmp.Compare(slices.Index(classes, a.Class), slices.Index(classes, b.Class)), cmp.Compare(a.Day, b.Day), strings.Compare(a.Key, b.Key))
}

// Canonical returns the one form of s that is digested: JSON without blanks,
// fields in the order of the types, money as a string in yuan, lists in the order
// of New.
func (s *Statement) Canonical() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
