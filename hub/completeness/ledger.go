// Package completeness is the hub's ledger of what should have come: for every collector,
// meter and hour how many slots were expected, received, late, refilled from the meter's
// memory, lost, and why. Collectors tell what they planned and missed (SlotAccount); what
// came is taken from the readings themselves, and counted again from the store where the
// two do not meet.
//
//	readings stored --> deltas in memory --+
//	                                       +--> completeness_days (SQL, merged)
//	accounts (before their receipt) -------+
//	store --recount--> what memory lost in a kill, what a restored store lacks
//
// A slot that nobody accounts for is never left out: it is unknown, and unknown slots are
// gaps like the others.
package completeness

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Moments calls each for every reading of some meters in the store with from <= TakenAt <
// to: its meter, origin and TakenAt. The same may come several times.
type Moments func(ctx context.Context, meters []schemas.MeterID, from, to time.Time, each func(schemas.MeterID, schemas.Origin, time.Time)) error

// Options are what a ledger is made of. Only Now and Log are required; without Store
// nothing is counted again, and without Refill no collector is asked.
type Options struct {
	Now   func() time.Time
	Log   *slog.Logger
	Store Moments
	// Refill asks a collector for times of its meters; it returns an error when the
	// request did not go out.
	Refill func(context.Context, schemas.CollectorID, []schemas.Refill) error
	// LateAfter is how long after the end of its hour a reading counts as late; 0:
	// DefaultLateAfter. SilentAfter is how long a collector may say nothing; 0:
	// DefaultSilentAfter. Keep is how long hours are kept; 0: DefaultKeep.
	LateAfter, SilentAfter, Keep time.Duration
	// Enrolled reports whether a collector may still send; nil: all may. What one that was
	// revoked does not say is no gap.
	Enrolled func(schemas.CollectorID) bool
	// Aside says that the ledger hears no collector itself and is opened beside the hub, or
	// without it.
	Aside bool
	// Area says in which area a collector is, for questions about one; nil: in none.
	Area func(schemas.CollectorID) schemas.AreaCode
	// BusyWait is how long to wait for another writer; 0 means 10 s.
	BusyWait time.Duration
}

// The defaults of Options. Hours are kept a month longer than a year, so that a year's
// figures can be looked at.
const (
	DefaultLateAfter   = 5 * time.Minute
	DefaultSilentAfter = 15 * time.Minute
	DefaultKeep        = 400 * 24 * time.Hour
)

// Ledger is an open ledger. Its methods may be called from any goroutine.
type Ledger struct {
	db *sqldb.DB
	o  Options

	mu sync.Mutex
	// schedules are those that the collectors gave last.
	schedules map[source]schedule
	heard     map[schemas.CollectorID]time.Time
	// deltas are what is not in the tables yet.
	deltas map[rowKey]day
	// checks are hours to be counted from the store.
	checks map[rowKey]*dueHours
	gauges Gauges
	// opened is when nobody could have been heard before; with Options.Aside it is that of
	// the hub that runs, or zero.
	opened time.Time
}

// source is one meter behind one collector.
type source struct {
	meter     schemas.MeterID
	collector schemas.CollectorID
}

// schedule is what a collector says of a meter, and up to when it has told.
type schedule struct {
	schemas.Schedule
	told time.Time
	// learnt is when this ledger learnt it: what came before may be in no delta.
	learnt time.Time
}

// rowKey names a row of completeness_days.
type rowKey struct {
	source
	day int64
}

// dueHours is when each hour of a day is to be counted from the store, in seconds since the
// epoch; 0: it is not.
type dueHours [24]int64

func rowOf(s source, hour time.Time) rowKey { return rowKey{s, hour.Unix() / 86400} }

// begin is the moment that an hour of the day begins.
func (k rowKey) begin(hour uint8) time.Time {
	return time.Unix(k.day*86400+int64(hour)*3600, 0).UTC()
}

// decode reads the hours of the row.
func (k rowKey) decode(hours []byte) (day, error) {
	d, err := decodeDay(hours)
	if err != nil {
		return nil, fmt.Errorf("meter %s of collector %s on %s: %w", k.meter, k.collector, k.begin(0).Format(time.DateOnly), err)
	}
	return d, nil
}

// Open opens the ledger at dsn ("sqlite:PATH" or "postgres://...") and brings its tables
// up to date. They may share a database with others. Close it.
func Open(ctx context.Context, dsn string, o Options) (*Ledger, error) {
	if o.Now == nil || o.Log == nil {
		return nil, errors.New("open the completeness ledger: a clock or a log is missing")
	}
	for value, or := range map[*time.Duration]time.Duration{&o.LateAfter: DefaultLateAfter, &o.SilentAfter: DefaultSilentAfter, &o.Keep: DefaultKeep} {
		if *value == 0 {
			*value = or
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the completeness ledger: %w", err)
	}
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Migrations: files, Versions: "completeness_versions", BusyWait: o.BusyWait})
	if err != nil {
		return nil, fmt.Errorf("open the completeness ledger: %w", err)
	}
	l := &Ledger{db: db, o: o, schedules: make(map[source]schedule), heard: make(map[schemas.CollectorID]time.Time),
		deltas: make(map[rowKey]day), checks: make(map[rowKey]*dueHours), opened: o.Now()}
	if err := l.load(ctx); err != nil {
		return nil, errors.Join(sqldb.Explain("open the completeness ledger", err), db.Close())
	}
	return l, nil
}

// Close closes the database. Call it after Run.
func (l *Ledger) Close() error { return l.db.Close() }

// load reads what is kept in memory.
func (l *Ledger) load(ctx context.Context) error {
	var meters []meterRow
	if err := l.db.Read.NewRaw("SELECT meter, collector, interval_ms, offset_ms, told_ms FROM completeness_meters").Scan(ctx, &meters); err != nil {
		return err
	}
	for _, m := range meters {
		known := m.schedule()
		known.learnt = l.opened
		l.schedules[m.source()] = known
	}
	var heard []struct {
		Collector string
		HeardMs   int64
	}
	if err := l.db.Read.NewRaw("SELECT collector, heard_ms FROM completeness_collectors").Scan(ctx, &heard); err != nil {
		return err
	}
	for _, c := range heard {
		l.heard[schemas.CollectorID(c.Collector)] = time.UnixMilli(c.HeardMs).UTC()
	}
	if l.o.Aside {
		return l.loadOpened(ctx)
	}
	return nil
}

// loadOpened reads since when a hub has the ledger open; zero: none has, or one that does
// not say so.
func (l *Ledger) loadOpened(ctx context.Context) error {
	var open []string
	err := l.db.Read.NewRaw("SELECT value FROM completeness_facts WHERE name = 'open'").Scan(ctx, &open)
	l.opened = time.Time{}
	for _, value := range open {
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			l.opened = at
		}
	}
	return err
}

type meterRow struct {
	Meter, Collector             string
	IntervalMs, OffsetMs, ToldMs int64
}

func (m *meterRow) source() source {
	return source{schemas.MeterID(m.Meter), schemas.CollectorID(m.Collector)}
}

func (m *meterRow) schedule() schedule {
	return schedule{schemas.Schedule{Interval: time.Duration(m.IntervalMs) * time.Millisecond, Offset: time.Duration(m.OffsetMs) * time.Millisecond}, time.UnixMilli(m.ToldMs).UTC(), time.Time{}}
}

// Heard notes that a collector has said something.
func (l *Ledger) Heard(id schemas.CollectorID, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.After(l.heard[id]) {
		l.heard[id] = at
	}
}

// silent reports whether a collector that is enrolled has said nothing for long, while the
// hub could have heard it. mu is held.
func (l *Ledger) silent(id schemas.CollectorID, now time.Time) bool {
	return l.enrolled(id) && now.Sub(later(l.heard[id], l.opened)) > l.o.SilentAfter
}

// enrolled reports whether anything is expected of a collector.
func (l *Ledger) enrolled(id schemas.CollectorID) bool {
	return l.o.Enrolled == nil || l.o.Enrolled(id)
}

// Stored notes readings of a collector that are in the store. It waits for no disk: what
// a kill takes of it is counted from the store after the next start.
func (l *Ledger) Stored(id schemas.CollectorID, readings []schemas.Reading, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.After(l.heard[id]) {
		l.heard[id] = at
	}
	var last *schemas.Reading
	for i := range readings {
		r := &readings[i]
		if last != nil && r.Meter == last.Meter && r.TakenAt.Equal(last.TakenAt) && r.Origin == last.Origin {
			continue // the same slot
		}
		last = r
		if known, ok := l.schedules[source{r.Meter, id}]; ok {
			l.received(source{r.Meter, id}, known.Schedule, r.Origin, r.TakenAt, at)
		}
	}
}

// received notes one reading. mu is held.
func (l *Ledger) received(from source, s schemas.Schedule, origin schemas.Origin, takenAt, at time.Time) {
	hour, n := s.Slot(takenAt)
	key := rowOf(from, hour)
	d := l.deltas[key]
	if d == nil {
		d = make(day)
		l.deltas[key] = d
	}
	r := d.of(hourKey{uint8(hour.Hour()), s})
	switch {
	case origin != schemas.Live:
		r.refilled.set(n)
	case !r.read.has(n):
		r.read.set(n)
		if at.After(hour.Add(time.Hour + l.o.LateAfter)) {
			r.late.set(n)
		}
	}
}

// StoreAccounts takes what a collector says of its slots. It returns when that is durable.
// The same accounts may come again, and in any order.
func (l *Ledger) StoreAccounts(ctx context.Context, id schemas.CollectorID, accounts []schemas.SlotAccount) error {
	now := l.o.Now()
	fresh := make(map[rowKey]day)
	said := make(map[source]schedule)
	for i := range accounts {
		a := &accounts[i]
		from := source{a.Meter, id}
		key := rowOf(from, a.Hour)
		if fresh[key] == nil {
			fresh[key] = make(day)
		}
		fresh[key].of(hourKey{uint8(a.Hour.UTC().Hour()), a.Schedule()}).merge(recordOf(a))
		if told := l.saidUpTo(a, now); told.After(said[from].told) {
			said[from] = schedule{Schedule: a.Schedule(), told: told}
		}
	}
	l.Heard(id, now)
	if err := l.presumeBefore(ctx, id, accounts, now); err != nil {
		return err
	}
	deltas := l.takeDeltas(func(key rowKey) bool { return fresh[key] != nil })
	for key, d := range deltas {
		fresh[key].merge(d)
	}
	if err := l.put(ctx, fresh, said); err != nil {
		l.giveBack(deltas)
		return sqldb.Explain("note accounts of collector "+string(id), err)
	}
	l.afterAccounts(id, accounts, fresh, now)
	return nil
}

func recordOf(a *schemas.SlotAccount) *record {
	r := &record{}
	for n := a.First; n < a.First+a.Planned; n++ {
		r.planned.set(n)
	}
	for _, s := range a.Missing {
		rank := uint8(1)
		for i, loss := range schemas.Losses() {
			if loss == s.Loss {
				rank = uint8(i + 1)
			}
		}
		for n := s.From; n < s.From+s.Slots; n++ {
			r.lose(n, rank)
		}
	}
	return r
}

// checkSoon and checkLater are when an hour is counted from the store after its account:
// soon, where its readings came before anybody knew the schedule.
const (
	checkSoon  = 2 * time.Second
	checkLater = 30 * time.Minute
)

// afterAccounts has the hours counted from the store in which something is missing that
// nobody accounts for.
func (l *Ledger) afterAccounts(id schemas.CollectorID, accounts []schemas.SlotAccount, days map[rowKey]day, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range accounts {
		a := &accounts[i]
		from, s := source{a.Meter, id}, a.Schedule()
		known, ok := l.schedules[from]
		wait, blind := checkLater, !ok || known.Schedule != s || a.Hour.Before(known.learnt)
		if blind {
			wait = checkSoon
		}
		if told := l.saidUpTo(a, now); told.After(known.told) {
			learnt := known.learnt
			if !ok || known.Schedule != s {
				learnt = now
			}
			l.schedules[from] = schedule{s, told, learnt}
		}
		if c := days[rowOf(from, a.Hour)][hourKey{uint8(a.Hour.UTC().Hour()), s}].count(wholeHour); c.Unknown > 0 || blind && c.Missing() > 0 {
			l.check(from, a.Hour, now.Add(wait))
		}
	}
}

// toldBy is the end of the last slot that an account tells of.
func toldBy(a *schemas.SlotAccount) time.Time {
	return a.Schedule().Begin(a.Hour, a.First+a.Planned-1).Add(a.Interval)
}

// check has an hour counted from the store at some time, or earlier. mu is held.
func (l *Ledger) check(of source, hour, due time.Time) {
	key := rowOf(of, hour)
	hours := l.checks[key]
	if hours == nil {
		hours = new(dueHours)
		l.checks[key] = hours
	}
	if at := &hours[hour.UTC().Hour()]; *at == 0 || due.Unix() < *at {
		*at = due.Unix()
	}
}

// takeDeltas takes the deltas of some rows out of memory.
func (l *Ledger) takeDeltas(which func(rowKey) bool) map[rowKey]day {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := make(map[rowKey]day)
	for key, d := range l.deltas {
		if which(key) {
			taken[key] = d
			delete(l.deltas, key)
		}
	}
	return taken
}

// giveBack puts deltas back that could not be written.
func (l *Ledger) giveBack(deltas map[rowKey]day) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, d := range deltas {
		if l.deltas[key] != nil {
			d.merge(l.deltas[key])
		}
		l.deltas[key] = d
	}
}

// put merges days into the tables, and leaves in fresh what the tables then hold.
func (l *Ledger) put(ctx context.Context, fresh map[rowKey]day, said map[source]schedule) error {
	return l.change(ctx, func(tx bun.Tx) error {
		for key, d := range fresh {
			if err := mergeRow(ctx, tx, key, d); err != nil {
				return err
			}
		}
		for from, s := range said {
			if err := putMeter(ctx, tx, from, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// change runs do as the only writer of the ledger. SQLite has one writer; on PostgreSQL a
// lock that ends with the transaction makes them queue. Without it two who merge into a
// row that is not there yet would both find none, and the second would write over what
// the first has put there; a lock on a row cannot help before there is one.
func (l *Ledger) change(ctx context.Context, do func(tx bun.Tx) error) error {
	return l.db.Change(ctx, func(tx bun.Tx) error {
		if !l.db.SQLite() {
			if _, err := tx.NewRaw("SELECT pg_advisory_xact_lock(hashtext('completeness_days'))").Exec(ctx); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// bytewise is a column as Go compares it, whatever language the database sorts in.
func (l *Ledger) bytewise(column string) string {
	if l.db.SQLite() {
		return column
	}
	return column + ` COLLATE "C"`
}

func mergeRow(ctx context.Context, tx bun.Tx, key rowKey, d day) error {
	was, err := row(ctx, tx, key)
	if err != nil {
		return err
	}
	d.merge(was)
	d.withdraw(key.day)
	return putRow(ctx, tx, key, d)
}

// row reads a day; an empty one where there is none.
func row(ctx context.Context, tx bun.Tx, key rowKey) (day, error) {
	var rows [][]byte
	if err := tx.NewRaw("SELECT hours FROM completeness_days WHERE meter = ? AND collector = ? AND day = ?", string(key.meter), string(key.collector), key.day).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return make(day), nil
	}
	return key.decode(rows[0])
}

func putRow(ctx context.Context, tx bun.Tx, key rowKey, d day) error {
	short, wanted := d.sums()
	_, err := tx.NewRaw(`INSERT INTO completeness_days (meter, collector, day, short, wanted, hours) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (meter, collector, day) DO UPDATE SET short = excluded.short, wanted = excluded.wanted, hours = excluded.hours`,
		string(key.meter), string(key.collector), key.day, short, wanted, d.encode()).Exec(ctx)
	return err
}

func putMeter(ctx context.Context, tx bun.Tx, from source, s schedule) error {
	_, err := tx.NewRaw(`INSERT INTO completeness_meters (meter, collector, interval_ms, offset_ms, told_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (meter, collector) DO UPDATE SET interval_ms = excluded.interval_ms, offset_ms = excluded.offset_ms, told_ms = excluded.told_ms
WHERE completeness_meters.told_ms < excluded.told_ms`,
		string(from.meter), string(from.collector), s.Interval.Milliseconds(), s.Offset.Milliseconds(), s.told.UnixMilli()).Exec(ctx)
	return err
}
