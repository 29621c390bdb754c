package books

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/schemas"
)

// wanted is what a row says about its meter.
type wanted struct {
	utility   schemas.Medium
	meter     schemas.MeterID
	number    string
	installed time.Time
	moment    time.Time
	// elsewhere: it concerns a card of another city, and the number is of a meter there.
	elsewhere bool
}

// found is an installation; the zero found is none.
type found struct{ place, from int64 }

// standing is an installation as the register has it, with its place.
type standing struct {
	Place   int64  `bun:"place"`
	From    int64  `bun:"from_ms"`
	Number  string `bun:"number"`
	Meter   string `bun:"meter"`
	Utility string `bun:"utility"`
}

// resolve finds the installation of each wanted row.
//
// The number on the plate goes before all else: it is what card and meter carry.
// A place that is named as well must be the one where that number is registered; a
// register that does not know a swap yet would otherwise book the new meter's card
// on the old one. Of several installations the latest that began at or before the
// moment is taken, also when it has ended (a return file is often read after the
// meter is gone), else the first: clocks are off by minutes on the day of a swap.
func resolve(ctx context.Context, tx bun.IDB, rows []wanted) ([]found, error) {
	out := make([]found, len(rows))
	for at := 0; at < len(rows); at += chunk {
		part := rows[at:min(at+chunk, len(rows))]
		numbers, meters, err := candidates(ctx, tx, part)
		if err != nil {
			return nil, err
		}
		for n, w := range part {
			switch {
			case w.elsewhere:
			case w.number != "":
				out[at+n] = choose(w, numbers[w.number])
			default:
				out[at+n] = choose(w, meters[string(w.meter)])
			}
		}
	}
	return out, nil
}

// chunk is how many rows are looked up with one query.
const chunk = 500

// candidates returns the installations that rows may mean, oldest first.
func candidates(ctx context.Context, tx bun.IDB, rows []wanted) (byNumber, byMeter map[string][]standing, err error) {
	byNumber, byMeter = make(map[string][]standing), make(map[string][]standing)
	var numbers, meters []string
	for _, w := range rows {
		if w.number != "" {
			numbers = append(numbers, w.number)
		} else if w.meter != "" {
			meters = append(meters, string(w.meter))
		}
	}
	for _, q := range []struct {
		column string
		keys   []string
		into   map[string][]standing
		key    func(standing) string
	}{
		{"i.number", numbers, byNumber, func(s standing) string { return s.Number }},
		{"p.meter", meters, byMeter, func(s standing) string { return s.Meter }},
	} {
		if len(q.keys) == 0 {
			continue
		}
		slices.Sort(q.keys)
		var all []standing
		err := tx.NewRaw("SELECT i.place, i.from_ms, i.number, p.meter, p.utility FROM installations AS i JOIN places AS p ON p.id = i.place WHERE ? IN (?) ORDER BY i.from_ms, i.place",
			bun.Safe(q.column), bun.List(slices.Compact(q.keys))).Scan(ctx, &all)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range all {
			q.into[q.key(s)] = append(q.into[q.key(s)], s)
		}
	}
	return byNumber, byMeter, nil
}

// choose picks one of the installations, oldest first.
func choose(w wanted, of []standing) (best found) {
	for _, s := range of {
		switch {
		case s.Utility != string(w.utility), w.meter != "" && s.Meter != string(w.meter):
			continue
		case !w.installed.IsZero() && s.From != millis(w.installed):
			continue
		case best.place != 0 && s.From > millis(w.moment):
			return best
		}
		best = found{s.Place, s.From}
	}
	return best
}

// millis is how the books hold a moment: 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the way back of millis.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
