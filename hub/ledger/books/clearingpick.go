package books

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// clearable is what Split is given: all that has to do with cards of other cities
// and was in no file before, and what of our own could be taken for it.
type clearable struct {
	sales   []ledger.Sale
	entries []schemas.CardEntry
	seen    map[told]bool // entries
}

// due leaves out held entries of later days than upto: their rows were not looked
// at.
func (c *clearable) due(held []clearing.Held, calendar ledger.Calendar, upto ledger.Day) []clearing.Held {
	return slices.DeleteFunc(held, func(h clearing.Held) bool { return h.Entry != nil && calendar.DayOf(h.Entry.TakenAt) > upto })
}

// unsent and unproven leave out what was in a file before; salesOfCards are the rows
// about cards of some issuers. The words of the conditions are those of the indexes.
const (
	unsent = "x.kind IN ('purchase', 'refund', 'reversal') AND x.channel NOT LIKE 'clearing-%' AND NOT EXISTS (SELECT 1 FROM clearing_proofs AS p WHERE p.sale = x.id)"

	salesOfCards = "sales AS x JOIN (SELECT DISTINCT card FROM card_entries WHERE issuer <> '' AND issuer > ? AND issuer < ? AND card <> '') AS c " +
		"ON c.card = x.card WHERE x.place = 0 AND x.card <> '' AND x.day <= ?"

	unproven = "x.event IN ('sale', 'clear') AND NOT EXISTS (SELECT 1 FROM clearing_proofs AS p WHERE p.number = x.number AND p.purchase = x.purchase AND p.card = x.card " +
		"AND p.event = x.event AND p.moment_ms = x.moment_ms AND p.amount = x.amount AND p.amount_unit = x.amount_unit AND p.utility = x.utility AND p.scheme = x.scheme)"
)

// clearable picks rows and entries by the meter numbers of other cities' cards.
// Two cities may have given one number to a meter each: rows and entries of our own
// under such a number come along, so that Split sees what belongs to what.
func (b *Books) clearable(ctx context.Context, tx bun.Tx, home schemas.IssuerID, upto ledger.Day) (*clearable, error) {
	c := &clearable{seen: make(map[told]bool)}
	numbers := make(map[string]bool)
	for _, of := range foreignIssuers(home) {
		if err := c.marks(ctx, tx, of); err != nil {
			return nil, err
		}
		if err := numbersOf(ctx, tx, of, upto, numbers); err != nil {
			return nil, err
		}
		if err := c.nameless(ctx, tx, of, upto); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(numbers)), chunk) {
		if err := c.ofNumbers(ctx, tx, part, upto); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// issuers lie between two texts, both left out.
type issuers struct{ above, below string }

// foreignIssuers returns those of other cities: an issuer begins with its city.
func foreignIssuers(home schemas.IssuerID) []issuers {
	return []issuers{{"", home.City() + "0000"}, {home.City() + "9999", "999999999"}}
}

// marks tells Split which cards are of other cities, also those of which each entry
// was in a file before.
func (c *clearable) marks(ctx context.Context, tx bun.Tx, of issuers) error {
	var rows []struct {
		Issuer string `bun:"issuer"`
		Card   string `bun:"card"`
	}
	err := tx.NewRaw("SELECT DISTINCT issuer, card FROM card_entries WHERE issuer <> '' AND issuer > ? AND issuer < ? AND card <> '' ORDER BY issuer, card",
		of.above, of.below).Scan(ctx, &rows)
	for _, r := range rows {
		c.entries = append(c.entries, schemas.CardEntry{Event: schemas.CardState, Issuer: schemas.IssuerID(r.Issuer), Card: schemas.CardID(r.Card)})
	}
	return err
}

// numbersOf adds the meter numbers under which something is to be cleared: those of
// unproven entries, and those of rows about the same cards.
func numbersOf(ctx context.Context, tx bun.Tx, of issuers, upto ledger.Day, numbers map[string]bool) error {
	var list []string
	err := tx.NewRaw("SELECT DISTINCT x.number FROM card_entries AS x WHERE x.issuer <> '' AND x.issuer > ? AND x.issuer < ? AND x.number <> '' AND "+unproven,
		of.above, of.below).Scan(ctx, &list)
	if err != nil {
		return err
	}
	var more []string
	err = tx.NewRaw("SELECT DISTINCT x.number FROM "+salesOfCards+" AND x.number <> '' AND "+unsent, of.above, of.below, int64(upto)).Scan(ctx, &more)
	for _, n := range append(list, more...) {
		numbers[n] = true
	}
	return err
}

// nameless adds the rows about cards of other cities that name no meter number:
// they cannot be cleared, and somebody has to see that.
func (c *clearable) nameless(ctx context.Context, tx bun.Tx, of issuers, upto ledger.Day) error {
	var sales []saleRow
	err := tx.NewRaw("SELECT x.* FROM "+salesOfCards+" AND x.number = '' AND "+unsent+" ORDER BY x.id", of.above, of.below, int64(upto)).Scan(ctx, &sales)
	for n := range sales {
		c.sales = append(c.sales, sales[n].sale(""))
	}
	return err
}

// ofNumbers adds rows and entries of meter numbers: those without a place, and those
// of our own meters with such a number.
func (c *clearable) ofNumbers(ctx context.Context, tx bun.Tx, numbers []string, upto ledger.Day) error {
	in := bun.List(numbers)
	for _, where := range []schema.QueryWithArgs{
		bun.SafeQuery("x.place = 0 AND x.number IN (?)", in),
		bun.SafeQuery("x.place <> 0 AND x.place IN (SELECT i.place FROM installations AS i WHERE i.number IN (?)) AND x.number IN (?)", in, in),
	} {
		var sales []saleRow
		if err := tx.NewRaw("SELECT x.* FROM sales AS x WHERE ? AND x.day <= ? AND "+unsent+" ORDER BY x.id", where, int64(upto)).Scan(ctx, &sales); err != nil {
			return err
		}
		for n := range sales {
			c.sales = append(c.sales, sales[n].sale(""))
		}
		// A clock that is off, or a cut-off between both, may put the entry a day later.
		var entries []entryRow
		if err := tx.NewRaw("SELECT x.* FROM card_entries AS x WHERE ? AND x.day <= ? AND "+unproven+" ORDER BY x.id", where, int64(upto)+1).Scan(ctx, &entries); err != nil {
			return err
		}
		c.tell(entries)
	}
	return nil
}

// tell adds entries, of those that tell the same one.
func (c *clearable) tell(entries []entryRow) {
	for n := range entries {
		e := entries[n].entry(schemas.MeterID(entries[n].Meter)).CardEntry
		if key := toldBy(&e); !c.seen[key] {
			c.seen[key] = true
			c.entries = append(c.entries, e)
		}
	}
}

// told is what an entry tells that proves a row. Two entries that differ in nothing
// else prove one.
type told struct {
	event    schemas.CardEvent
	utility  schemas.Medium
	number   string
	card     schemas.CardID
	purchase schemas.PurchaseRef
	amount   schemas.Credit
	moment   int64
}

func toldBy(e *schemas.CardEntry) told {
	return told{e.Event, e.Utility, e.MeterNumber, e.Card, e.Purchase, e.Amount, momentOf(e)}
}
