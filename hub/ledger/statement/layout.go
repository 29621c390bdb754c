package statement

import (
	"fmt"
	"strconv"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// kind is how a cell is written.
type kind uint8

const (
	text   kind = iota
	count       // a whole number
	money       // yuan with two decimals
	volume      // m³ or kWh with three decimals
)

// cell is a value with its exact decimal text, or empty.
type cell struct {
	kind kind
	text string
}

func said(s string) cell  { return cell{text, s} }
func number(n int64) cell { return cell{count, strconv.FormatInt(n, 10)} }
func yuan(m Money) cell   { return cell{money, m.String()} }
func thousandths(n int64) cell {
	return cell{volume, schemas.Decimal{Mantissa: n, Exponent: -3}.String()}
}
func tallyCells(t Tally) []cell {
	return []cell{number(t.Count), yuan(t.Amount), thousandths(t.Volume)}
}
func moneyCells(t Tally) []cell { return []cell{number(t.Count), yuan(t.Amount)} }

// table is one table of a form. Every form is written from the same tables.
type table struct {
	sheet   string // the sheet of an XLSX file that it stands on
	title   string
	columns []column
	rows    [][]cell
	// last marks the last row as a total; long lets short forms leave rows out, full
	// keeps them from it.
	last, long, full bool
}

// column is the head of a column; over stands above its name where several
// belong together.
type column struct{ over, name string }

// String writes the head on one line.
func (c column) String() string {
	if c.over == "" {
		return c.name
	}
	return c.over + " " + c.name
}

func heads(names ...string) []column {
	list := make([]column, len(names))
	for n, name := range names {
		list[n].name = name
	}
	return list
}

// sumHeads are the heads of moneyCells.
func (w *words) sumHeads(over ...string) (list []column) {
	for _, o := range over {
		list = append(list, column{o, w.count}, column{o, w.amount})
	}
	return list
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// layout is the content of every form, in its order.
func layout(d *Document, l Language) []table {
	s, w := d.Statement, wordsOf(l)
	tables := []table{summaryTable(d, w), ledgersTable(s, w), classTable(s, w)}
	tables = append(tables, rollTables(s, w)...)
	return append(tables, ageingTable(s, w), openTable(s, w), provenanceTable(d, w), signatureTable(d, w))
}

// unitOf is what volumes of the utility are shown in.
func unitOf(u schemas.Medium) string {
	if u == schemas.Power {
		return "kWh"
	}
	return "m³"
}

func summaryTable(d *Document, w *words) table {
	s := d.Statement
	t := table{sheet: w.summary, title: w.summary, full: true, columns: heads(w.item, w.value, w.count, w.amount, w.volume+" ("+unitOf(s.Utility)+")")}
	say := func(item, value string) { t.add(said(item), said(value), cell{}, cell{}, cell{}) }
	// The main totals stand in figures and in capitals, as on every paper about money.
	sums := func(item string, x Tally) {
		t.add(append([]cell{said(item), said(ledger.Capital(schemas.Fen(x.Amount)))}, tallyCells(x)...)...)
	}
	say(w.utility, w.byUtility[s.Utility])
	say(w.period, period(s))
	say(w.cutOff, s.CutOff+" "+s.Zone)
	say(w.run, fmt.Sprintf(w.runText, s.Run.Version, s.Run.ID))
	say(w.rules, s.Rules)
	say(w.prepared, s.Prepared.By+" "+s.Prepared.At)
	rows := func(item string, n int64) { t.add(said(item), cell{}, number(n), cell{}, cell{}) }
	rows(w.saleRows, s.Rows.Sales)
	rows(w.paymentRows, s.Rows.Payments)
	rows(w.entryRows, s.Rows.Entries)
	rows(w.refusedRows, s.Rows.Refused)
	sums(w.matched, s.total().Sales.Matched)
	sums(w.open, s.open())
	sums(w.unloaded, s.Purchases.Closing)
	sums(w.prepaid, s.Stock.Closing.Residual)
	sums(w.overdraft, s.Stock.Closing.Overdraft)
	c := s.Stock.Closing
	say(w.coverage, fmt.Sprintf(w.coverageText, c.Fresh, c.Installations, share(c.Fresh, c.Installations), c.Stale))
	if u := s.Unresolved; u != nil {
		rows(w.unknownSales, u.Sales)
		rows(w.unknownEntries, u.Entries)
	}
	say(w.statementDigest, d.Digest)
	return t
}

func period(s *Statement) string {
	if s.From == s.To {
		return s.To.String()
	}
	return s.From.String() + " - " + s.To.String()
}

// share is part in per cent of whole, with two decimals, rounded down: 100.00
// means all. Of nothing there is no share.
func share(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return schemas.Decimal{Mantissa: part * 10_000 / whole, Exponent: -2}.String()
}

// total adds up the channels.
func (s *Statement) total() (c Channel) {
	for n := range s.Channels {
		addMatch(&c.Sales, &s.Channels[n].Sales)
		addMatch(&c.Payments, &s.Channels[n].Payments)
	}
	return c
}

func addMatch(to, r *MatchRoll) {
	to.Opening, to.Rows, to.Matched = sum(to.Opening, r.Opening), sum(to.Rows, r.Rows), sum(to.Matched, r.Matched)
	to.AmountDiff, to.Duplicates = sum(to.AmountDiff, r.AmountDiff), sum(to.Duplicates, r.Duplicates)
	to.Decided, to.Closing = sum(to.Decided, r.Decided), sum(to.Closing, r.Closing)
}

// open adds up what is open in all classes.
func (s *Statement) open() (t Tally) {
	for n := range s.Classes {
		t = sum(t, s.Classes[n].Closing)
	}
	return t
}

func ledgersTable(s *Statement, w *words) table {
	t := table{sheet: w.ledgers, title: w.ledgers, last: true, columns: heads(w.channel)}
	t.columns = append(append(t.columns, w.sumHeads(w.sales, w.payments)...), column{name: w.paymentsLessSales})
	t.columns = append(t.columns, w.sumHeads(w.sales+w.join+w.agreed, w.payments+w.join+w.agreed)...)
	row := func(name string, c *Channel) {
		cells := append([]cell{said(name)}, moneyCells(c.Sales.Rows)...)
		cells = append(cells, moneyCells(c.Payments.Rows)...)
		cells = append(cells, yuan(c.Payments.Rows.Amount-c.Sales.Rows.Amount))
		cells = append(cells, moneyCells(c.Sales.Matched)...)
		t.add(append(cells, moneyCells(c.Payments.Matched)...)...)
	}
	for n := range s.Channels {
		row(s.Channels[n].Channel, &s.Channels[n])
	}
	total := s.total()
	row(w.total, &total)
	return t
}

func classTable(s *Statement, w *words) table {
	t := table{sheet: w.rolls, title: w.classRoll, last: true, columns: heads(w.class, w.name)}
	t.columns = append(t.columns, w.sumHeads(w.opening, w.found, w.cleared, w.decided, w.closing)...)
	var all ClassRoll
	row := func(code, name string, c *ClassRoll) {
		cells := []cell{said(code), said(name)}
		for _, x := range []Tally{c.Opening, c.Found, c.Cleared, c.Decided, c.Closing} {
			cells = append(cells, moneyCells(x)...)
		}
		t.add(cells...)
	}
	for n := range s.Classes {
		c := &s.Classes[n]
		row(string(c.Class), w.byClass[c.Class], c)
		all = ClassRoll{Opening: sum(all.Opening, c.Opening), Found: sum(all.Found, c.Found), Cleared: sum(all.Cleared, c.Cleared),
			Decided: sum(all.Decided, c.Decided), Closing: sum(all.Closing, c.Closing)}
	}
	row(w.total, "", &all)
	return t
}

func rollTables(s *Statement, w *words) []table {
	match := table{sheet: w.rolls, title: w.matchRoll, last: true, columns: heads(w.channel, "")}
	match.columns = append(match.columns, w.sumHeads(w.opening, w.ofSpan, w.agreed, w.amountDiff, w.duplicates, w.decided, w.closing)...)
	sides := func(name string, c *Channel) {
		match.add(matchCells(name, w.sales, &c.Sales)...)
		match.add(matchCells(name, w.payments, &c.Payments)...)
	}
	for n := range s.Channels {
		sides(s.Channels[n].Channel, &s.Channels[n])
	}
	total := s.total()
	match.add(matchCells(w.total, w.sales, &total.Sales)...)
	match.add(matchCells(w.total, w.payments, &total.Payments)...)
	return []table{match, purchaseTable(s, w), stockTable(s, w)}
}

func matchCells(channel, side string, r *MatchRoll) []cell {
	cells := []cell{said(channel), said(side)}
	for _, x := range []Tally{r.Opening, r.Rows, r.Matched, r.AmountDiff, r.Duplicates, r.Decided, r.Closing} {
		cells = append(cells, moneyCells(x)...)
	}
	return cells
}

func purchaseTable(s *Statement, w *words) table {
	t := table{sheet: w.rolls, title: w.purchaseRoll, last: true, columns: heads("", w.count, w.amount, w.volume+" ("+unitOf(s.Utility)+")")}
	p := &s.Purchases
	for _, r := range []struct {
		name string
		t    Tally
	}{{w.opening, p.Opening}, {w.sold, p.Sold}, {w.transferred, p.Transferred}, {w.undone, p.Undone}, {w.loaded, p.Loaded}, {w.closing, p.Closing}} {
		t.add(append([]cell{said(r.name)}, tallyCells(r.t)...)...)
	}
	return t
}

func stockTable(s *Statement, w *words) table {
	unit := " (" + unitOf(s.Utility) + ")"
	t := table{sheet: w.rolls, title: w.stockRoll, last: true, columns: []column{{},
		{w.credit, w.count}, {w.credit, w.amount}, {w.credit, w.volume + unit},
		{w.overdrawn, w.count}, {w.overdrawn, w.amount}, {w.overdrawn, w.volume + unit}, {"", w.installations}, {"", w.heard}, {"", w.stale}}}
	for _, r := range []struct {
		name string
		s    Stock
	}{{w.opening, s.Stock.Opening}, {w.change, s.Stock.Change}, {w.closing, s.Stock.Closing}} {
		cells := append([]cell{said(r.name)}, tallyCells(r.s.Residual)...)
		cells = append(cells, tallyCells(r.s.Overdraft)...)
		t.add(append(cells, number(r.s.Installations), number(r.s.Fresh), number(r.s.Stale))...)
	}
	return t
}

// ageOf is the age of an open difference in days.
func ageOf(s *Statement, l *Line) int64 { return int64(s.To) - int64(l.Day) }

// band is the band of an age: 1, 3, 7, 30 days and over.
func band(age int64) int {
	for n, end := range []int64{1, 3, 7, 30} {
		if age <= end {
			return n
		}
	}
	return 4
}

func ageingTable(s *Statement, w *words) table {
	t := table{sheet: w.differences, title: w.ageing, last: true, columns: heads(w.age, w.count, w.amount)}
	var bands [5]Tally
	var all Tally
	for n := range s.Open {
		one := Tally{Count: 1, Amount: s.Open[n].Amount}
		at := band(ageOf(s, &s.Open[n]))
		bands[at], all = sum(bands[at], one), sum(all, one)
	}
	for n, name := range []string{w.upTo1, w.upTo3, w.upTo7, w.upTo30, w.older} {
		t.add(append([]cell{said(name)}, moneyCells(bands[n])...)...)
	}
	t.add(append([]cell{said(w.total)}, moneyCells(all)...)...)
	return t
}

func openTable(s *Statement, w *words) table {
	t := table{sheet: w.differences, title: w.differences, long: true, columns: heads(w.class, w.name, w.day, w.age, w.state, w.channel, w.order, w.meter,
		w.purchase, w.card, w.amount, w.volume+" ("+unitOf(s.Utility)+")", w.shown, w.expected, w.note, w.key)}
	for n := range s.Open {
		d := &s.Open[n]
		purchase := cell{}
		if d.Purchase != 0 {
			purchase = number(int64(d.Purchase))
		}
		t.add(said(string(d.Class)), said(w.byClass[d.Class]), said(d.Day.String()), number(ageOf(s, d)), said(w.byState[d.State]),
			said(d.Channel), said(d.Order), said(string(d.Meter)), purchase, said(string(d.Card)), yuan(d.Amount), thousandths(d.Volume),
			said(d.Shown), said(d.Expected), said(d.Note), said(d.Key))
	}
	return t
}

func provenanceTable(d *Document, w *words) table {
	s := d.Statement
	t := table{sheet: w.summary, title: w.provenance, columns: heads(w.name, w.digest)}
	t.add(said(w.rules), said(s.Rules))
	for _, x := range s.Tariffs {
		t.add(said(fmt.Sprintf(w.tariff, x.Name)), said(x.Digest))
	}
	for _, x := range s.Inputs {
		t.add(said(fmt.Sprintf(w.input, x.Name)), said(x.Digest))
	}
	t.add(said(w.statementDigest), said(d.Digest))
	return t
}

// signatureTable has a line for each role, to be signed by hand where nobody
// signed with a key.
func signatureTable(d *Document, w *words) table {
	t := table{sheet: w.summary, title: w.signatures, columns: heads(w.role, w.person, w.at, w.signature)}
	for _, role := range Roles() {
		person, at, how := "", "", ""
		if role == PreparedBy {
			person = d.Statement.Prepared.By
		}
		for n := range d.Signatures {
			if s := &d.Signatures[n]; s.Role == role {
				person, at, how = s.Person, s.At, w.signed
			}
		}
		t.add(said(w.byRole[role]), said(person), said(at), said(how))
	}
	return t
}
