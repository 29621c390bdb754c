package cardslot

import (
	"time"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// Entries returns what the card tells: one schemas.CardReturn for each
// application on which a meter wrote back. A purchase that waits on the card to
// be loaded is no entry, because whoever sold it has told of it. at is when the
// card was read, terminal where.
func (c *Contents) Entries(at time.Time, terminal string) []schemas.CardEntry {
	var entries []schemas.CardEntry
	for i := range c.Purses {
		p := &c.Purses[i]
		e := schemas.CardEntry{
			Event: schemas.CardReturn, Source: c.source, Utility: p.Application.Utility(),
			Issuer: c.Issuer, Card: c.Card, Terminal: terminal, TakenAt: milliseconds(at),
		}
		switch {
		case p.PowerReturn != nil:
			tellPower(&e, p.PowerReturn)
		case p.Return != nil:
			tellUtility(&e, p.Return)
		default:
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// milliseconds is t as entries carry it.
func milliseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func tellPower(e *schemas.CardEntry, r *cardfile.PowerReturn) {
	e.MeterNumber, e.Customer = r.Meter.String(), schemas.CustomerID(r.Customer.String())
	e.Purchase = bySequence(r.Count)
	e.Residual = schemas.Credit{Value: int64(r.Remaining), Unit: schemas.CreditFen}
	e.Overdraft = schemas.Credit{Value: int64(r.Overdraft), Unit: schemas.CreditFen}
	e.Counters = map[schemas.CardCounter]uint32{schemas.IllegalCards: r.Illegal}
	e.RecordedAt = schemas.Recorded(r.WrittenAt)
}

func tellUtility(e *schemas.CardEntry, r *cardfile.UtilityReturn) {
	e.MeterNumber, e.Customer = r.Meter.String(), schemas.CustomerID(r.Customer.String())
	e.Purchase = bySequence(uint32(r.Count))
	e.Residual, e.Bought, e.Used = r.Remaining, r.Bought, r.Used
	e.Counters = map[schemas.CardCounter]uint32{schemas.Pulses: r.Pulses, schemas.StatusWord: uint32(r.State)}
	e.RecordedAt = schemas.Recorded(r.WrittenAt)
}

// bySequence names purchase n of a meter; none for 0.
func bySequence(n uint32) schemas.PurchaseRef {
	if n == 0 {
		return schemas.PurchaseRef{}
	}
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}
