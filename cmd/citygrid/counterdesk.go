package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/hub/ledger"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// settings are what `counter setup` settles for good.
type settings struct {
	Terminal string             `json:"terminal"`
	Issuer   schemas.IssuerID   `json:"issuer"`
	Water    schemas.CreditUnit `json:"water"`
	Gas      schemas.CreditUnit `json:"gas"`
	SAM      string             `json:"sam"`
}

// ticket is what the vending row of an order says and the journal of the card does
// not. It is durable before the card is touched, and ends with the order.
type ticket struct {
	Order    string          `json:"order"`
	Kind     ledger.SaleKind `json:"kind"` // empty: the order makes no row
	Money    schemas.Fen     `json:"money"`
	Undoes   string          `json:"undoes"`
	Operator string          `json:"operator"`
}

// vendingRow is a row of the settlement file.
type vendingRow struct {
	Order       string             `json:"order"`
	Kind        ledger.SaleKind    `json:"kind"`
	MeterNumber string             `json:"meter_number"`
	Customer    schemas.CustomerID `json:"customer"`
	Card        schemas.CardID     `json:"card"`
	Purchase    uint32             `json:"purchase"`
	Money       schemas.Fen        `json:"money"`
	Volume      int64              `json:"volume"`
	Undoes      string             `json:"undoes"`
	At          time.Time          `json:"at"`
	Operator    string             `json:"operator"`
}

// takings are the rows of one utility and day that no file has yet.
type takings struct {
	Day     string         `json:"day"`
	Utility schemas.Medium `json:"utility"`
	Number  int            `json:"number"`
	// Closing says that the file is being written: no row is added any more.
	Closing bool         `json:"closing"`
	Rows    []vendingRow `json:"rows"`
}

// closed is a day that has its file.
type closed struct {
	Day     string         `json:"day"`
	Utility schemas.Medium `json:"utility"`
	Number  int            `json:"number"`
	Orders  []string       `json:"orders"` // so that none of them is sold again
}

// deskFile is the durable memory of a counter beside the journal of its cards.
type deskFile struct {
	Version   int       `json:"version"`
	Settings  settings  `json:"settings"`
	SerialDay string    `json:"serial_day"`
	Serial    int       `json:"serial"` // the last order number of that day
	Tickets   []ticket  `json:"tickets"`
	Open      []takings `json:"open"`
	Closed    []closed  `json:"closed"`
}

const deskVersion = 1

// keepClosed is how many closed files' orders are remembered.
const keepClosed = 200

// counter is a point of sale: its folder, open. One program at a time has it.
type counter struct {
	dir     string
	desk    deskFile
	journal *cardslot.FileJournal
	now     func() time.Time
}

// The names in a counter's folder. Those of the outbox are known to the collector.
const (
	deskName       = "counter.json"
	journalName    = "journal.json"
	outboxName     = "outbox"
	settlementName = "settlement"
)

var errNoCounter = errors.New("no counter there; set it up first (citygrid counter setup --help)")

// openCounter opens the folder of a counter and finishes what the last program
// left to be done without a card.
func openCounter(dir string, now func() time.Time) (*counter, error) {
	path := filepath.Join(dir, deskName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("counter %s: %w", dir, errNoCounter)
	}
	// The journal's lock first: what another program writes until it ends is read.
	journal, err := cardslot.OpenJournal(filepath.Join(dir, journalName))
	if err != nil {
		return nil, fmt.Errorf("counter: %w", err)
	}
	c := &counter{dir: dir, now: now, journal: journal}
	if c.desk, err = readDesk(path); err != nil {
		return nil, errors.Join(err, journal.Close())
	}
	if err := errors.Join(c.settle(), c.writeClosing()); err != nil {
		return nil, errors.Join(err, c.journal.Close())
	}
	return c, nil
}

// readDesk reads what writeDesk has written.
func readDesk(path string) (desk deskFile, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return desk, fmt.Errorf("counter: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(&desk)
	if err == nil && desk.Version != deskVersion {
		err = fmt.Errorf("version %d, want %d: use the program that wrote it", desk.Version, deskVersion)
	}
	if _, end := d.Token(); err == nil && end != io.EOF {
		err = errors.New("something follows the counter's data")
	}
	if err != nil {
		return desk, fmt.Errorf("counter %s: %w: do not delete it, sales are in it; restore it from a copy", path, err)
	}
	return desk, nil
}

// setUpCounter makes a counter's folder; one that is there keeps what it has.
func setUpCounter(dir string, s settings) error {
	path := filepath.Join(dir, deskName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("counter %s: there is one already; a counter is never set up anew", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("counter: %w", err)
	}
	return writeDesk(path, &deskFile{Version: deskVersion, Settings: s})
}

func writeDesk(path string, d *deskFile) error {
	data, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o600)
}

func (c *counter) save() error {
	if err := writeDesk(filepath.Join(c.dir, deskName), &c.desk); err != nil {
		return fmt.Errorf("counter: %w", err)
	}
	return nil
}

func (c *counter) close() error { return c.journal.Close() }

func (c *counter) outbox() cardslot.Outbox {
	return cardslot.Outbox{Dir: filepath.Join(c.dir, outboxName)}
}

func (c *counter) profile() cardslot.Profile {
	return cardslot.Profile{Water: c.desk.Settings.Water, Gas: c.desk.Settings.Gas, Source: schemas.FromReader}
}

// dayOf is the day of the counter's files.
func dayOf(t time.Time) string { return t.In(cardfile.Zone()).Format(time.DateOnly) }

// knows reports whether an order number has been used.
func (c *counter) knows(order string) bool {
	if slices.ContainsFunc(c.desk.Tickets, func(t ticket) bool { return t.Order == order }) || c.row(order) != nil {
		return true
	}
	return slices.ContainsFunc(c.desk.Closed, func(f closed) bool { return slices.Contains(f.Orders, order) })
}

// row returns the row of an order of a day that is not closed, nil if there is none.
func (c *counter) row(order string) *vendingRow {
	for i := range c.desk.Open {
		for j := range c.desk.Open[i].Rows {
			if r := &c.desk.Open[i].Rows[j]; r.Order == order {
				return r
			}
		}
	}
	return nil
}

// begin gives t its order number, or takes the clerk's, and remembers it durably.
func (c *counter) begin(t ticket, at time.Time) (ticket, error) {
	day := at.In(cardfile.Zone()).Format("20060102")
	if c.desk.SerialDay != day {
		c.desk.SerialDay, c.desk.Serial = day, 0
	}
	if t.Order == "" {
		c.desk.Serial++
		t.Order = fmt.Sprintf("%s-%s-%04d", c.desk.Settings.Terminal, day, c.desk.Serial)
	}
	if c.knows(t.Order) {
		return t, fmt.Errorf("order %s has been used: what is new needs a number of its own", t.Order)
	}
	c.desk.Tickets = append(c.desk.Tickets, t)
	return t, c.save()
}

// settle takes over what the journal has settled: its entries go to the outbox,
// its row to the day, and only then the journal forgets it. Tickets of orders that
// never came to the journal end: nothing was written. It may be done again at any
// time.
func (c *counter) settle() error {
	pending, err := c.journal.Pending()
	if err != nil {
		return fmt.Errorf("counter: %w", err)
	}
	alive := make(map[string]bool)
	for _, r := range pending {
		alive[r.ID] = true
	}
	settled := c.journal.Settled()
	var ids []string
	for i := range settled {
		s := &settled[i]
		if ids = append(ids, s.ID); s.State != cardslot.CommittedState {
			continue
		}
		if err := c.outbox().Put([]schemas.CardEntry{s.Entry()}); err != nil {
			return err
		}
		c.book(&s.Record)
	}
	before := len(c.desk.Tickets)
	c.desk.Tickets = slices.DeleteFunc(c.desk.Tickets, func(t ticket) bool { return !alive[t.Order] })
	if before != len(c.desk.Tickets) {
		if err := c.save(); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return c.journal.Forget(ids...)
}

// book adds the row of a committed record, if its ticket makes one. A record
// without a ticket has its row already.
func (c *counter) book(r *cardslot.Record) {
	i := slices.IndexFunc(c.desk.Tickets, func(t ticket) bool { return t.Order == r.ID && t.Kind != "" })
	if i < 0 {
		return
	}
	t := c.desk.Tickets[i]
	row := vendingRow{Order: t.Order, Kind: t.Kind, MeterNumber: r.MeterNumber, Customer: r.Customer, Card: r.Card, Purchase: r.Purchase,
		Money: t.Money, Undoes: t.Undoes, At: r.At.UTC(), Operator: t.Operator}
	if r.Amount.Unit != schemas.CreditFen {
		row.Volume = r.Amount.Value
	}
	day := c.takings(dayOf(r.At), r.Application.Utility())
	day.Rows = append(day.Rows, row)
}

// takings returns the open file of a day and utility.
func (c *counter) takings(day string, utility schemas.Medium) *takings {
	number := 1
	for i := range c.desk.Open {
		if t := &c.desk.Open[i]; t.Day == day && t.Utility == utility {
			if !t.Closing {
				return t
			}
			number = max(number, t.Number+1)
		}
	}
	for _, f := range c.desk.Closed {
		if f.Day == day && f.Utility == utility {
			number = max(number, f.Number+1)
		}
	}
	fresh := takings{Day: day, Utility: utility, Number: number}
	// A file of a day that is forgotten is still a file.
	for ; fileExists(c.path(&fresh)); fresh.Number++ {
	}
	c.desk.Open = append(c.desk.Open, fresh)
	return &c.desk.Open[len(c.desk.Open)-1]
}

// fileExists reports whether something is, or may be, at path.
func fileExists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
