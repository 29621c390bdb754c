package intake

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// get returns the text of one of our columns for a row of a kind, with the place
// where it stands (-1 for a constant or nothing).
func (p *parser) get(ours, kind string) (text string, column int, s source) {
	s, ok := p.m.kinds[kind][ours]
	if !ok {
		s, ok = p.m.columns[ours]
	}
	if !ok {
		return "", -1, s
	}
	if s.fixed {
		return s.value, -1, s
	}
	column = s.at
	if p.m.names {
		if column, ok = p.position[s.from]; !ok {
			return "", -1, s
		}
	}
	if column >= len(p.fields) {
		return "", column, s
	}
	text = p.fields[column]
	if s.values != nil {
		mapped, ok := s.values[text]
		if !ok {
			p.problem(column, text, fmt.Sprintf("the mapping does not say what this means for %s; add it to its values", ours))
		}
		return mapped, column, s
	}
	return text, column, s
}

func (p *parser) text(ours, kind string, needed bool) string {
	s, column, _ := p.get(ours, kind)
	switch {
	case s == "" && needed:
		p.problem(column, "", ours+" is missing")
	case !ledger.Printable(s):
		p.problem(column, s, fmt.Sprintf("%s: want at most %d printable bytes without blanks around them", ours, ledger.MaxText))
	}
	return s
}

func (p *parser) amount(kind string) schemas.Fen {
	text, column, s := p.get("amount", kind)
	if s.unit == "fen" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > maxAmount {
			p.problem(column, text, "amount: want whole fen, not negative")
			return 0
		}
		return schemas.Fen(n)
	}
	f, err := schemas.ParseFen(text)
	switch {
	case err != nil:
		p.problem(column, text, "amount: want yuan as digits with at most two decimals, such as 50.00")
	case f < 0 || f > maxAmount:
		p.problem(column, text, "amount: want nothing negative; the kind says which way it went")
	}
	return f
}

// maxAmount bounds a row, so that no sum of a file can overflow: ten thousand
// million yuan.
const maxAmount = 1_000_000_000_000

func (p *parser) volume(kind string) int64 {
	text, column, s := p.get("volume", kind)
	if text == "" {
		return 0
	}
	n, ok := parseVolume(text, s.unit == "m3" || s.unit == "kWh")
	if !ok {
		p.problem(column, text, "volume: want digits, with at most three decimals where the unit is m3 or kWh")
	}
	return n
}

// parseVolume reads litres or watt-hours, or a thousand of them with decimals.
func parseVolume(text string, thousands bool) (int64, bool) {
	whole, frac, dotted := strings.Cut(text, ".")
	if thousands {
		if dotted && frac == "" || len(frac) > 3 {
			return 0, false
		}
		whole += (frac + "000")[:3]
	} else if dotted {
		return 0, false
	}
	if strings.IndexFunc(whole, func(r rune) bool { return r < '0' || r > '9' }) >= 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	return n, err == nil && n <= maxAmount
}

// The first and the last moment that a row may carry.
const (
	firstYear = 1990
	lastYear  = 2200
)

func (p *parser) moment(kind string) time.Time {
	text, column, s := p.get("at", kind)
	t, _ := p.when("at", text, column, s)
	return t
}

// when reads a moment of one of our columns.
func (p *parser) when(ours, text string, column int, s source) (time.Time, bool) {
	format := s.format
	if format == "" {
		format = time.RFC3339
	}
	t, err := time.ParseInLocation(format, text, p.o.Zone)
	if err != nil || t.Year() < firstYear || t.Year() > lastYear {
		p.problem(column, text, ours+": want a moment in the form "+format)
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Millisecond), true
}

func (p *parser) day(kind string) ledger.Day {
	text, column, s := p.get("day", kind)
	if text == "" {
		return p.file.Day
	}
	format := s.format
	if format == "" {
		format = time.DateOnly
	}
	day, ok := parseDay(text, format)
	if !ok {
		p.problem(column, text, "day: want an accounting day in the form "+format)
	}
	return day
}

// due reads the last day to pay a bill; other kinds have none.
func (p *parser) due(kind string, day ledger.Day) ledger.Day {
	text, column, s := p.get("due", kind)
	if kind != string(ledger.Bill) {
		if text != "" {
			p.problem(column, text, "due: only a bill has a due day; leave it empty")
		}
		return 0
	}
	format := s.format
	if format == "" {
		format = time.DateOnly
	}
	due, ok := parseDay(text, format)
	if !ok || due < day {
		p.problem(column, text, "due: want the last day to pay the bill, not before its own, in the form "+format)
	}
	return due
}

func (p *parser) kind(allowed ...string) string {
	text, column, _ := p.get("kind", "")
	for _, k := range allowed {
		if text == k {
			return k
		}
	}
	if text != "" || column < 0 || p.m.columns["kind"].values == nil {
		p.problem(column, text, "kind: want one of "+strings.Join(allowed, ", "))
	}
	return text
}

func (p *parser) payment() {
	kind := p.kind("payment", "refund")
	pay := ledger.Payment{Channel: p.file.Channel, Order: p.text("order", kind, true), Reference: p.text("reference", kind, false),
		Refund: kind == "refund", Amount: p.amount(kind), Day: p.day(kind), At: p.moment(kind)}
	p.count(pay.Refund, pay.Amount)
	p.file.Payments = append(p.file.Payments, pay)
}

func (p *parser) count(back bool, amount schemas.Fen) {
	if back {
		p.credit += amount
	} else {
		p.debit += amount
	}
}

func (p *parser) sale() {
	kind := p.kind(string(ledger.Purchase), string(ledger.Refund), string(ledger.Reversal), string(ledger.Transfer), string(ledger.Reissue), string(ledger.Bill))
	s := ledger.Sale{Channel: p.file.Channel, Order: p.text("order", kind, true), Kind: ledger.SaleKind(kind), Utility: p.file.Utility,
		Purchase: p.purchase(kind), Amount: p.amount(kind), Volume: p.volume(kind),
		Undoes: p.text("undoes", kind, false), Day: p.day(kind), At: p.moment(kind),
		Operator: p.text("operator", kind, false), Terminal: p.text("terminal", kind, false)}
	s.Due = p.due(kind, s.Day)
	p.identify(kind, &s)
	undoes := s.Kind == ledger.Refund || s.Kind == ledger.Reversal || s.Kind == ledger.Reissue
	if _, column, _ := p.get("undoes", kind); undoes != (s.Undoes != "") {
		what := "undoes: a " + kind + " names the order that it is about"
		if !undoes {
			what = "undoes: a " + kind + " undoes nothing; leave it empty"
		}
		p.problem(column, s.Undoes, what)
	}
	p.count(s.Kind == ledger.Refund || s.Kind == ledger.Reversal, s.Amount)
	p.file.Sales = append(p.file.Sales, s)
}

// identify fills in whom and what the sale is about.
func (p *parser) identify(kind string, s *ledger.Sale) {
	text, column, _ := p.get("meter", kind)
	number, numberColumn, _ := p.get("meter_number", kind)
	if text == "" && number == "" {
		p.problem(column, "", "neither meter nor meter_number is given")
	}
	s.Meter, s.MeterNumber = schemas.MeterID(text), number
	if text != "" {
		p.valid(column, text, s.Meter.Validate())
	}
	if number != "" && (len(number) != 12 || strings.Trim(number, "0123456789") != "") {
		p.problem(numberColumn, number, "meter_number: want the 12 digits on the plate; a spreadsheet may have cut leading zeros")
	}
	if text, column, _ := p.get("customer", kind); text != "" {
		s.Customer = schemas.CustomerID(text)
		p.valid(column, text, s.Customer.Validate())
	}
	if text, column, _ := p.get("card", kind); text != "" {
		s.Card = schemas.CardID(strings.ToUpper(text))
		p.valid(column, text, s.Card.Validate())
	}
}

func (p *parser) valid(column int, text string, err error) {
	if err != nil {
		p.problem(column, text, err.Error())
	}
}

func (p *parser) purchase(kind string) schemas.PurchaseRef {
	text, column, _ := p.get("purchase", kind)
	if kind == string(ledger.Bill) {
		if text != "" {
			p.problem(column, text, "purchase: a bill has no purchase number; leave it empty")
		}
		return schemas.PurchaseRef{}
	}
	if ref, ok := p.token(kind); ok {
		if text != "" {
			p.problem(column, text, "purchase: the token's identifier is the purchase number of this row; leave it empty")
		}
		return ref
	}
	ref := schemas.PurchaseRef{Scheme: schemas.BySequence}
	digits, token := strings.CutPrefix(text, "tid:")
	limit := uint64(math.MaxUint32)
	if token {
		ref.Scheme, limit = schemas.ByTID, schemas.MaxTID
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < 1 || n > limit {
		p.problem(column, text, "purchase: want a purchase number from 1 on, or tid: and a token's number")
		return ref
	}
	ref.Number = uint32(n)
	return ref
}
