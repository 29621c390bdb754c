package simulators

import (
	"sort"
	"time"

	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
	"citygrid/simulators/prepaid"
)

// milli is a thousandth of a unit in millionths: a litre or a watt-hour.
const milli = micro / 1000

// account returns what the meter's engine held, if it has one.
func (m *Meter) account(in instant) (s prepaid.State, ok bool) {
	if m.Account == nil {
		return s, false
	}
	return m.Account.At(time.Unix(0, int64(in.step)*int64(m.Step))), true
}

// inPurse returns an amount of the purse in millionths of yuan, cubic metres or
// kilowatt-hours; 0 where the purse is of another kind.
func inPurse(s *prepaid.State, ofKind bool, amount int64) int64 {
	switch {
	case !ofKind:
		return 0
	case s.Unit == schemas.CreditFen:
		return amount * fen
	}
	return amount * milli
}

// accountBits are those of status word 3 that tell of the account.
func (m *Meter) accountBits(in instant) int64 {
	s, ok := m.account(in)
	if !ok {
		return wordMoney
	}
	bits := wordUnopened * oneIf(!s.Opened)
	if s.Unit == schemas.CreditFen {
		return bits | wordMoney
	}
	return bits | wordEnergy
}

// The purchase records of a DL/T 645 meter: 0333 for money and 0332 for energy,
// then the column, then the record, 1 for the newest [extension of DL/T 645-2007
// by the grid companies].
const (
	dltMoneyRecords, dltEnergyRecords = 0x0333, 0x0332
	dltRecords                        = 10
	columnDate                        = 1
	columnCount                       = 2
	columnAmount                      = 3
	columnBefore                      = 4
	columnAfter                       = 5
	columnTotal                       = 6
)

// hasPurchaseRecords reports whether the profile names the purchase count among
// the records of purchases: then the meter has all of them.
func hasPurchaseRecords(p *dlt645.Profile) bool {
	for _, f := range p.Fields {
		if f.Quantity == "power.purchase.count" && f.DI == dltMoneyRecords<<16|columnCount<<8|1 {
			return true
		}
	}
	return false
}

// appendPurchase appends an item of the purchase records. One that was not made
// yet is all zeros; records of the other kind of purse are not there.
func (m *Meter) appendPurchase(dst []byte, di uint32, t time.Time) (out []byte, known bool) {
	column, n := int(di>>8&0xFF), int(di&0xFF)
	in := m.instant(m.stepOf(t))
	kind := uint32(dltMoneyRecords)
	if s, ok := m.account(in); ok && s.Unit != schemas.CreditFen {
		kind = dltEnergyRecords
	}
	if !hasPurchaseRecords(m.DLT645) || di>>16 != kind || column < columnDate || column > columnTotal || n < 1 || n > dltRecords {
		return dst, false
	}
	p, ok := m.purchaseRecord(in, n)
	values := map[int]int64{columnCount: int64(p.Count), columnAmount: p.Amount, columnBefore: p.Before, columnAfter: p.After, columnTotal: p.Bought}
	switch {
	case column == columnDate && !ok:
		return append(dst, make([]byte, 5)...), true
	case column == columnDate:
		w := wall(m.Clock(p.At))
		return appendDigits(dst, w.Minute(), w.Hour(), w.Day(), int(w.Month()), w.Year()), true
	case column == columnCount:
		return appendPacked(dst, values[column], 2), true
	case kind == dltEnergyRecords:
		return appendPacked(dst, values[column]/10, 4), true // hundredths of a kWh
	}
	return appendPacked(dst, values[column], 4), true
}

func appendPacked(dst []byte, n int64, size int) []byte {
	packed := packDigits(uint64(n), 2*size)
	for i := range size {
		dst = append(dst, byte(packed>>(8*i)))
	}
	return dst
}

// purchaseRecord returns the n-th last purchase, in the unit of the purse.
func (m *Meter) purchaseRecord(in instant, n int) (p prepaid.Purchase, ok bool) {
	if s, ok := m.account(in); ok {
		if n > len(s.Records) {
			return p, false
		}
		return s.Records[n-1], true
	}
	count := purchases(m, in) - int64(n) + 1
	if count < 1 {
		return p, false
	}
	price, amount := m.traits.price, m.purchase()/fen
	after := int64((creditBought + creditFloor) * float64(price))
	return prepaid.Purchase{Count: uint32(count), At: m.boughtAt(in, count), Amount: amount, After: after, Bought: count * amount}, true
}

// beforeStart is how far apart the purchases are that a meter had before its
// life in the simulation began.
const beforeStart = 30 * 24 * time.Hour

// boughtAt returns when the count became so much, in the life of the meter that
// it has at in.
func (m *Meter) boughtAt(in instant, count int64) time.Time {
	first := m.stepOf(m.Start)
	for _, e := range m.epochs {
		if e.from <= in.step {
			first = max(first, e.from)
		}
	}
	if had := purchases(m, m.instant(first)); count <= had {
		return m.Start.Add(-time.Duration(had-count+1) * beforeStart)
	}
	steps := sort.Search(int(in.step-first), func(i int) bool { return purchases(m, m.instant(first+uint64(i))) >= count })
	return time.Unix(0, int64(first+uint64(steps))*int64(m.Step)).UTC()
}
