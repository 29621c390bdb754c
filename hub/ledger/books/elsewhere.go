package books

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// elsewhere reports whether an issuer is of another city; one that is not known is
// none, and nor is any while we do not know who we are.
func (b *Books) elsewhere(id schemas.IssuerID) bool {
	return id != "" && b.o.Issuer != "" && id.City() != b.o.Issuer.City()
}

// wantedOf is what entries say about their meters. One that names a place of ours is
// of that place, whatever card was put in: no other city knows our places.
func (b *Books) wantedOf(entries []schemas.CardEntry) []wanted {
	out := make([]wanted, len(entries))
	for n := range entries {
		e := &entries[n]
		out[n] = wanted{utility: e.Utility, meter: e.Meter, number: e.MeterNumber, installed: e.InstalledAt, moment: moment(momentOf(e)),
			elsewhere: e.Meter == "" && b.elsewhere(e.Issuer)}
	}
	return out
}

// wantedOfSales is the same of rows. A row does not say who issued its card: the
// cards of others are those that entries have named.
func wantedOfSales(sales []ledger.Sale, others map[schemas.CardID]bool) []wanted {
	out := make([]wanted, len(sales))
	for n := range sales {
		s := &sales[n]
		out[n] = wanted{utility: s.Utility, meter: s.Meter, number: s.MeterNumber, installed: s.From, moment: s.At,
			elsewhere: s.Meter == "" && others[s.Card]}
	}
	return out
}

// cardsOfOthers returns the cards that entries have named as of another city.
func (b *Books) cardsOfOthers(ctx context.Context, db bun.IDB) (map[schemas.CardID]bool, error) {
	if b.o.Issuer == "" {
		return nil, nil
	}
	out := make(map[schemas.CardID]bool)
	for _, of := range foreignIssuers(b.o.Issuer) {
		var cards []string
		if err := db.NewRaw("SELECT DISTINCT card FROM card_entries WHERE issuer <> '' AND issuer > ? AND issuer < ? AND card <> ''", of.above, of.below).Scan(ctx, &cards); err != nil {
			return nil, err
		}
		for _, c := range cards {
			out[schemas.CardID(c)] = true
		}
	}
	return out, nil
}

// waiting is the condition on rows of sales or card_entries that wait for the
// register: those without a place, but for what concerns cards of other cities, which
// goes into clearing files and is held there with a reason.
func (b *Books) waiting(table string) string {
	if b.o.Issuer == "" {
		return "place = 0"
	}
	city := b.o.Issuer.City() // four digits
	if table == "card_entries" {
		return fmt.Sprintf("place = 0 AND NOT (meter = '' AND issuer <> '' AND (issuer < '%s0000' OR issuer > '%s9999'))", city, city)
	}
	const cards = "SELECT card FROM card_entries WHERE issuer <> '' AND card <> '' AND issuer "
	return fmt.Sprintf("place = 0 AND NOT (meter = '' AND card <> '' AND card IN (%s < '%s0000' UNION ALL %s > '%s9999'))", cards, city, cards, city)
}

// unplaceOthers takes rows off our meters of which an entry that came after them has
// said that the card is of another city. Rows that runs have taken stay: a decision
// ends what they differ in.
func (b *Books) unplaceOthers(ctx context.Context, base *RunSummary) error {
	others, err := b.cardsOfOthers(ctx, b.read)
	if err != nil || len(others) == 0 {
		return err
	}
	return b.change(ctx, func(tx bun.Tx) error {
		// The counter first: rows that are placed meanwhile would be taken off as well.
		if _, err := take(ctx, tx, "sale", 0); err != nil {
			return err
		}
		for _, of := range foreignIssuers(b.o.Issuer) {
			_, err := tx.ExecContext(ctx, "UPDATE sales SET placed = 0, place = 0, from_ms = 0 WHERE place <> 0 AND meter = '' AND (placed > ? OR day > ?) AND card IN "+
				"(SELECT card FROM card_entries WHERE issuer <> '' AND issuer > ? AND issuer < ? AND card <> '')",
				base.Upto.Sale, int64((&reading{base: *base}).baseDay()), of.above, of.below)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
