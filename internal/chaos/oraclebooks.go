package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// judgeCards holds the ledger against the spool of cards and what was sold.
func (j *judgement) judgeCards(ctx context.Context) error {
	r := j.t.result
	r.Cards = len(j.cards)
	left, err := j.leftAtCounter()
	if err != nil {
		return err
	}
	for _, s := range j.t.sold {
		for i := range s {
			if _, ok := j.cards[cardName(&s[i])]; !ok && !strings.Contains(left, s[i].MeterNumber) {
				r.Lost++
				r.example("card entry sold and never taken: %s", cardName(&s[i]))
			}
		}
	}
	booked := map[string]bool{}
	err = j.t.city.EachBooked(ctx, func(e *ledger.Entry) {
		name := cardName(&e.CardEntry)
		o := j.cards[name]
		if o == nil || booked[name] {
			r.Duplicated++
			r.example("card entry booked twice, or never taken: %s", name)
			return
		}
		booked[name], o.found = true, true
	})
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	j.missing("card entry", j.cards, &r.Lost)
	return nil
}

// leftAtCounter returns what the collector has not yet taken over from the counter.
func (j *judgement) leftAtCounter() (string, error) {
	names, err := filepath.Glob(filepath.Join(j.t.dir, counterFolder, "outbox", "*"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		all.Write(data)
	}
	return all.String(), nil
}

// judgeEvents holds the cases' events against the spool of events.
func (j *judgement) judgeEvents(ctx context.Context) error {
	r := j.t.result
	r.Events = len(j.events)
	list, err := j.t.city.Events(ctx)
	if err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	for i := range list {
		e := &list[i]
		if e.Kind == schemas.EventCellOutage { // that is the hub's own
			continue
		}
		for phase, at := range map[schemas.EventPhase]time.Time{schemas.EventOpened: e.Opened, schemas.EventCleared: e.Cleared} {
			if at.IsZero() {
				continue
			}
			o := j.events[eventName(e.ID, phase)]
			switch {
			case o == nil:
				r.Duplicated++
				r.example("event %s %s %s that no collector told", e.Kind, e.ID, phase)
				continue
			case !slices.Contains(o.values, at.UTC().String()):
				r.Wrong++
				r.example("event %s %s %s at %s, told was %s", e.Kind, e.ID, phase, at.UTC(), o.values)
			}
			o.found = true
		}
	}
	j.missing("event", j.events, &r.Lost)
	return nil
}
