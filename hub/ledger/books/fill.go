package books

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/tariff"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Registers is where the readings of meters are kept.
type Registers interface {
	// Registers calls fn with every stored reading of these meters and quantities
	// with from <= TakenAt <= to, of every origin and quality, in any order. It
	// keeps nothing of what it gave out. An error of fn ends it and is returned.
	Registers(ctx context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error
}

// FillSummary counts what FillUse did, in card entries.
type FillSummary struct {
	Asked   int64 // that lacked registers
	Filled  int64 // that have all of them now
	Missing int64 // that still lack some: their meters have no good reading near enough
}

// ErrFilling says that registers were filled in while a run was made. Nothing of
// the run was kept.
var ErrFilling = errors.New("registers of meters were filled in meanwhile; make the run again")

// FillUse fills in, from the meters' readings, what states and return files of up
// to span.To did not tell: the use where it is unknown, and the registers by rate
// where the place pays by the time of use. It is called before the run over span.
//
// The reading nearest to the entry's moment counts, no further away than the rules'
// Sync and taken from the same installation. Values are the meter's registers as
// read, in litres or watt-hours; the installation's multiplier is not applied,
// since the purse of a meter counts what its register counts. A reading that is not
// good counts for nothing, and an entry without any stays as it is.
//
// An entry that a run has taken is never changed, also when that run was set aside
// later: what a run has seen stays in the books. An entry that no run has taken yet
// is asked for again. What has been filled stays, so that FillUse may be called,
// or killed, at any time; with ErrOvertaken another run was made meanwhile.
func (b *Books) FillUse(ctx context.Context, utility schemas.Medium, span reconcile.Span, from Registers, progress func(Progress)) (FillSummary, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	f := &fill{b: b, utility: utility, from: from, progress: progress}
	err := f.all(ctx, span)
	return f.sum, explain(fmt.Sprintf("registers of %s for the days up to %s", utility, span.To), err)
}

// fill is a filling in the making.
type fill struct {
	b        *Books
	utility  schemas.Medium
	from     Registers
	progress func(Progress)
	plans    map[string]*tariff.Plan
	lastRun  int64
	seen     []seen
	sum      FillSummary
}

// seen says that a run has taken the entries up to a number of days up to one.
type seen struct {
	to   ledger.Day
	upto int64
}

// lacking is an entry that lacks registers.
type lacking struct {
	id, moment int64
	day        ledger.Day
	from, to   int64 // of its installation; to is 0 while it stands
	meter      schemas.MeterID
	plan       string
	use, rates bool // what it lacks
	byRate     []schemas.Quantity
	got        registers
}

// all is FillUse.
func (f *fill) all(ctx context.Context, span reconcile.Span) error {
	if !slices.Contains([]schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}, f.utility) {
		return fmt.Errorf("no utility %q: want water, power or gas", f.utility)
	}
	r := reading{utility: f.utility, span: span}
	var err error
	if f.plans, _, err = f.b.plans(ctx); err == nil {
		err = f.readRuns(ctx, &r)
	}
	if err == nil {
		r.upto, err = marks(ctx, f.b.read)
	}
	if err != nil {
		return err
	}
	query, args := f.query(&r)
	group, ctx := errgroup.WithContext(ctx)
	list := open(ctx, group, f.b.read.DB, f.b.db.Rebind(query), args, scanLacking)
	group.Go(func() error { return f.batches(ctx, list) })
	return group.Wait()
}

// readRuns finds the run that a run over the span begins with, and the runs that
// have seen days of it.
func (f *fill) readRuns(ctx context.Context, r *reading) error {
	rows, err := f.b.read.QueryContext(ctx, "SELECT id, last_day, entry_upto, state FROM runs WHERE utility = ? ORDER BY last_day, id", string(f.utility))
	if err != nil {
		return err
	}
	var id, day, upto int64
	var state string
	return each(rows, []any{&id, &day, &upto, &state}, func() error {
		f.lastRun = max(f.lastRun, id)
		if ledger.Day(day) >= r.span.From {
			f.seen = append(f.seen, seen{ledger.Day(day), upto})
		} else if state == string(RunDone) {
			r.base.ID, r.base.Span.To, r.base.Upto.Entry = id, ledger.Day(day), upto
		}
		return nil
	})
}

// taken reports whether a run has taken the entry.
func (f *fill) taken(l *lacking) bool {
	return slices.ContainsFunc(f.seen, func(s seen) bool { return l.day <= s.to && l.id <= s.upto })
}

// query selects the entries that are new since the base and lack registers, in the
// order of their moments: meters are read together, and so are asked for together.
func (f *fill) query(r *reading) (query string, args []any) {
	entries := r.fresh("id, day, place, from_ms, moment_ms, CASE WHEN used_unit = '' AND reg_used IS NULL THEN 1 ELSE 0 END AS lacks_use, "+
		"CASE WHEN reg_t1 IS NULL THEN 1 ELSE 0 END AS lacks_rates", "card_entries", "id",
		"place + 0 > 0 AND event IN ('state', 'return')", r.base.Upto.Entry, r.upto.Entry)
	byRate := "1 = 0"
	if plans := f.timeOfUse(); len(plans) > 0 {
		byRate = "p.purse = 'fen' AND p.plan IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(plans)), ", ") + ")"
		args = plans
	}
	return "SELECT e.id, e.day, e.moment_ms, e.from_ms, i.to_ms, p.meter, p.plan, e.lacks_use, CASE WHEN e.lacks_rates = 1 AND " + byRate +
		" THEN 1 ELSE 0 END FROM (" + entries + ") AS e JOIN places AS p ON p.id = e.place " +
		"JOIN installations AS i ON i.place = e.place AND i.from_ms = e.from_ms WHERE e.lacks_use = 1 OR e.lacks_rates = 1 AND " + byRate +
		" ORDER BY e.moment_ms, e.id", append(args, args...)
}

// timeOfUse returns the plans with several rates.
func (f *fill) timeOfUse() (plans []any) {
	for _, id := range slices.Sorted(maps.Keys(f.plans)) {
		if slices.ContainsFunc(f.plans[id].Versions, func(v tariff.Version) bool { return len(v.Rates) > 1 }) {
			plans = append(plans, id)
		}
	}
	return plans
}

func scanLacking(rows *sql.Rows, l *lacking, _ *digester) error {
	return rows.Scan(&l.id, (*int32)(&l.day), &l.moment, &l.from, &l.to, (*string)(&l.meter), &l.plan, &l.use, &l.rates)
}

// fillAtOnce and fillWithin bound a batch: entries for which one question is put to
// the readings.
const (
	fillAtOnce = 500
	fillWithin = 15 * time.Minute
)

// batches fills the entries of a stream.
func (f *fill) batches(ctx context.Context, list *stream[lacking]) error {
	var batch []lacking
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := f.batch(ctx, batch)
		f.progress(Progress{Stage: "registers", Done: f.sum.Asked})
		batch = batch[:0]
		return err
	}
	for l := list.peek(); l != nil; l = list.peek() {
		if f.wants(l) {
			if len(batch) == fillAtOnce || len(batch) > 0 && l.moment-batch[0].moment > fillWithin.Milliseconds() {
				if err := flush(); err != nil {
					return err
				}
			}
			batch = append(batch, *l)
		}
		list.next()
	}
	return errors.Join(ctx.Err(), flush())
}

// wants reports whether an entry is to be filled, and notes the rates that it has.
func (f *fill) wants(l *lacking) bool {
	if f.taken(l) {
		return false
	}
	if l.rates {
		v, err := f.plans[l.plan].At(tariff.DateOf(moment(l.moment), f.b.o.Rules.Calendar.Zone))
		l.rates = err == nil && len(v.Rates) > 1 // a run says what is wrong with a plan
		if l.rates {
			l.byRate = rateQuantities(f.utility, len(v.Rates))
		}
	}
	l.got = registers{unknown, unknown, unknown, unknown, unknown}
	return l.use || l.rates
}

// batch asks for the readings around entries, in the order of their moments, and
// keeps what they say.
func (f *fill) batch(ctx context.Context, batch []lacking) error {
	sync := f.b.o.Rules.Sync
	meters, quantities := f.question(batch)
	near := make(readings)
	err := f.from.Registers(ctx, meters, quantities, moment(batch[0].moment).Add(-sync), moment(batch[len(batch)-1].moment).Add(sync),
		func(r schemas.Reading) error { near.add(&r); return nil })
	if err != nil {
		return fmt.Errorf("ask for the readings of %d meters: %w", len(meters), err)
	}
	done := FillSummary{Asked: int64(len(batch))}
	var known []*lacking
	for n := range batch {
		l := &batch[n]
		complete := f.pick(l, near)
		if complete {
			done.Filled++
		} else {
			done.Missing++
		}
		if l.got[0] != unknown || l.got[1] != unknown {
			known = append(known, l)
		}
	}
	if err := f.keep(ctx, known); err != nil {
		return err
	}
	f.sum.Asked, f.sum.Filled, f.sum.Missing = f.sum.Asked+done.Asked, f.sum.Filled+done.Filled, f.sum.Missing+done.Missing
	return nil
}

// question returns the meters of a batch and the quantities that it lacks.
func (f *fill) question(batch []lacking) (meters []schemas.MeterID, quantities []schemas.Quantity) {
	use := false
	for n := range batch {
		l := &batch[n]
		meters = append(meters, l.meter)
		use = use || l.use
		if len(l.byRate) > len(quantities) {
			quantities = l.byRate
		}
	}
	slices.Sort(meters)
	if use {
		quantities = append(slices.Clone(quantities), useQuantities(f.utility)...)
	}
	return slices.Compact(meters), quantities
}

// pick takes what an entry lacks from the readings, and reports whether that is all.
func (f *fill) pick(l *lacking, near readings) (complete bool) {
	w := windowOf(l, f.b.o.Rules.Sync)
	complete = true
	if l.use {
		if v, ok := near.use(l, w, useQuantities(f.utility)); ok {
			l.got[0] = v
		} else {
			complete = false
		}
	}
	if l.rates {
		values, ok := near.rates(l, w, l.byRate)
		copy(l.got[1:], values)
		complete = complete && ok
	}
	return complete
}

// keep writes registers beside their entries, in one transaction.
func (f *fill) keep(ctx context.Context, list []*lacking) error {
	if len(list) == 0 {
		return nil
	}
	return f.b.change(ctx, func(tx bun.Tx) error {
		if _, err := take(ctx, tx, "run", 0); err != nil { // no run is written meanwhile
			return err
		}
		var last int64
		err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM runs WHERE utility = ?", string(f.utility)).Scan(&last)
		if err != nil || last != f.lastRun {
			return cmp.Or(err, ErrOvertaken)
		}
		if _, err := take(ctx, tx, "fill "+string(f.utility), 1); err != nil {
			return err
		}
		for part := range slices.Chunk(list, sqldb.RowsAtOnce) {
			if err := f.write(ctx, tx, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// write fills what is empty still: two fillings at once agree.
func (f *fill) write(ctx context.Context, tx bun.Tx, part []*lacking) error {
	// The first row tells PostgreSQL the types of all.
	const typed = "(CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))"
	query := "WITH v (id, used, t1, t2, t3, t4) AS (VALUES " + typed + strings.Repeat(", (?, ?, ?, ?, ?, ?)", len(part)-1) + ") " +
		"UPDATE card_entries SET reg_used = COALESCE(reg_used, v.used), reg_t1 = COALESCE(reg_t1, v.t1), reg_t2 = COALESCE(reg_t2, v.t2), " +
		"reg_t3 = COALESCE(reg_t3, v.t3), reg_t4 = COALESCE(reg_t4, v.t4) FROM v WHERE card_entries.id = v.id"
	args := make([]any, 0, 6*len(part))
	for _, l := range part {
		args = append(args, l.id)
		for _, v := range l.got {
			args = append(args, sql.NullInt64{Int64: v, Valid: v != unknown})
		}
	}
	_, err := tx.Tx.ExecContext(ctx, f.b.db.Rebind(query), args...)
	return err
}

// fillings returns how often registers of a utility have been filled in.
func fillings(ctx context.Context, db bun.IDB, utility schemas.Medium) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT last FROM counters WHERE name = ?", "fill "+string(utility)).Scan(&n)
	return n, err
}
