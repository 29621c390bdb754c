package cardslot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"citygrid/adapters/cardslot/apdu"
)

// carryOut does what r says on a card whose files are as r.Before.
func carryOut(ctx context.Context, card Card, sam SAM, journal Journal, r Record) (Sold, error) {
	if err := r.Entry().Validate(); err != nil { // once it is on the card, the ledger must hear of it
		return notWritten(r.Kind, fmt.Errorf("%s: its entry: %w", &r, err))
	}
	if err := journal.Begin(r); err != nil {
		return notWritten(r.Kind, fmt.Errorf("%s: %w", &r, err))
	}
	s := newSession(card, sam, &r)
	err := s.apply(ctx, &r, image{r.Before.Order, r.Before.Wallet})
	if err == nil {
		return commit(journal, &r)
	}
	err = fmt.Errorf("%s on card %s: %w", &r, r.Card, err)
	if s.card.touched {
		return doubtful(&r, adviseReinsert), err
	}
	if dropped := journal.Drop(r.ID, err.Error()); dropped != nil {
		return doubtful(&r, adviseReinsert), errors.Join(err, dropped)
	}
	sold, err := notWritten(r.Kind, err)
	sold.Record = r
	if errors.Is(err, apdu.ErrWrongSecret) || errors.Is(err, apdu.ErrBlocked) {
		sold.Advice += " " + adviseSAM
	}
	return sold, err
}

func doubtful(r *Record, advice string) Sold { return Sold{Doubtful, *r, advice} }

// commit ends r. If the journal fails, r stays pending and Resume commits it.
func commit(journal Journal, r *Record) (Sold, error) {
	if err := journal.Commit(r.ID); err != nil {
		return doubtful(r, adviseReinsert), fmt.Errorf("%s stands on card %s, but is not committed: %w", r, r.Card, err)
	}
	return Sold{Outcome: Committed, Record: *r}, nil
}

// Resume finishes what is pending on the card that was put in. It never does a
// thing a second time: it looks at the card's purchase number and decides.
//
//   - The card stands where the operation was to bring it: it is committed.
//   - The card stands where it was found: what is missing is written and read back.
//   - A purchase that was to be taken off has been loaded by a meter meanwhile: the
//     record is dropped (NotWritten), no money may be given back.
//   - Anything else: Doubtful, for a person to decide by Journal.Commit or Drop.
//
// For a card with nothing pending the outcome is NothingPending and the error nil.
// A card that cannot be told, or a journal that cannot be read, is NothingPending
// with an error: nothing was done. Otherwise the error is nil exactly if the
// outcome is Committed. Call Resume for every card that comes into a terminal's
// slot, before anything else is done with it; Sell, Clear and Issue refuse a card
// with something pending.
func Resume(ctx context.Context, card Card, sam SAM, journal Journal) (Sold, error) {
	c, err := identify(ctx, card)
	if err != nil {
		return Sold{Advice: adviseReinsert}, fmt.Errorf("resume: %w", err)
	}
	r, err := pendingOn(journal, c.Card)
	if err != nil {
		return Sold{Advice: adviseReinsert}, fmt.Errorf("resume: card %s: %w", c.Card, err)
	}
	if r == nil {
		return Sold{Outcome: NothingPending}, nil
	}
	// A replacement decides about what was pending on the lost card.
	if err := replaced(journal, c.Card, r.Application); err != nil {
		return doubtful(r, adviseReplacement), fmt.Errorf("resume %s: %w", r, err)
	}
	p, err := readPurse(ctx, card, r.Application, r.Amount.Unit)
	if err != nil {
		return doubtful(r, adviseReinsert), fmt.Errorf("resume %s on card %s: %w", r, c.Card, err)
	}
	switch r.standing(&p) {
	case done:
		if bytes.Equal(p.image.order, r.After.Order) {
			return commit(journal, r)
		}
		return finish(ctx, card, sam, journal, r, &p)
	case undone:
		return finish(ctx, card, sam, journal, r, &p)
	case overtaken:
		return overtake(journal, r)
	}
	return doubtful(r, adviseManual), refuse(c.Card, "carries purchase %d of %d, last loaded is %d; that fits neither before nor after %s: another terminal wrote it, or it is damaged",
		p.Wallet.Count, p.Wallet.Amount.Value, p.Returned(), r)
}

// finish writes what is missing.
func finish(ctx context.Context, card Card, sam SAM, journal Journal, r *Record, p *Purse) (Sold, error) {
	s := newSession(card, sam, r)
	want := *r
	if taken(r, p) { // a meter has emptied the wallet: that stays so
		want.After.Wallet = p.image.wallet
	}
	if err := s.apply(ctx, &want, p.image); err != nil {
		return doubtful(r, adviseReinsert), fmt.Errorf("resume %s on card %s: %w", r, r.Card, err)
	}
	return commit(journal, r)
}

// overtake ends a clearing whose purchase was loaded.
func overtake(journal Journal, r *Record) (Sold, error) {
	reason := fmt.Sprintf("the meter loaded purchase %d before it was taken off", r.Purchase)
	if err := journal.Drop(r.ID, reason); err != nil {
		return doubtful(r, adviseReinsert), fmt.Errorf("resume %s on card %s: %w", r, r.Card, err)
	}
	return Sold{NotWritten, *r, adviseKeep}, refuse(r.Card, "%s: give no money back", reason)
}

// standing is where a card stands with regard to a pending record.
type standing int

const (
	contradictory standing = iota
	undone                 // as it was found
	done                   // the wallet is as it shall be
	overtaken              // loaded before it was taken off
)

// standing compares card and record. The wallet decides; the other file must be
// one of the two known ones, or torn.
func (r *Record) standing(p *Purse) standing {
	order := p.image.order
	known := bytes.Equal(order, r.Before.Order) || bytes.Equal(order, r.After.Order) || p.Power == nil && p.Purchase == nil
	after, before := same(p, r.After.Wallet), same(p, r.Before.Wallet)
	loaded := p.Returned() >= r.Purchase
	switch {
	case !known:
		return contradictory
	case r.Kind == Clearing && after:
		return done
	case r.Kind == Clearing && (before && loaded || taken(r, p)):
		return overtaken
	case r.Kind == Clearing && before:
		return undone
	case r.Kind != Clearing && (after || taken(r, p)):
		return done
	case r.Kind != Clearing && before && (!loaded || r.Purchase == 0):
		return undone
	}
	return contradictory
}

// same reports whether the card's wallet is the given one, or the given one
// emptied by a meter.
func same(p *Purse, wallet []byte) bool {
	w, err := decodeWallet(wallet, p.Wallet.Amount.Unit)
	return err == nil && w.Count == p.Wallet.Count && (p.Wallet.Amount.Value == w.Amount.Value || p.Wallet.Amount.Value == 0)
}

// taken reports a wallet with the record's purchase, emptied by a meter.
func taken(r *Record, p *Purse) bool {
	return r.Purchase > 0 && r.Amount.Value > 0 && p.Wallet.Count == r.Purchase && p.Wallet.Amount.Value == 0
}
