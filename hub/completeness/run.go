package completeness

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

const (
	// tick is the time between two rounds of Run.
	tick = 3 * time.Second
	// flushEvery is the time between two writes of hours that are over.
	flushEvery = 10 * time.Second
	// flushAfter is how long after its end an hour waits in memory for its account.
	flushAfter = 15 * time.Minute
	// metersAtOnce bounds the meters of one count from the store.
	metersAtOnce = 50
	// checksAtOnce bounds the hours that one round counts from the store, so that it
	// does not keep the store from its work.
	checksAtOnce = 2000
	// gaugesEvery is the time between two counts for the metrics, tidyEvery between two
	// looks for rows that are too old.
	gaugesEvery, tidyEvery = time.Minute, time.Hour
)

// Run writes what is in memory, counts from the store what has to be, asks collectors for
// refills and keeps the figures of Gauges, until ctx is done; then it writes the rest.
// Failures are logged and tried again. It may be called once.
func (l *Ledger) Run(ctx context.Context) error {
	timer := time.NewTicker(tick)
	defer timer.Stop()
	last, begun := make(map[string]time.Time), false
	for {
		if !begun {
			err := l.began(ctx)
			if begun = err == nil; !begun {
				l.failed(ctx, "begin", err)
			}
		}
		l.round(ctx, l.o.Now(), last)
		select {
		case <-ctx.Done():
			return l.ended(context.WithoutCancel(ctx), begun)
		case <-timer.C:
		}
	}
}

func (l *Ledger) failed(ctx context.Context, work string, err error) {
	if ctx.Err() == nil {
		l.o.Log.Error("the completeness ledger could not do its work and tries again", "work", work, "error", err)
	}
}

// round does what is due. last says when each thing was done last.
func (l *Ledger) round(ctx context.Context, now time.Time, last map[string]time.Time) {
	for _, job := range []struct {
		what  string
		every time.Duration
		do    func(context.Context, time.Time) error
	}{
		{"write what came", flushEvery, l.Flush},
		{"count hours from the store", 0, l.CheckDue},
		{"count again what an operator asked for", 0, l.recountAsked},
		{"ask for refills", time.Minute, l.askRefills},
		{"count gaps", gaugesEvery, l.countGauges},
		{"drop old hours", tidyEvery, l.tidy},
	} {
		if done, ok := last[job.what]; ok && now.Sub(done) < job.every && !done.After(now) {
			continue
		}
		last[job.what] = now
		if err := job.do(ctx, now); err != nil {
			l.failed(ctx, job.what, err)
		}
	}
}

// began notes that the ledger is open. Where the last hub was killed, every hour with gaps
// is counted from the store: some of what came was in memory only.
func (l *Ledger) began(ctx context.Context) error {
	var open []string
	if err := l.db.Read.NewRaw("SELECT value FROM completeness_facts WHERE name = 'open'").Scan(ctx, &open); err != nil {
		return err
	}
	if len(open) > 0 {
		if err := l.checkAll(ctx); err != nil {
			return err
		}
	}
	_, err := l.db.Write.NewRaw("INSERT INTO completeness_facts (name, value) VALUES ('open', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", l.opened.UTC().Format(time.RFC3339)).Exec(ctx)
	return err
}

// ended writes everything and, where began has looked at what was before, notes that
// nothing is in memory any more.
func (l *Ledger) ended(ctx context.Context, begun bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := l.flush(ctx, func(rowKey) bool { return true }); err != nil {
		return err
	}
	if !begun {
		return nil
	}
	_, err := l.db.Write.NewRaw("DELETE FROM completeness_facts WHERE name = 'open'").Exec(ctx)
	return sqldbError("end the completeness ledger", err)
}

func sqldbError(act string, err error) error {
	if err == nil {
		return nil
	}
	return sqldb.Explain(act, err)
}

// checkAll has every hour with gaps counted from the store.
func (l *Ledger) checkAll(ctx context.Context) error {
	now := l.o.Now()
	return l.rows(ctx, "short > 0", nil, func(key rowKey, d day) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for k, r := range d {
			if r.short() > 0 {
				l.check(key.source, key.begin(k.hour), now)
			}
		}
		return nil
	})
}

// rows calls each for the rows of a condition, in the order of meters, collectors and days
// as Go compares them: pages go on from there.
func (l *Ledger) rows(ctx context.Context, where string, args []any, each func(rowKey, day) error) error {
	return l.eachRow(ctx, where, args, func(key rowKey, hours []byte) error {
		d, err := key.decode(hours)
		if err != nil {
			return err
		}
		return each(key, d)
	})
}

// eachRow is rows for hours that are not decoded.
func (l *Ledger) eachRow(ctx context.Context, where string, args []any, each func(rowKey, []byte) error) error {
	query := "SELECT meter, collector, day, hours FROM completeness_days WHERE " + where + " ORDER BY " + l.bytewise("meter") + ", " + l.bytewise("collector") + ", day"
	found, err := l.db.Read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var meter, collector string
		var number int64
		var hours []byte
		if err := found.Scan(&meter, &collector, &number, &hours); err != nil {
			return err
		}
		if err := each(rowKey{source{schemas.MeterID(meter), schemas.CollectorID(collector)}, number}, hours); err != nil {
			return err
		}
	}
	return found.Err()
}

// Flush writes the hours that are over, and when collectors were heard of last.
func (l *Ledger) Flush(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	ready := make(map[rowKey]bool)
	for key, d := range l.deltas {
		for k := range d {
			if now.Sub(key.begin(k.hour+1)) > flushAfter {
				ready[key] = true
				break
			}
		}
	}
	l.mu.Unlock()
	return l.flush(ctx, func(key rowKey) bool { return ready[key] })
}

// rowsAtOnce bounds the rows of one transaction, so that accounts do not wait long.
const rowsAtOnce = 500

func (l *Ledger) flush(ctx context.Context, which func(rowKey) bool) error {
	deltas := l.takeDeltas(which)
	for rows := range slices.Chunk(slices.Collect(maps.Keys(deltas)), rowsAtOnce) {
		part := make(map[rowKey]day, len(rows))
		for _, key := range rows {
			part[key] = deltas[key].clone()
		}
		if err := l.put(ctx, part, nil); err != nil {
			l.giveBack(deltas)
			return sqldb.Explain("write the completeness ledger", err)
		}
		for _, key := range rows {
			delete(deltas, key)
		}
	}
	return l.putHeard(ctx)
}

// clone copies a day, so that a merge that is not committed changes nothing.
func (d day) clone() day {
	c := make(day, len(d))
	c.merge(d)
	return c
}

func (l *Ledger) putHeard(ctx context.Context) error {
	l.mu.Lock()
	heard := maps.Clone(l.heard)
	l.mu.Unlock()
	err := l.change(ctx, func(tx bun.Tx) error {
		for id, at := range heard {
			if _, err := tx.NewRaw(`INSERT INTO completeness_collectors (collector, heard_ms) VALUES (?, ?)
ON CONFLICT (collector) DO UPDATE SET heard_ms = excluded.heard_ms WHERE completeness_collectors.heard_ms < excluded.heard_ms`, string(id), at.UnixMilli()).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return sqldbError("write when collectors were heard of", err)
}

// CheckDue counts the hours from the store that are to be counted by now.
func (l *Ledger) CheckDue(ctx context.Context, now time.Time) error {
	if l.o.Store == nil {
		return nil
	}
	due := l.takeDue(now)
	err := l.fromStore(ctx, due, func(d, _, found day, _ rowKey) { d.merge(found) })
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for key, span := range due {
			for hour := span.from; hour < span.end; hour++ {
				l.check(key.source, key.begin(hour), now)
			}
		}
	}
	return err
}

// takeDue takes the hours that are to be counted from the store by now out of memory, some
// of them if they are many.
func (l *Ledger) takeDue(now time.Time) map[rowKey]hourSpan {
	l.mu.Lock()
	defer l.mu.Unlock()
	due, n := make(map[rowKey]hourSpan), 0
	for key, hours := range l.checks {
		if n >= checksAtOnce {
			break
		}
		for hour, at := range hours {
			if at != 0 && at <= now.Unix() {
				due[key], hours[hour] = due[key].with(uint8(hour)), 0
				n++
			}
		}
		if *hours == (dueHours{}) {
			delete(l.checks, key)
		}
	}
	return due
}

// hourSpan is hours of a day, from <= h < end.
type hourSpan struct{ from, end uint8 }

var wholeDay = hourSpan{0, 24}

func (s hourSpan) with(hour uint8) hourSpan {
	if s.end == 0 {
		return hourSpan{hour, hour + 1}
	}
	return hourSpan{min(s.from, hour), max(s.end, hour+1)}
}

// settling brings together what a row has, what it had before the store was asked, and what
// was found there. In between accounts and readings may have come.
type settling func(d, had, found day, key rowKey)

// fromStore counts days from the store, and lets settle bring what is known together.
func (l *Ledger) fromStore(ctx context.Context, rows map[rowKey]hourSpan, settle settling) error {
	keys := slices.Collect(maps.Keys(rows))
	slices.SortFunc(keys, func(a, b rowKey) int {
		if a.day != b.day {
			return int(max(-1, min(1, a.day-b.day)))
		}
		return strings.Compare(string(a.meter)+" "+string(a.collector), string(b.meter)+" "+string(b.collector))
	})
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && n < metersAtOnce && keys[n].day == keys[0].day {
			n++
		}
		hours := rows[keys[0]]
		for _, key := range keys[1:n] {
			hours = hours.with(rows[key].from).with(rows[key].end - 1)
		}
		if err := l.countDay(ctx, keys[:n], hours, settle); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// countDay counts hours of rows of one day.
func (l *Ledger) countDay(ctx context.Context, keys []rowKey, hours hourSpan, settle settling) error {
	number := keys[0].day
	midnight := keys[0].begin(0)
	begin, end := midnight.Add(time.Duration(hours.from)*time.Hour), midnight.Add(time.Duration(hours.end)*time.Hour)
	shapes := make(map[schemas.MeterID]map[rowKey]day) // the hours that a row has
	err := l.db.Snapshot(ctx, func(tx bun.Tx) error {
		for _, key := range keys {
			var rows [][]byte
			if err := tx.NewRaw("SELECT hours FROM completeness_days WHERE meter = ? AND collector = ? AND day = ?", string(key.meter), string(key.collector), number).Scan(ctx, &rows); err != nil {
				return err
			}
			for _, data := range rows {
				d, err := key.decode(data)
				if err != nil {
					return err
				}
				if shapes[key.meter] == nil {
					shapes[key.meter] = make(map[rowKey]day)
				}
				shapes[key.meter][key] = d
				for k := range d {
					if k.hour >= hours.from && k.hour < hours.end {
						end = later(end, midnight.Add(time.Duration(k.hour+1)*time.Hour+k.Interval))
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return sqldb.Explain("read days to be counted again", err)
	}
	found := make(map[rowKey]day)
	meters := slices.Collect(maps.Keys(shapes))
	if len(meters) == 0 {
		return nil
	}
	err = l.o.Store(ctx, meters, begin, end, func(meter schemas.MeterID, origin schemas.Origin, at time.Time) {
		for key, d := range shapes[meter] {
			l.find(found, key, d, origin, at)
		}
	})
	if err != nil {
		return err
	}
	err = l.change(ctx, func(tx bun.Tx) error {
		for _, rows := range shapes {
			for key, had := range rows {
				d, err := row(ctx, tx, key)
				if err != nil {
					return err
				}
				settle(d, had, found[key], key)
				if err := putRow(ctx, tx, key, d); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return sqldbError("write days that were counted again", err)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// find notes a reading of the store in every hour of the row whose schedule has a slot for
// it.
func (l *Ledger) find(found map[rowKey]day, key rowKey, d day, origin schemas.Origin, at time.Time) {
	for k := range d {
		hour, n := k.Slot(at)
		if !hour.Equal(key.begin(k.hour)) {
			continue
		}
		if found[key] == nil {
			found[key] = make(day)
		}
		r := found[key].of(k)
		if origin == schemas.Live {
			r.read.set(n)
		} else {
			r.refilled.set(n)
		}
	}
}

// AskRecount has a time counted again from the store: after a store was restored from a
// back-up, what it lacks becomes a gap, and collectors are asked for it. A running hub does
// it within a minute; what it finds replaces what was known.
func (l *Ledger) AskRecount(ctx context.Context, from, until time.Time) error {
	_, err := l.db.Write.NewRaw("INSERT INTO completeness_recounts (from_ms, until_ms, asked_ms) VALUES (?, ?, ?) ON CONFLICT (from_ms, until_ms) DO NOTHING",
		from.UnixMilli(), until.UnixMilli(), l.o.Now().UnixMilli()).Exec(ctx)
	return sqldbError("ask for a recount", err)
}

// recountAsked does what AskRecount asked for.
func (l *Ledger) recountAsked(ctx context.Context, _ time.Time) error {
	if l.o.Store == nil {
		return nil
	}
	var orders []struct{ FromMs, UntilMs int64 }
	if err := l.db.Read.NewRaw("SELECT from_ms, until_ms FROM completeness_recounts ORDER BY asked_ms").Scan(ctx, &orders); err != nil {
		return err
	}
	for _, o := range orders {
		if err := l.Recount(ctx, time.UnixMilli(o.FromMs), time.UnixMilli(o.UntilMs)); err != nil {
			return err
		}
		if _, err := l.db.Write.NewRaw("DELETE FROM completeness_recounts WHERE from_ms = ? AND until_ms = ?", o.FromMs, o.UntilMs).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Recount counts the hours that begin in from <= t < until from the store. A slot that was
// received, or refilled, and is not in the store any more, is lost from then on
// (StoreLost) until it comes again.
func (l *Ledger) Recount(ctx context.Context, from, until time.Time) error {
	if err := l.flush(ctx, func(rowKey) bool { return true }); err != nil {
		return err
	}
	keys := make(map[rowKey]hourSpan)
	err := l.rows(ctx, "day >= ? AND day <= ?", []any{from.Unix() / 86400, until.Unix() / 86400}, func(key rowKey, _ day) error {
		keys[key] = wholeDay
		return nil
	})
	if err != nil {
		return sqldb.Explain("list the days to be counted again", err)
	}
	now := l.o.Now()
	return l.fromStore(ctx, keys, func(d, had, found day, key rowKey) {
		for k, r := range d {
			begin := key.begin(k.hour)
			if !begin.Before(from) && begin.Before(until) && r.recount(had[k], found[k]) {
				l.checkAgain(key.source, begin, now)
			}
		}
		d.merge(found)
	})
}

// checkAgain has an hour counted from the store that lost something to a recount: what was
// sent again while the store was asked looked as if it had been there before.
func (l *Ledger) checkAgain(of source, hour, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.check(of, hour, now.Add(checkLater))
}

// recount takes back what was known when the store was asked and is not there, and reports
// whether that is anything.
func (r *record) recount(had, found *record) (lost bool) {
	if had == nil {
		return false
	}
	if found == nil {
		found = &record{}
	}
	r.read, r.refilled = r.read.without(had.read.without(found.read)), r.refilled.without(had.refilled.without(found.refilled))
	for n := range r.planned.all {
		was := had.read.has(n) || had.refilled.has(n)
		if was && !found.read.has(n) && !found.refilled.has(n) && !r.read.has(n) && !r.refilled.has(n) {
			r.lose(n, rankLost)
			r.asked, lost = false, true
		}
	}
	for n := range r.late {
		if n < len(r.read) {
			r.late[n] &= r.read[n]
		} else {
			r.late[n] = 0
		}
	}
	return lost
}

// tidy drops what is too old.
func (l *Ledger) tidy(ctx context.Context, now time.Time) error {
	err := l.change(ctx, func(tx bun.Tx) error {
		_, err := tx.NewRaw("DELETE FROM completeness_days WHERE day < ?", now.Add(-l.o.Keep).Unix()/86400).Exec(ctx)
		return err
	})
	return sqldbError("drop old days", err)
}
