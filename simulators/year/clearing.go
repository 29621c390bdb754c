package year

import (
	"fmt"
	"iter"

	"citygrid/schemas"
)

// homeIssuer issues the cards of the city.
const homeIssuer schemas.IssuerID = "11010001"

// Issuers returns the issuer of the city and those of its neighbours.
func Issuers() []schemas.IssuerID { return []schemas.IssuerID{homeIssuer, "12010001", "13010002"} }

// Clearing returns what terminals of the city sold on cards of neighbours, by
// day: one sale for a hundred places and week, about. None of it is in a ledger
// of the city.
func (w *World) Clearing() iter.Seq[Clearing] {
	return func(yield func(Clearing) bool) {
		for d := range w.opt.Days {
			dice := dice(mix(w.opt.Seed, uint64(d)+1<<50))
			for k := range dice.span(0, int64(w.opt.Places)/350+1) {
				if !yield(w.foreign(&dice, d, k)) {
					return
				}
			}
		}
	}
}

func (w *World) foreign(dice *dice, d int, k int64) Clearing {
	at := w.dayStart(d) + dice.span(9*hour, 17*hour)
	day := w.dayOf(at, 24*hour)
	c := Clearing{Issuer: Issuers()[dice.span(1, 2)], Utility: homeOf(int(dice.span(0, 9))).utility, Channel: "cash",
		Card: schemas.CardID(fmt.Sprintf("B7%014X", dice.span(0, 1<<40))), MeterNumber: fmt.Sprintf("9%011d", dice.span(0, 99_999_999_999)),
		Order: fmt.Sprintf("F%s%06d", dayDigits(day), k), Amount: schemas.Fen(dice.span(2, 40) * 1_000), Day: day, At: utc(at)}
	c.Entry = schemas.CardEntry{Event: schemas.CardSale, Source: schemas.FromReader, Utility: c.Utility, MeterNumber: c.MeterNumber,
		Issuer: c.Issuer, Card: c.Card, Purchase: bySequence(uint32(dice.span(1, 60))),
		Amount: schemas.Credit{Value: int64(c.Amount), Unit: schemas.CreditFen}, Terminal: "counter-1", TakenAt: utc(at)}
	return c
}

func dayDigits(d int32) string { s := dayName(d); return s[:4] + s[5:7] + s[8:] }
