package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// clockSlack is how far the clocks of a partner's terminal and of our meter may be
// apart before one of them contradicts the other.
const clockSlack = 24 * time.Hour

// The reasons for a refusal that say nothing more; docs/clearing-files.md lists all.
const (
	noMeter      = "the meter number is not in our register"
	noCard       = "the card is not in our books"
	otherMeter   = "the card is of another meter"
	noVolume     = "the meter's purse counts volume, and none is given"
	loadedBefore = "purchase number was loaded before"
	soldBefore   = "purchase number was sold before"
	otherLoad    = "the meter loaded another amount"
	noPurchase   = "the purchase that is given back was not sent before"
	refusedSale  = "the purchase that is given back was refused"
	otherSale    = "another purchase, card or amount than that of the order"
	givenBack    = "the purchase was given back before"
	loadedSale   = "the meter has loaded the purchase"
)

// judge matches the details with our books as they are: what we sold, what the
// meters loaded, and what of this partner we accepted before. imported is the import
// whose rows are the details themselves, 0 while there is none.
func (r *receipt) judge(ctx context.Context, tx bun.Tx, imported int64) (clearing.Answer, error) {
	details := r.file.Details
	places, err := resolve(ctx, tx, wantedOfSales(details, nil)) // a card of others has a reason of its own
	if err != nil {
		return clearing.Answer{}, err
	}
	j := judge{tx: tx, file: &r.file, imported: imported, home: r.file.To, live: make(map[liveKey]int), taken: make(map[string]*ledger.Sale), refused: make(map[string]bool),
		back: make(map[string]bool)}
	a := clearing.Answer{Key: r.file.Key, Utility: r.file.Utility, Results: make([]clearing.Result, len(details))}
	for _, n := range inTime(details) {
		d := &details[n]
		reason, err := j.detail(ctx, d, places[n])
		if err != nil {
			return a, fmt.Errorf("order %s: %w", d.Order, err)
		}
		a.Results[n] = clearing.Result{Order: d.Order, Amount: d.Amount, Reason: reason, At: r.at}
	}
	return a, nil
}

// inTime returns the details' indexes in the order of their moments: what was given
// back may be sold again.
func inTime(details []ledger.Sale) []int {
	order := make([]int, len(details))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return details[a].At.Compare(details[b].At) })
	return order
}

// liveKey names a purchase of an installation.
type liveKey struct {
	found
	purchase schemas.PurchaseRef
}

// judge answers details one after the other, and remembers those of this file.
type judge struct {
	tx       bun.Tx
	file     *clearing.File
	imported int64
	home     schemas.IssuerID
	live     map[liveKey]int         // accepted purchases less what was given back
	taken    map[string]*ledger.Sale // accepted purchases by order
	refused  map[string]bool         // refused purchases by order
	back     map[string]bool         // orders whose purchase was given back
}

// detail returns why a detail is refused, nothing where it is accepted.
func (j *judge) detail(ctx context.Context, d *ledger.Sale, at found) (string, error) {
	back := d.Kind != ledger.Purchase
	for _, rule := range []func(context.Context, *ledger.Sale, found) (string, error){j.meter, j.card, j.purchase} {
		if reason, err := rule(ctx, d, at); reason != "" || err != nil {
			j.refused[d.Order] = !back
			return reason, err
		}
	}
	key := liveKey{at, d.Purchase}
	if back {
		j.live[key]--
		j.back[d.Undoes] = true
		return "", nil
	}
	j.live[key]++
	j.taken[d.Order] = d
	return "", nil
}

// meter wants the installation to stand at the moment of the sale, and a volume for
// a purse that counts it.
func (j *judge) meter(ctx context.Context, d *ledger.Sale, at found) (string, error) {
	if at.place == 0 {
		return noMeter, nil
	}
	var purse string
	var from, to int64
	err := j.tx.NewRaw("SELECT p.purse, i.from_ms, i.to_ms FROM places AS p JOIN installations AS i ON i.place = p.id WHERE p.id = ? AND i.from_ms = ?", at.place, at.from).
		Scan(ctx, &purse, &from, &to)
	switch sold := millis(d.At); {
	case err != nil:
		return "", err
	case to != 0 && sold > to+clockSlack.Milliseconds():
		return "the meter was removed on " + moment(to).Format(time.DateOnly), nil
	case sold < from-clockSlack.Milliseconds():
		return "the meter stands only since " + moment(from).Format(time.DateOnly), nil
	case schemas.CreditUnit(purse) != schemas.CreditFen && d.Volume == 0:
		return noVolume, nil
	}
	return "", nil
}

// card wants one that we issued and that was used for this place before, or a meter
// that has loaded the purchase: it takes no other cards.
func (j *judge) card(ctx context.Context, d *ledger.Sale, at found) (string, error) {
	var rows []struct {
		Issuer string `bun:"issuer"`
		Place  int64  `bun:"place"`
		Number string `bun:"number"`
	}
	card := string(d.Card)
	// By the issuer's index and by the place: none of them goes through all cards.
	err := j.tx.NewRaw("SELECT DISTINCT issuer, place, number FROM card_entries WHERE issuer <> '' AND issuer = ? AND card = ? "+
		"UNION SELECT DISTINCT issuer, place, number FROM card_entries WHERE issuer <> '' AND issuer < ? AND card = ? "+
		"UNION SELECT DISTINCT issuer, place, number FROM card_entries WHERE issuer <> '' AND issuer > ? AND card = ? "+
		"UNION SELECT DISTINCT issuer, place, number FROM card_entries WHERE place = ? AND card = ? AND issuer = '' "+
		"UNION SELECT DISTINCT '' AS issuer, place, number FROM sales WHERE place = ? AND card = ? AND channel NOT LIKE 'clearing-%' ORDER BY 1, 2, 3",
		string(j.home), card, string(j.home), card, string(j.home), card, at.place, card, at.place, card).Scan(ctx, &rows)
	if err != nil {
		return "", err
	}
	ours, here, stranger := false, false, ""
	for _, c := range rows {
		if c.Issuer != "" && c.Issuer != string(j.home) {
			stranger = c.Issuer
			continue
		}
		ours = true
		here = here || c.Place == at.place || c.Number == d.MeterNumber
	}
	switch {
	case stranger != "":
		return "the card was issued by " + stranger, nil
	case ours && here:
		return "", nil
	}
	loads, err := j.loads(ctx, d, at)
	switch {
	case err != nil || loads.since > 0:
		return "", err
	case ours:
		return otherMeter, nil
	}
	return noCard, nil
}

// loads are what our meter says about a purchase number.
type loads struct {
	passed int // the number, or a later one, was taken long before the sale
	since  int // it was taken since the sale
	before int // it was taken until the moment of the detail, a refund
	same   int // of since, those of the amount of the sale
}

func (j *judge) loads(ctx context.Context, d *ledger.Sale, at found) (loads, error) {
	var l loads
	sold := millis(d.At)
	early := sold - clockSlack.Milliseconds()
	// A state or a return file tells the last number that was taken; numbers of
	// tokens have no order.
	passed := "event = 'load' AND purchase = ?"
	if d.Purchase.Scheme == schemas.BySequence {
		passed = "event IN ('load', 'return', 'state') AND purchase >= ?"
	}
	const of = " FROM card_entries WHERE place = ? AND from_ms = ? AND scheme = ? AND (issuer = '' OR issuer = ?) AND "
	args := []any{at.place, at.from, string(d.Purchase.Scheme), string(j.home)}
	number := int64(d.Purchase.Number)
	if err := j.tx.NewRaw("SELECT COUNT(*)"+of+passed+" AND moment_ms < ?", append(args, number, early)...).Scan(ctx, &l.passed); err != nil {
		return l, err
	}
	var rows []struct {
		Moment int64  `bun:"moment_ms"`
		Amount int64  `bun:"amount"`
		Unit   string `bun:"amount_unit"`
	}
	err := j.tx.NewRaw("SELECT moment_ms, amount, amount_unit"+of+"event = 'load' AND purchase = ? AND moment_ms >= ? ORDER BY moment_ms", append(args, number, early)...).Scan(ctx, &rows)
	for _, e := range rows {
		l.since++
		if e.Moment <= sold {
			l.before++
		}
		if e.Amount == int64(d.Amount) && e.Unit == string(schemas.CreditFen) || e.Amount == d.Volume && e.Unit != string(schemas.CreditFen) {
			l.same++
		}
	}
	return l, err
}

// purchase wants a number that is neither sold nor loaded yet, or to be given back
// what was accepted and not loaded.
func (j *judge) purchase(ctx context.Context, d *ledger.Sale, at found) (string, error) {
	live, err := j.alive(ctx, d, at)
	if err != nil {
		return "", err
	}
	l, err := j.loads(ctx, d, at)
	switch {
	case err != nil:
		return "", err
	case d.Kind != ledger.Purchase:
		return j.giveBack(ctx, d, at, live, l)
	case l.passed > 0:
		return loadedBefore, nil
	case live > 0:
		return soldBefore, nil
	case l.since > 0 && l.same == 0 && !j.undoneHere(d.Order):
		return otherLoad, nil
	}
	return "", nil
}

// undoneHere reports whether a later detail of the file gives an order back: then
// what the meter loaded is a later purchase of the same number.
func (j *judge) undoneHere(order string) bool {
	return slices.ContainsFunc(j.file.Details, func(d ledger.Sale) bool { return d.Undoes == order })
}

// counts leaves out rows that were refused, and those of this very file.
const counts = "s.import_id <> ? AND NOT EXISTS (SELECT 1 FROM clearing_refused AS r WHERE r.channel = s.channel AND r.order_no = s.order_no)"

// notOurs are rows about cards of others: two cities may have given one number to a
// meter each, and then they stand beside those of ours.
const notOurs = "(EXISTS (SELECT 1 FROM card_entries AS e WHERE e.issuer <> '' AND e.issuer < ? AND e.card = s.card) OR " +
	"EXISTS (SELECT 1 FROM card_entries AS e WHERE e.issuer <> '' AND e.issuer > ? AND e.card = s.card))"

// alive counts the purchases of a number that were sold, by us or by anybody, less
// those that were given back.
func (j *judge) alive(ctx context.Context, d *ledger.Sale, at found) (int, error) {
	var sold, back int
	err := j.tx.NewRaw("SELECT COUNT(CASE WHEN s.kind = 'purchase' THEN 1 END), COUNT(CASE WHEN s.kind IN ('refund', 'reversal') THEN 1 END) FROM sales AS s "+
		"WHERE s.place = ? AND s.purchase = ? AND s.from_ms = ? AND s.scheme = ? AND "+counts+" AND NOT "+notOurs,
		at.place, int64(d.Purchase.Number), at.from, string(d.Purchase.Scheme), j.imported, string(j.home), string(j.home)).Scan(ctx, &sold, &back)
	return sold - back + j.live[liveKey{at, d.Purchase}], err
}

// giveBack answers a refund or reversal.
func (j *judge) giveBack(ctx context.Context, d *ledger.Sale, at found, live int, l loads) (string, error) {
	sold, refused, err := j.undone(ctx, d.Undoes)
	if err != nil {
		return "", err
	}
	switch {
	case refused:
		return refusedSale, nil
	case sold == nil:
		return noPurchase, nil
	case sold.Amount != d.Amount || sold.Volume != d.Volume || sold.Card != d.Card || sold.MeterNumber != d.MeterNumber || sold.Purchase != d.Purchase:
		return otherSale, nil
	}
	again, err := j.givenBack(ctx, d, at)
	switch {
	case err != nil:
		return "", err
	case again:
		return givenBack, nil
	case l.passed+l.before > 0 && live <= 1:
		return loadedSale, nil
	}
	return "", nil
}

// undone returns the purchase of an order that this partner sent, nil without one,
// and whether it was refused.
func (j *judge) undone(ctx context.Context, order string) (sold *ledger.Sale, refused bool, err error) {
	if j.refused[order] {
		return nil, true, nil
	}
	if sold := j.taken[order]; sold != nil {
		return sold, false, nil
	}
	// What was refused stands among the sales only where somebody had imported the file.
	err = j.tx.NewRaw("SELECT EXISTS (SELECT 1 FROM clearing_refused WHERE channel = ? AND order_no = ?)", j.file.Channel(), order).Scan(ctx, &refused)
	if err != nil || refused {
		return nil, refused, err
	}
	var row saleRow
	err = j.tx.NewRaw("SELECT s.* FROM sales AS s WHERE s.channel = ? AND s.order_no = ? AND s.kind = 'purchase' AND s.import_id <> ? ORDER BY s.id LIMIT 1",
		j.file.Channel(), order, j.imported).Scan(ctx, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	before := row.sale("")
	return &before, false, err
}

// givenBack reports whether another detail that was accepted gave the same order
// back.
func (j *judge) givenBack(ctx context.Context, d *ledger.Sale, at found) (again bool, err error) {
	if j.back[d.Undoes] {
		return true, nil
	}
	err = j.tx.NewRaw("SELECT EXISTS (SELECT 1 FROM sales AS s WHERE s.place = ? AND s.purchase = ? AND s.channel = ? AND s.undoes = ? AND s.kind IN ('refund', 'reversal') AND "+counts+")",
		at.place, int64(d.Purchase.Number), j.file.Channel(), d.Undoes, j.imported).Scan(ctx, &again)
	return again, err
}
