package books

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// lifter finds the numbers of purchases that a meter counts modulo something
// (schemas.CardEntry.PurchaseModulus).
//
// The number is the smallest that the meter can mean, not below the last one that
// the books know of the installation at that moment; so it is right as long as the
// books see the meter once a round. Where a sale of the same day or before, of a
// number a round or more further on, says that a round may have gone by unseen, the
// books do not guess: the entry waits, unless it shows the same sum bought as an
// entry whose number is known. Where nothing is known of the installation yet, the
// only number that was sold is it.
type lifter struct {
	tx bun.IDB
	// seen is what this batch has told so far, before it is in the table.
	seen map[found][]sighting
}

// sighting is a purchase that a meter had taken, at a moment.
type sighting struct {
	Moment int64  `bun:"moment_ms"`
	Number int64  `bun:"purchase"`
	Bought int64  `bun:"bought"`
	Unit   string `bun:"bought_unit"`
}

func newLifter(tx bun.IDB) *lifter { return &lifter{tx: tx, seen: make(map[found][]sighting)} }

// place returns the number of the purchase of e, told of an installation on an
// accounting day, and that installation. Where several numbers fit, or none, it is
// the number as told and no installation.
func (l *lifter) place(ctx context.Context, e *schemas.CardEntry, day ledger.Day, at found) (number uint32, to found, err error) {
	number = e.Purchase.Number
	if at.place == 0 {
		return number, at, nil
	}
	if e.PurchaseModulus != 0 && number != 0 {
		lifted, ok, err := l.search(ctx, e, day, at)
		if err != nil || !ok {
			return number, found{}, err
		}
		number = lifted
	}
	if tellsCount(e) {
		l.seen[at] = append(l.seen[at], sighting{momentOf(e), int64(number), e.Bought.Value, string(e.Bought.Unit)})
	}
	return number, at, nil
}

// tellsCount reports whether e says how many purchases its meter had taken.
func tellsCount(e *schemas.CardEntry) bool {
	switch e.Event {
	case schemas.CardLoad, schemas.CardReturn, schemas.CardState:
		return e.Purchase.Scheme == schemas.BySequence
	}
	return false
}

func (l *lifter) search(ctx context.Context, e *schemas.CardEntry, day ledger.Day, at found) (uint32, bool, error) {
	k, err := l.around(ctx, at, momentOf(e))
	if err != nil {
		return 0, false, err
	}
	round := int64(e.PurchaseModulus)
	first := max(k.floor, 1)
	first += ((int64(e.Purchase.Number)-first)%round + round) % round
	if first > k.ceiling {
		return 0, false, nil
	}
	sold, err := l.sold(ctx, at, first, round, k.ceiling, day)
	if err != nil {
		return 0, false, err
	}
	switch {
	case len(sold) == 0 || len(sold) == 1 && (sold[0] == first || !k.known):
		if len(sold) == 1 {
			first = sold[0]
		}
		return uint32(first), true, nil
	case !e.Bought.Known():
		return 0, false, nil
	}
	return l.sameBought(ctx, e, at, first, round)
}

// bounds are what an installation's count was at most before a moment and at least
// after it; known is false where nothing is known before.
type bounds struct {
	floor, ceiling int64
	known          bool
}

// near is how many sightings on each side are looked at: one would do if no meter's
// clock were ever wrong.
const near = 8

// around reads the sightings on both sides of a moment.
func (l *lifter) around(ctx context.Context, at found, moment int64) (bounds, error) {
	k := bounds{ceiling: math.MaxUint32}
	const q = "SELECT moment_ms, purchase, bought, bought_unit FROM card_entries WHERE place = ? AND from_ms = ? AND scheme = 'seq' AND event IN ('load', 'return', 'state') AND "
	var before, after []sighting
	if err := l.tx.NewRaw(q+"moment_ms <= ? ORDER BY moment_ms DESC LIMIT ?", at.place, at.from, moment, near).Scan(ctx, &before); err != nil {
		return k, err
	}
	if err := l.tx.NewRaw(q+"moment_ms > ? ORDER BY moment_ms LIMIT ?", at.place, at.from, moment, near).Scan(ctx, &after); err != nil {
		return k, err
	}
	for _, list := range [][]sighting{before, after, l.seen[at]} {
		for _, s := range list {
			if s.Moment <= moment {
				k.floor, k.known = max(k.floor, s.Number), true
			} else {
				k.ceiling = min(k.ceiling, s.Number)
			}
		}
	}
	return k, nil
}

// sold returns the numbers that the entry can mean and that were sold on day or
// before: two at most, which is one too many.
func (l *lifter) sold(ctx context.Context, at found, first, round, ceiling int64, day ledger.Day) (numbers []int64, err error) {
	err = l.tx.NewRaw("SELECT DISTINCT purchase FROM sales WHERE place = ? AND from_ms = ? AND scheme = 'seq' AND purchase >= ? AND purchase <= ? "+
		"AND (purchase - ?) % ? = 0 AND day <= ? ORDER BY purchase LIMIT 2",
		at.place, at.from, first, ceiling, first, round, int64(day)).Scan(ctx, &numbers)
	return numbers, err
}

// sameBought looks for a sighting of the same sum bought, which is of the same
// purchase.
func (l *lifter) sameBought(ctx context.Context, e *schemas.CardEntry, at found, first, round int64) (uint32, bool, error) {
	for _, s := range l.seen[at] {
		if s.Bought == e.Bought.Value && s.Unit == string(e.Bought.Unit) && (s.Number-first)%round == 0 {
			return uint32(s.Number), true, nil
		}
	}
	var number int64
	err := l.tx.NewRaw("SELECT purchase FROM card_entries WHERE place = ? AND from_ms = ? AND scheme = 'seq' AND event IN ('load', 'return', 'state') "+
		"AND bought = ? AND bought_unit = ? AND purchase >= ? AND (purchase - ?) % ? = 0 LIMIT 1",
		at.place, at.from, e.Bought.Value, string(e.Bought.Unit), first, first, round).Scan(ctx, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return uint32(number), err == nil, err
}

// liftWaiting looks again at what waits for its number: sales and entries that have
// come since may tell it. The entries get new numbers of rows, as in
// placeUnresolved.
func (b *Books) liftWaiting(ctx context.Context) error {
	var waiting bool
	if err := b.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM card_entries WHERE place = 0 AND modulus > 0)").Scan(&waiting); err != nil || !waiting {
		return err
	}
	return b.change(ctx, func(tx bun.Tx) error {
		return eachPart(func(after int64) (int64, error) { return b.placeEntries(ctx, tx, after, "modulus > 0") })
	})
}
