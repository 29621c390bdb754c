package year_test

import (
	"slices"
	"time"

	"citygrid/schemas"
	"citygrid/simulators/year"
)

// cards looks for loads by a card that was replaced.
func (j *judge) cards(b *book) {
	replaced := map[schemas.CardID]time.Time{}
	for _, e := range b.entries {
		if e.Event == schemas.CardIssue && e.Replaces != "" {
			replaced[e.Replaces] = e.Moment()
		}
	}
	for _, e := range b.entries {
		at, gone := replaced[e.Card]
		if e.Event == schemas.CardLoad && gone && e.Moment().After(at) {
			d := year.Difference{Class: year.CardReplaced, Meter: j.p.Meter, From: b.in.From, Purchase: e.Purchase.Number,
				Card: e.Card, Moment: e.Moment(), Day: e.Day}
			j.say(j.inPurse(d, e.Amount.Value))
		}
	}
}

func (j *judge) hold() int32 {
	if j.p.Remote {
		return 3
	}
	return 180
}

// lastEvidence returns the day and moment of the last evidence, and whether some
// earlier spell without any was longer than allowed.
func (j *judge) lastEvidence(b *book) (day int32, moment time.Time, spell bool) {
	day, moment = int32(floorDay(b.in.From, j.w)), b.in.From
	entries := slices.Clone(b.entries)
	slices.SortStableFunc(entries, func(x, y *year.Entry) int { return x.TakenAt.Compare(y.TakenAt) })
	for _, e := range entries {
		switch e.Event {
		case schemas.CardLoad, schemas.CardState, schemas.CardReturn, schemas.CardRefusal:
			spell = spell || e.Day-day > j.hold()+1
			day, moment = e.Day, e.Moment()
		}
	}
	return day, moment, spell
}

func (j *judge) isStale(b *book) bool {
	day, _, spell := j.lastEvidence(b)
	return b.in.To.IsZero() && j.last-day > j.hold() || spell
}

func (j *judge) stale(b *book) {
	if day, moment, _ := j.lastEvidence(b); j.isStale(b) {
		j.say(year.Difference{Class: year.Stale, Meter: j.p.Meter, From: b.in.From, Moment: moment, Day: day})
	}
}

// floorDay is the accounting day of a moment well before the cut-off.
func floorDay(t time.Time, w *year.World) int64 {
	local := t.In(w.Options().Zone)
	return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// swap compares what was carried over with the final credit.
func (j *judge) swap(b *book, next year.Installation) {
	if int64(j.last)-floorDay(b.in.To, j.w) < 3 {
		return // not due yet
	}
	due, known, moved := int64(0), false, int64(0)
	for _, e := range b.entries {
		if (e.Event == schemas.CardState || e.Event == schemas.CardReturn) && b.in.To.Sub(e.Moment()).Abs() <= 24*time.Hour {
			due, known = e.Residual.Value-e.Overdraft.Value, true
		}
	}
	for i := range j.p.Sales {
		if s := &j.p.Sales[i]; s.Kind == year.Transfer && s.From.Equal(next.From) && int64(s.Day) <= floorDay(b.in.To, j.w)+3 {
			moved += j.credit(s)
		}
	}
	if !known || due != moved {
		d := year.Difference{Class: year.MeterReplaced, Meter: j.p.Meter, From: b.in.From, Moment: b.in.To, Day: int32(floorDay(b.in.To, j.w))}
		j.say(j.inPurse(d, moved-due))
	}
}
