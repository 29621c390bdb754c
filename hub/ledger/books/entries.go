package books

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/internal/gm"
	"citygrid/schemas"
)

const entryColumns = "id, utility, day, place, from_ms, event, source, meter, number, issuer, card, replaces, customer, scheme, purchase, " +
	"amount, amount_unit, residual, residual_unit, overdraft, overdraft_unit, bought, bought_unit, used, used_unit, " +
	"counters, fault, terminal, moment_ms, taken_ms, recorded_ms, installed_ms, collector, stored_ms, print, modulus"

// StoreCards stores what collector sealed: durable when it returns. An entry whose
// installation the register does not know is kept aside and listed
// (UnresolvedEntries) until the register does, and so is one whose purchase count
// begins anew and may mean several purchases. A fact that the books have already,
// from this or another collector, is passed over, so that the same batch may come
// any number of times. An entry that is not well formed is an *InvalidError, and
// then nothing of the batch is stored.
func (b *Books) StoreCards(ctx context.Context, collector schemas.CollectorID, entries []schemas.CardEntry) error {
	if len(entries) == 0 {
		return nil
	}
	for n := range entries {
		if err := entries[n].Validate(); err != nil {
			return &InvalidError{Collector: collector, Index: n, Err: err}
		}
	}
	err := b.change(ctx, func(tx bun.Tx) error { return b.storeEntries(ctx, tx, collector, entries) })
	if errors.Is(err, errNothing) {
		return nil
	}
	return explain(fmt.Sprintf("store card entries of %s", collector), err)
}

// InvalidError says that a batch of card entries can never be stored.
type InvalidError struct {
	Collector schemas.CollectorID
	Index     int // of the first entry that is not well formed
	Err       error
}

// Error says which entry and why.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("store card entries of %s: entries[%d]: %v", e.Collector, e.Index, e.Err)
}

// Unwrap returns what is wrong with the entry.
func (e *InvalidError) Unwrap() error { return e.Err }

// Permanent reports that trying again cannot help.
func (e *InvalidError) Permanent() bool { return true }

// errNothing undoes a transaction that has turned out to change nothing but a
// counter.
var errNothing = errors.New("nothing new")

func (b *Books) storeEntries(ctx context.Context, tx bun.Tx, collector schemas.CollectorID, entries []schemas.CardEntry) error {
	// The counter first: whoever holds it is the only one who stores entries.
	id, err := take(ctx, tx, "entry", len(entries))
	if err != nil {
		return err
	}
	places, err := resolve(ctx, tx, b.wantedOf(entries))
	if err != nil {
		return err
	}
	into := b.db.Bulk(tx, "card_entries", entryColumns, "ON CONFLICT (place, moment_ms, print) DO NOTHING")
	stored := b.o.Now().UnixMilli()
	lift := newLifter(tx)
	for n := range entries {
		e := &entries[n]
		var number uint32
		var at found
		if number, at, err = lift.place(ctx, e, b.dayOf(e), places[n]); err != nil {
			break
		}
		if err = into.Add(ctx, b.entryValues(id+int64(n), e, number, at, collector, stored)...); err != nil {
			break
		}
	}
	if err = into.End(ctx, err); err == nil && into.Writes == 0 {
		return errNothing
	}
	return err
}

// dayOf is the accounting day of e.
func (b *Books) dayOf(e *schemas.CardEntry) ledger.Day { return b.o.Rules.Calendar.DayOf(e.TakenAt) }

// momentOf is ledger.Entry.Moment in milliseconds.
func momentOf(e *schemas.CardEntry) int64 {
	if e.RecordedAt.IsZero() {
		return millis(e.TakenAt)
	}
	return millis(e.RecordedAt)
}

// fingerprint is the start of the SM3 digest of what e tells, beside the place and
// the moment. Who told it, by which way and when it was asked do not belong to it:
// a purchase record that is read every day is one fact. An installation that is
// not known is stood for by what the entry says about the meter.
func fingerprint(e *schemas.CardEntry, at found) int64 {
	var buf [256]byte
	t := buf[:0]
	text := func(s string) { t = append(append(t, s...), 0) }
	number := func(n int64) { t = binary.BigEndian.AppendUint64(t, uint64(n)) }
	text(string(e.Event))
	if e.Event == schemas.CardReturn {
		// Its moment is when the meter wrote it; each time that a card shows it, the
		// meter is known to stand.
		number(millis(e.TakenAt))
	}
	number(at.from)
	if at.place == 0 {
		text(string(e.Utility))
		text(string(e.Meter))
		text(e.MeterNumber)
		number(millis(e.InstalledAt))
	}
	text(string(e.Card))
	text(string(e.Replaces))
	text(string(e.Purchase.Scheme))
	number(int64(e.Purchase.Number))
	for _, c := range [...]schemas.Credit{e.Amount, e.Residual, e.Overdraft, e.Bought, e.Used} {
		text(string(c.Unit))
		number(c.Value)
	}
	number(int64(e.Fault))
	text(countersText(e.Counters))
	if e.PurchaseModulus != 0 {
		// The count as it was told: what it means is found from the rest of the books.
		number(int64(e.PurchaseModulus))
	}
	sum := gm.SumSM3(t)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func countersText(c map[schemas.CardCounter]uint32) string {
	if len(c) == 0 {
		return ""
	}
	words := make([]string, 0, len(c))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		words = append(words, fmt.Sprintf("%s=%d", name, c[name]))
	}
	return strings.Join(words, " ")
}

// entryValues is the row of e, with the number of its purchase where it has a place.
func (b *Books) entryValues(id int64, e *schemas.CardEntry, purchase uint32, at found, collector schemas.CollectorID, stored int64) []any {
	return []any{id, string(e.Utility), int64(b.dayOf(e)), at.place, at.from, string(e.Event), string(e.Source),
		string(e.Meter), e.MeterNumber, string(e.Issuer), string(e.Card), string(e.Replaces), string(e.Customer),
		string(e.Purchase.Scheme), int64(purchase),
		e.Amount.Value, string(e.Amount.Unit), e.Residual.Value, string(e.Residual.Unit), e.Overdraft.Value, string(e.Overdraft.Unit),
		e.Bought.Value, string(e.Bought.Unit), e.Used.Value, string(e.Used.Unit),
		countersText(e.Counters), int64(e.Fault), e.Terminal, momentOf(e), millis(e.TakenAt), millis(e.RecordedAt), millis(e.InstalledAt),
		string(collector), stored, fingerprint(e, at), int64(e.PurchaseModulus)}
}
