package completeness

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// refillsAtOnce bounds the requests of one round: a meter's memory is read in a line's
// idle time.
const refillsAtOnce = 10 * schemas.MaxRefills

// errEnough ends a listing.
var errEnough = errors.New("enough")

// asking is the hours of one collector that it is asked for.
type asking struct {
	refills []schemas.Refill
	hours   map[rowKey][]hourKey
}

// askRefills asks the collectors that can be reached for what is lost behind their backs.
// Every hour is asked for once; that the request arrived shows when the slots are
// refilled, and `citygrid gaps` shows it when they are not.
func (l *Ledger) askRefills(ctx context.Context, now time.Time) error {
	if l.o.Refill == nil {
		return nil
	}
	wanted := make(map[schemas.CollectorID]*asking)
	n := 0
	err := l.rows(ctx, "wanted > 0", nil, func(key rowKey, d day) error {
		if !l.enrolled(key.collector) || !l.reachable(key.collector, now) {
			return nil
		}
		a := wanted[key.collector]
		if a == nil {
			a = &asking{hours: make(map[rowKey][]hourKey)}
			wanted[key.collector] = a
		}
		a.add(key, d)
		if n++; n >= refillsAtOnce {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return sqldb.Explain("list what is to be refilled", err)
	}
	for id, a := range wanted {
		if err := l.ask(ctx, id, a); err != nil {
			return err
		}
	}
	return nil
}

// add adds the lost hours of a row; neighbours are one request.
func (a *asking) add(key rowKey, d day) {
	for _, k := range d.keys() {
		if !d[k].wants() {
			continue
		}
		a.hours[key] = append(a.hours[key], k)
		from := key.begin(k.hour)
		to := from.Add(time.Hour + k.Interval)
		if last := len(a.refills) - 1; last >= 0 && a.refills[last].Meter == key.meter && !a.refills[last].To.Before(from) {
			a.refills[last].To = to
			continue
		}
		a.refills = append(a.refills, schemas.Refill{Meter: key.meter, From: from, To: to})
	}
}

// ask sends the requests and notes that they were sent: what was lost since they were
// listed is asked for in the next round.
func (l *Ledger) ask(ctx context.Context, id schemas.CollectorID, a *asking) error {
	if err := l.o.Refill(ctx, id, a.refills); err != nil {
		return err
	}
	l.o.Log.Info("a collector was asked to refill from its meters' memories", "collector", id, "times", len(a.refills))
	err := l.change(ctx, func(tx bun.Tx) error {
		for key, hours := range a.hours {
			d, err := row(ctx, tx, key)
			if err != nil {
				return err
			}
			for _, k := range hours {
				if r := d[k]; r != nil && r.wants() {
					r.asked = true
				}
			}
			if err := putRow(ctx, tx, key, d); err != nil {
				return err
			}
		}
		return nil
	})
	return sqldbError("note what was asked for", err)
}

// reachable reports whether a collector was heard of late, so that a request finds it. One
// that was last heard long before this start is for a while neither reachable nor, yet, silent.
func (l *Ledger) reachable(id schemas.CollectorID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Sub(l.heard[id]) <= l.o.SilentAfter
}
