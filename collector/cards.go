package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// TakeCards makes card entries durable: when it returns nil they are on disk,
// outlive a kill -9 and a power cut, and go to the hub until it has confirmed
// them. Terminal is filled in with the collector's id where it is empty. The
// entries must not be changed before it returns.
//
// An entry that schemas refuses is an error, and then none is taken. An error
// that wraps spool.ErrFull says that the spool of the cards has no room: give
// the entries again later. After any other error, too, some of them may be
// taken all the same; to give them again does no harm, the ledger joins what is
// equal. TakeCards works while Run does; before that it waits.
func (c *Collector) TakeCards(ctx context.Context, entries []schemas.CardEntry) error {
	if len(entries) == 0 {
		return nil
	}
	own := make([]schemas.CardEntry, len(entries))
	for i, e := range entries {
		if e.Terminal == "" {
			e.Terminal = string(c.id)
		}
		if err := e.Validate(); err != nil {
			c.metrics.cardsRefused.Inc()
			return fmt.Errorf("card entry %d of %d is malformed: %w", i+1, len(entries), err)
		}
		own[i] = e
	}
	upTo, err := c.cards.hand(ctx, own)
	if err == nil {
		err = c.cards.await(ctx, upTo)
	}
	if err != nil {
		return fmt.Errorf("%d card entries are not known to be on disk: %w", len(entries), err)
	}
	return nil
}

// cardsAgain is how long entries that found no room wait before they are given
// again.
const cardsAgain = 10 * time.Second

// cardsRest is how many times as long as the last look at a card slot took the
// line is left to the reads, before a late slot goes ahead of them again: slots
// that ask for more time than the line has get a quarter of it.
const cardsRest = 3

// lateCards returns the meter whose card slot has waited longest of those that
// have waited for a whole interval; nil while it is the reads' turn.
func (l *lineLoop) lateCards(now time.Time) (late *meterState) {
	if now.Before(l.cardsAfter) {
		return nil
	}
	for _, m := range l.askers {
		if m.slot != nil && m.alive && isDueWithin(m.CardsEvery+farAhead, m.cardsAt.Add(m.CardsEvery), now) && (late == nil || m.cardsAt.Before(late.cardsAt)) {
			late = m
		}
	}
	return late
}

// readCards asks the card slot of m for what is new and hands it on. What finds
// no room is kept, and the meter not asked for more until it has found some.
func (l *lineLoop) readCards(ctx context.Context, m *meterState, now time.Time) {
	if len(m.untaken) == 0 {
		entries, err := m.slot.Entries(ctx)
		if ctx.Err() != nil && len(entries) == 0 {
			return
		}
		if ctx.Err() != nil {
			err = nil // cut short by the stop
		}
		end := l.chored(m, now, err)
		l.cardsAfter = end.Add(cardsRest * m.chore)
		m.cardsAt = end.Add(slotAfter(end, m.CardsEvery, m.Offset).Sub(end)) // that a clock set back does not put off
		var malformed error
		m.untaken, malformed = l.soundCards(m, entries)
		l.noteCards(m, end, err, malformed)
	}
	if len(m.untaken) == 0 {
		return
	}
	// Not ctx: until every line has ended the desk takes entries, or says that
	// it cannot.
	if _, err := l.cards.hand(context.WithoutCancel(ctx), m.untaken); err != nil {
		m.cardsAt = time.Now().Add(cardsAgain)
		l.log.Debug("card entries find no room; they are given again", "meter", m.ID, "entries", len(m.untaken), "error", err)
		return
	}
	m.untaken = nil
}

// noteCards says once that a card slot cannot be read, or gives what no batch may
// hold, and sets when it is asked again. To ask sooner mends only the first.
func (l *lineLoop) noteCards(m *meterState, now time.Time, err, malformed error) {
	if err != nil {
		l.metrics.cardsFailed.Inc()
		m.cardsAt = earlier(m.cardsAt, now.Add(minRecordPause))
		if adapters.ClassOf(err) == adapters.Config {
			m.cardsAt = now.Add(refusedPause)
		}
	}
	before := m.cardsFault
	m.cardsFault = err != nil || malformed != nil
	if m.cardsFault && !before {
		l.log.Warn("the meter's card slot cannot be read, or not whole; it is asked again later", "meter", m.ID, "error", errors.Join(err, malformed))
	}
}

// soundCards completes entries with what the driver does not know, and leaves
// out, and counts, what no batch may hold.
func (l *lineLoop) soundCards(m *meterState, entries []schemas.CardEntry) (sound []schemas.CardEntry, malformed error) {
	for _, e := range entries {
		l.complete(m, &e)
		if bad := e.Validate(); bad != nil {
			l.metrics.cardsRefused.Inc()
			malformed = errors.Join(malformed, fmt.Errorf("a card entry (%s) is malformed and left out: %w", e.Event, bad))
			continue
		}
		sound = append(sound, e)
	}
	return sound, malformed
}

// complete fills in what the driver left empty. The records of a meter are of
// the installation in which they are read: they come from its own memory.
func (l *lineLoop) complete(m *meterState, e *schemas.CardEntry) {
	if e.Meter == "" {
		e.Meter = m.ID
	}
	if e.Terminal == "" {
		e.Terminal = l.terminal
	}
	if !e.InstalledAt.IsZero() || e.Meter != m.ID {
		return
	}
	for _, in := range m.Rules.Installations {
		if in.StandsAt(e.TakenAt) {
			e.InstalledAt = in.From
		}
	}
}
