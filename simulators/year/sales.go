package year

import (
	"fmt"
	"strconv"
	"time"

	"citygrid/schemas"
)

// Channel is where money is taken. Its accounting day ends at CutOff.
type Channel struct {
	Name   string
	CutOff time.Duration
	Online bool
}

// Channels returns the channels of the city.
func Channels() []Channel {
	return []Channel{{"cash", 24 * time.Hour, false}, {"pos", 24 * time.Hour, false}, {"bank", 23 * time.Hour, false},
		{"wechat", 24 * time.Hour, true}, {"alipay", 23 * time.Hour, true}}
}

// cutOff returns the cut-off of a channel in seconds.
func (w *World) cutOff(channel string) int64 {
	if channel == "bank" || channel == "alipay" {
		return 23 * hour
	}
	return 24 * hour
}

func isOnline(channel string) bool { return channel == "wechat" || channel == "alipay" }

// deal is one purchase, sold or to be sold.
type deal struct {
	channel, order string
	n              uint32
	fen            int64
	credit         int64 // in the unit of the purse
	at             int64
	day            int32
	card           schemas.CardID
}

// volume returns what a row's Volume holds.
func (l *life) volume(d deal) int64 {
	if l.m.volume {
		return d.credit
	}
	return 0
}

// offer draws a purchase at t without writing anything.
func (l *life) offer(t int64) deal {
	l.statesUntil(t)
	d := deal{channel: l.channelAt(t), n: l.next, at: t, card: l.card}
	if l.exact {
		d.channel = []string{"cash", "pos", "bank"}[l.dice.span(0, 2)]
	}
	d.day = l.w.dayOf(t, l.w.cutOff(d.channel))
	d.order = l.newOrder(d.channel, d.day)
	l.priceOf(&d, l.dice.span(30, 70))
	return d
}

// priceOf sizes a purchase for some days. What it costs is exact: purses of
// volume are sold in cubic metres and tens of kilowatt-hours.
func (l *life) priceOf(d *deal, days int64) {
	need := days * l.m.costs(max(d.at, l.m.at))
	need -= min(l.m.show(max(d.at, l.m.at), 0).net, need*2/3)
	if !l.m.volume {
		d.fen = max(2_000, (need+999)/1_000*1_000)
		d.credit = d.fen
		return
	}
	lot := int64(1_000)
	if l.Utility == schemas.Power {
		lot = 10_000
	}
	d.credit = max(2*lot, (need+lot-1)/lot*lot)
	d.fen = d.credit * l.salePrice(d.at) / perFen
}

// salePrice is the price of the plan at a counter at t.
func (l *life) salePrice(t int64) int64 {
	price := int64(0)
	for _, s := range l.m.plan.Sets {
		if s.From.Unix() <= t {
			price = s.Steps[0].Price
		}
	}
	return price
}

// channelAt draws a channel that is open at t.
func (l *life) channelAt(t int64) string {
	in := t - l.dayStart(t)
	online := []string{"wechat", "alipay"}[l.dice.span(0, 1)]
	if in < 9*hour || in > 18*hour || l.dice.chance(400) {
		if l.dice.chance(100) {
			return "bank" // a machine in the wall
		}
		return online
	}
	return []string{"cash", "pos", "bank"}[l.dice.span(0, 2)]
}

// newOrder numbers a sale: letter of the channel, day, place, count.
func (l *life) newOrder(channel string, d int32) string {
	l.orders++
	at := time.Unix(int64(d)*day, 0).UTC()
	b := make([]byte, 0, 24)
	b = append(b, channel[0]-'a'+'A')
	b = at.AppendFormat(b, "20060102")
	b = appendPadded(b, int64(l.Index), 7)
	b = appendPadded(b, int64(l.orders), 4)
	return string(b)
}

// appendPadded appends n in width digits.
func appendPadded(b []byte, n int64, width int) []byte {
	s := strconv.FormatInt(n, 10)
	for range width - len(s) {
		b = append(b, '0')
	}
	return append(b, s...)
}

// sell is a whole sale: offered, paid, written on the card and in the books.
func (l *life) sell(t int64) deal {
	d := l.offer(t)
	l.next++
	l.sold(d)
	l.paid(d.channel, d.order, d.fen, d.at, false)
	return d
}

// sold writes the row and the card's entry of a sale.
func (l *life) sold(d deal) {
	l.cardWritten(schemas.CardSale, d, d.at-30)
	l.row(Purchase, d, "")
}

// row writes a row of the ledger of sales.
func (l *life) row(kind Kind, d deal, undoes string) *Sale {
	in := l.Installations[l.inst]
	l.Sales = append(l.Sales, Sale{
		Channel: d.channel, Order: d.order, Kind: kind, Utility: l.Utility, Meter: l.Meter, From: in.From,
		MeterNumber: in.MeterNumber, Customer: in.Customer, Card: l.card, Purchase: d.n,
		Amount: schemas.Fen(d.fen), Volume: l.volume(d), Undoes: undoes, Day: d.day, At: utc(d.at),
		Operator: operator(d.channel, l.Index), Terminal: l.terminal(d.channel),
	})
	return &l.Sales[len(l.Sales)-1]
}

func operator(channel string, place int) string {
	if isOnline(channel) {
		return "online"
	}
	return []string{"zhang", "li", "wang", "zhao"}[place%4]
}

func (l *life) terminal(channel string) string {
	switch {
	case isOnline(channel):
		return "kiosk-7"
	case channel == "bank":
		return "bank-3"
	default:
		return []string{"counter-1", "counter-2", "counter-3"}[l.Index%3]
	}
}

// paid writes a payment. The channel's clock is up to forty seconds off the
// seller's, and now and then it settles a day late.
func (l *life) paid(channel, order string, fen, at int64, refund bool) *Payment {
	day := l.w.dayOf(at, l.w.cutOff(channel))
	if !l.exact {
		settled := at + l.dice.span(-40, 40)
		own := l.w.dayOf(settled, l.w.cutOff(channel))
		if own == day && l.dice.chance(15) {
			own++
		}
		at, day = settled, own
	}
	reference := fmt.Sprintf("%c%012x", channel[0]-'a'+'A', mix(uint64(at), uint64(l.Index)*64+uint64(l.orders))>>16)
	l.Payments = append(l.Payments, Payment{Channel: channel, Order: order, Reference: reference,
		Utility: l.Utility, Refund: refund, Amount: schemas.Fen(fen), Day: day, At: utc(at)})
	return &l.Payments[len(l.Payments)-1]
}

// giveBack undoes a purchase properly: taken off the card and read back, the
// number free again, the money returned.
func (l *life) giveBack(d deal, at int64, kind Kind, channel string) deal {
	r := l.undone(d, at, kind, channel)
	l.paid(r.channel, r.order, r.fen, at, true)
	l.cleared(d, at-40, channel)
	l.next = d.n
	return r
}

// undone writes the row that undoes a purchase, and nothing else.
func (l *life) undone(d deal, at int64, kind Kind, channel string) deal {
	r := d
	r.channel, r.at = channel, at
	r.day = l.w.dayOf(at, l.w.cutOff(channel))
	r.order = l.newOrder(channel, r.day)
	undoes := d.order
	if channel != d.channel {
		undoes = d.channel + "/" + d.order
	}
	l.row(kind, r, undoes)
	return r
}

// cleared is the terminal's entry that the purchase is off the card.
func (l *life) cleared(d deal, at int64, channel string) {
	d.channel = channel
	l.cardWritten(schemas.CardClear, d, at)
}

// cardWritten is an entry of a terminal that wrote a purchase on the card, or took one off.
func (l *life) cardWritten(event schemas.CardEvent, d deal, at int64) {
	e := l.atTerminal(event, at, d.channel)
	e.Purchase, e.Amount = bySequence(d.n), schemas.Credit{Value: d.credit, Unit: l.unit}
	l.add(e, at)
}

// bySequence names a purchase; 0 names none.
func bySequence(n uint32) schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}

// atTerminal begins an entry of a card reader.
func (l *life) atTerminal(event schemas.CardEvent, at int64, channel string) schemas.CardEntry {
	in := l.Installations[l.inst]
	return schemas.CardEntry{Event: event, Source: schemas.FromReader, Utility: l.Utility, Meter: l.Meter, InstalledAt: in.From,
		MeterNumber: in.MeterNumber, Issuer: l.issuer, Card: l.card, Customer: in.Customer, Terminal: l.terminal(channel), TakenAt: utc(at)}
}

// add files an entry taken at t and returns it; it is valid until the next.
func (l *life) add(e schemas.CardEntry, t int64) *Entry {
	l.Entries = append(l.Entries, Entry{CardEntry: e, Day: l.w.entryDay(t)})
	return &l.Entries[len(l.Entries)-1]
}
