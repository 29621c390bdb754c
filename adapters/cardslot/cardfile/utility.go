package cardfile

import (
	"time"

	"citygrid/schemas"
)

// Sizes of the water and gas applications' files.
const (
	PurchaseSize      = 50
	UtilityReturnSize = 124
)

// Head is what the purchase file and the return file of water and gas begin
// with.
type Head struct {
	Meter    Number
	Customer Number
	SubMeter byte
	Tariff   byte // user or tariff type
	Type     CardType
	// MeterType is that of CJ/T 188: 10 cold water, 30 gas.
	MeterType byte
	Update    byte // what the meter shall take over; its bits are the maker's
}

func (r *reader) head() Head {
	return Head{
		Meter: Number(r.bcd("meter number", 6)), Customer: Number(r.bcd("customer number", 6)),
		SubMeter: r.byte(), Tariff: r.byte(), Type: CardType(r.byte()), MeterType: r.byte(), Update: r.byte(),
	}
}

func (w *writer) head(h Head) {
	w.bcd("meter number", 6, uint64(h.Meter))
	w.bcd("customer number", 6, uint64(h.Customer))
	w.keep([]byte{h.SubMeter, h.Tariff, byte(h.Type), h.MeterType, h.Update})
}

// Limits are what the utility sets in the meter, in the unit of the purse.
type Limits struct {
	Alarm1, Alarm2 schemas.Credit
	Hoard          schemas.Credit // the most that the meter takes; 0: not set
	Overdraft      schemas.Credit // how much the customer may owe
}

func (r *reader) limits(unit schemas.CreditUnit) Limits {
	return Limits{Alarm1: r.credit(unit), Alarm2: r.credit(unit), Hoard: r.credit(unit), Overdraft: r.credit(unit)}
}

func (w *writer) limits(l Limits) {
	w.credit("alarm 1", l.Alarm1)
	w.credit("alarm 2", l.Alarm2)
	w.credit("hoard limit", l.Hoard)
	w.credit("overdraft limit", l.Overdraft)
}

// Purchase is the purchase file of water or gas (DF02 and DF03, file 01).
type Purchase struct {
	Command byte // 01
	Head
	Amount schemas.Credit
	Count  uint16 // the number of the purchase
	Limits
	PulseConstant uint16
	Reserved      [4]byte
}

const purchaseFile = "purchase file"

// DecodePurchase reads a purchase file whose purse counts unit.
func DecodePurchase(b []byte, unit schemas.CreditUnit) (Purchase, error) {
	var p Purchase
	r := newReader(purchaseFile, b, PurchaseSize)
	p.Command = r.frame(1)
	p.Head = r.head()
	p.Amount = r.credit(unit)
	p.Count = uint16(r.binary(2))
	p.Limits = r.limits(unit)
	p.PulseConstant = uint16(r.binary(2))
	r.keep(p.Reserved[:])
	if r.err != nil {
		return Purchase{}, r.err
	}
	return p, nil
}

// Encode returns the file.
func (p Purchase) Encode() ([]byte, error) {
	w := newWriter(purchaseFile, PurchaseSize)
	w.begin(p.Command, 1, PurchaseSize-5)
	w.head(p.Head)
	w.credit("amount", p.Amount)
	w.binary("count", 2, uint32(p.Count))
	w.limits(p.Limits)
	w.binary("pulse constant", 2, uint32(p.PulseConstant))
	w.keep(p.Reserved[:])
	return w.end()
}

// UtilityReturn is the return file of water or gas (DF02 and DF03, file 02): the
// meter's purse, counters and months as the meter wrote them back.
type UtilityReturn struct {
	Command byte // 01
	Head
	Reserved1 [2]byte
	// LastAmount and Count are the last purchase that the meter took.
	LastAmount schemas.Credit
	Count      uint16
	// Limits are those in force in the meter.
	Limits
	State     uint16 // status word, bits of the maker
	Remaining schemas.Credit
	// Bought and Used are sums over the meter's life, in the unit of the purse.
	Bought, Used schemas.Credit
	Pulses       uint32
	// ThisMonth and Months (the newest first) are consumption in the maker's unit.
	ThisMonth     uint16
	PulseConstant uint16
	Months        [24]uint16
	// WrittenAt is when, by the meter's clock, to the second; zero: not known. Its
	// 8 bytes are read as YYYYMMDDhhmmss and a reserved one, which is our reading.
	WrittenAt time.Time
	Reserved2 byte
}

const utilityReturnFile = "return file"

// DecodeUtilityReturn reads a return file whose purse counts unit.
func DecodeUtilityReturn(b []byte, unit schemas.CreditUnit) (UtilityReturn, error) {
	var p UtilityReturn
	r := newReader(utilityReturnFile, b, UtilityReturnSize)
	p.Command = r.frame(1)
	p.Head = r.head()
	r.keep(p.Reserved1[:])
	p.LastAmount = r.credit(unit)
	p.Count = uint16(r.binary(2))
	p.Limits = r.limits(unit)
	p.State = uint16(r.binary(2))
	p.Remaining, p.Bought, p.Used = r.credit(unit), r.credit(unit), r.credit(unit)
	p.Pulses = r.binary(4)
	p.ThisMonth = uint16(r.binary(2))
	p.PulseConstant = uint16(r.binary(2))
	for i := range p.Months {
		p.Months[i] = uint16(r.binary(2))
	}
	p.WrittenAt = r.second("write-back time")
	p.Reserved2 = r.byte()
	if r.err != nil {
		return UtilityReturn{}, r.err
	}
	return p, nil
}

// Encode returns the file.
func (p UtilityReturn) Encode() ([]byte, error) {
	w := newWriter(utilityReturnFile, UtilityReturnSize)
	w.begin(p.Command, 1, UtilityReturnSize-5)
	w.head(p.Head)
	w.keep(p.Reserved1[:])
	w.credit("last amount", p.LastAmount)
	w.binary("count", 2, uint32(p.Count))
	w.limits(p.Limits)
	w.binary("state", 2, uint32(p.State))
	w.credit("remaining", p.Remaining)
	w.credit("bought", p.Bought)
	w.credit("used", p.Used)
	w.binary("pulses", 4, p.Pulses)
	w.binary("this month", 2, uint32(p.ThisMonth))
	w.binary("pulse constant", 2, uint32(p.PulseConstant))
	for _, m := range p.Months {
		w.binary("months", 2, uint32(m))
	}
	w.second("write-back time", p.WrittenAt)
	w.byte(p.Reserved2)
	return w.end()
}

// second reads YYYYMMDDhhmmss.
func (r *reader) second(field string) time.Time {
	at := r.at
	d := [6]uint64{r.bcd(field, 2)}
	for i := 1; i < len(d); i++ {
		d[i] = r.bcd(field, 1)
	}
	return r.date(field, at, d)
}

// second writes YYYYMMDDhhmmss, or zeros for no time.
func (w *writer) second(field string, t time.Time) {
	if t.IsZero() {
		w.bcd(field, 7, 0)
		return
	}
	b := t.UTC().Add(beijing)
	if b.Year() < firstYear || b.Year() > 9999 || b.Nanosecond() != 0 {
		w.fail(field, "%s; want a whole second", t.Format(time.RFC3339Nano))
		return
	}
	w.bcd(field, 2, uint64(b.Year()))
	for _, v := range []int{int(b.Month()), b.Day(), b.Hour(), b.Minute(), b.Second()} {
		w.bcd(field, 1, uint64(v))
	}
}
