package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"citygrid/hub/store"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/schemas/seal"
	"citygrid/simulators"
)

// owed is one thing that was on a collector's disk, and so must be at the hub.
type owed struct {
	what string
	in   []envelope // that carried it
	// values are what it says, beside its name: one, but a record of a meter's memory
	// that was read twice may be doubted once.
	values []string
	found  bool
	// live is the read that a live reading is of.
	live read
}

// account is everything that was ever on disk, by name.
type account map[string]*owed

// add enters a thing, and returns what is known of it now.
func (a account) add(name, value string, in envelope) *owed {
	o := a[name]
	if o == nil {
		o = &owed{what: name}
		a[name] = o
	}
	if !slices.Contains(o.in, in) {
		o.in = append(o.in, in)
	}
	if !slices.Contains(o.values, value) {
		o.values = append(o.values, value)
	}
	return o
}

// judgement is what an oracle needs to judge one trial.
type judgement struct {
	t                       *trial
	readings, cards, events account
	// refused are the envelopes that the hub has put aside, with the code.
	refused map[envelope]letter
	// destroyed counts the live readings that a fault took off the collector's disk, by
	// the read that they were of.
	destroyed map[read]int
	// waiting are in the spools of a collector of which the hub refuses that session as one
	// of a copy; it has refused some of them.
	waiting map[envelope]bool
	// sealed are all envelopes, own those of the collector itself, twins apart.
	sealed, own map[envelope]bool
	// putAside are slots that the collector told as lost in envelopes that the hub has
	// put aside.
	putAside map[slot]bool
	// takenBack are the envelopes that a full disk did not let the spool keep.
	takenBack map[envelope]bool
	truth     func(schemas.Reading, time.Duration) error
}

// judge holds what was on disk against what the hub has.
func (t *trial) judge(ctx context.Context) error {
	j := &judgement{t: t, readings: account{}, cards: account{}, events: account{}, sealed: make(map[envelope]bool), own: make(map[envelope]bool), destroyed: make(map[read]int), putAside: make(map[slot]bool), truth: t.city.Truthful()}
	happened, err := t.city.Suffered(ctx)
	if err != nil {
		return fmt.Errorf("ask the simulators what they made happen: %w", err)
	}
	t.result.Mishaps = len(happened)
	if j.refused, err = readLetters(t.disks[city.Hub].path("data")); err != nil {
		return err
	}
	if j.waiting, err = t.waiting(j.refused); err != nil {
		return fmt.Errorf("read what the collector has left: %w", err)
	}
	if err := j.collect(); err != nil {
		return fmt.Errorf("read the archive of the spool: %w", err)
	}
	for _, look := range []func(context.Context) error{j.judgeReadings, j.judgeTold, j.judgeCards, j.judgeEvents, j.judgeCounters} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	grid, err := t.city.AuditCases(ctx, t.byItsClock(happened))
	if err != nil {
		return fmt.Errorf("audit of the cases: %w", err)
	}
	t.result.CasesWrong += grid.Recased + grid.Uncased + grid.Broken + grid.Strange
	if grid.Recased+grid.Uncased+grid.Broken+grid.Strange > 0 {
		t.result.example("cases: %q", grid.Examples)
	}
	if r := t.result; r.Readings < fewest || r.Cards == 0 {
		return fmt.Errorf("%d readings and %d card entries were taken, which shows nothing; a trial has %d readings at least, and loads of cards", r.Readings, r.Cards, fewest)
	}
	return nil
}

// byItsClock widens what was made to happen by how far off the collector's clock has been:
// its events have their times by that clock.
func (t *trial) byItsClock(happened []simulators.Mishap) []simulators.Mishap {
	back, ahead := slices.Min(t.clock), slices.Max(t.clock)
	wider := slices.Clone(happened)
	for n := range wider {
		m := &wider[n]
		m.From = m.From.Add(back)
		if !m.To.IsZero() {
			m.To = m.To.Add(ahead)
		}
	}
	return wider
}

// fewest is how many readings a trial takes at least.
const fewest = 1000

// collect reads the archives.
func (j *judgement) collect() error {
	opener, err := j.t.city.Opener()
	if err != nil {
		return err
	}
	archives := []*archive{j.t.own}
	if j.t.twin != nil {
		archives = append(archives, j.t.twin)
	}
	for _, a := range archives {
		err := a.each(func(s schemas.Stream, r record) error {
			e, err := j.enter(opener, s, r.data)
			j.sealed[e] = true
			if a == j.t.own {
				j.own[e] = true
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if j.t.plan.onDisk(city.Collector) {
		if j.takenBack, err = j.t.own.takenBack(); err != nil {
			return err
		}
	}
	for e := range j.t.found { // the archive has links, and would lose what a start cuts off
		if !j.own[e] {
			j.t.result.Lost++
			j.t.result.example("lost on the disk: envelope %v was sound after a kill", e)
		}
	}
	return nil
}

// enter enters what one envelope holds, and returns its name.
func (j *judgement) enter(opener *seal.Opener, s schemas.Stream, data []byte) (in envelope, err error) {
	header, plain, err := opener.Open(nil, data)
	if err != nil {
		return in, err
	}
	in = envelope{header.Context, header.Seq}
	switch s {
	case schemas.Cards:
		batch, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			return in, err
		}
		for i := range batch.Entries {
			j.cards.add(cardName(&batch.Entries[i]), "", in)
		}
	case schemas.Events:
		batch, err := schemas.DecodeEventBatch(plain)
		if err != nil {
			return in, err
		}
		for _, e := range batch.Events {
			j.events.add(eventName(e.ID, e.Phase), e.TakenAt.UTC().String(), in)
		}
	default:
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			return in, err
		}
		if j.refused[in].Code != "" {
			j.notePutAside(batch.Accounts)
		}
		for _, r := range batch.Readings {
			o := j.readings.add(pointOf(r), valueOf(r), in)
			if r.Origin == schemas.Live {
				o.live = readOf(r)
			}
			if len(o.values) > 1 && j.clash(r.Origin, o.values) {
				j.t.result.Clashes++
				j.t.result.example("two values of one moment: %s: %q", o.what, o.values)
			}
		}
	}
	return in, nil
}

// clash reports whether one reading must not have these values. A meter's records are
// what they are, and may be doubted when the clock was off; two collectors with one
// identity may have asked a meter within one millisecond.
func (j *judgement) clash(origin schemas.Origin, values []string) bool {
	if origin == schemas.Live {
		return j.t.twin == nil
	}
	number := func(v string) string { n, _, _ := strings.Cut(v, " q"); return n }
	return slices.ContainsFunc(values, func(v string) bool { return number(v) != number(values[0]) })
}

// readingsOf opens one envelope of readings.
func readingsOf(opener *seal.Opener, data []byte) ([]schemas.Reading, error) {
	_, plain, err := opener.Open(nil, data)
	if err != nil {
		return nil, err
	}
	batch, err := schemas.DecodeBatch(plain)
	if err != nil {
		return nil, err
	}
	return batch.Readings, nil
}

// valueOf is what a reading says beside its place and moment.
func valueOf(r schemas.Reading) string {
	return fmt.Sprintf("%d e%d q%d %s", r.Value.Mantissa, r.Value.Exponent, r.Quality, r.Reason)
}

// cardName names the fact that a card entry tells, as the ledger joins what is equal: not
// by whom and when it was told.
func cardName(e *schemas.CardEntry) string {
	moment := e.TakenAt
	if !e.RecordedAt.IsZero() {
		moment = e.RecordedAt
	}
	number := e.Purchase.Number
	return fmt.Sprint(e.Event, "|", e.Utility, "|", e.Meter, "|", e.MeterNumber, "|", e.Card, "|", e.Replaces, "|", e.Purchase.Scheme, number, "|",
		e.Amount, e.Residual, e.Overdraft, e.Bought, e.Used, "|", e.Fault, "|", e.Counters, "|", e.PurchaseModulus, "|", moment.UnixMilli())
}

func eventName(id schemas.EventID, phase schemas.EventPhase) string {
	return string(id) + " " + string(phase)
}

// storeRejected is the hub's code of an envelope that the store does not hold whole.
const storeRejected = "store_rejected"

// excused returns why everything that carried a thing may be missing; "" says that it
// must be there.
func (j *judgement) excused(o *owed) (reason string) {
	for _, e := range o.in {
		switch code := j.refused[e].Code; {
		case code != "" && code != storeRejected: // that excuses the bad point alone
			reason = code
		case j.t.damaged[e] != "":
			reason = string(j.t.damaged[e])
		case j.t.left[e] && !j.own[e]:
			reason = "with the twin"
		case j.takenBack[e] && !j.t.found[e]:
			reason = "taken back on a full disk"
		case j.waiting[e]:
			reason = seal.BootConflict.String() + ", not sent yet"
		default:
			return ""
		}
	}
	return reason
}

// missing counts what was not found.
func (j *judgement) missing(what string, a account, lost *int) {
	for _, o := range a {
		if o.found {
			continue
		}
		switch reason := j.excused(o); reason {
		case "":
			*lost++
			j.t.result.example("%s lost: %s, in %v", what, o.what, o.in)
		default:
			j.t.result.Excused[reason]++
			if o.live.meter != "" && mustTell(reason) {
				j.destroyed[o.live]++
			}
		}
	}
}

// judgeReadings holds InfluxDB against the spool and the meters.
func (j *judgement) judgeReadings(ctx context.Context) error {
	r := j.t.result
	r.Readings = len(j.readings)
	stored, err := j.stored(ctx)
	if err != nil {
		return fmt.Errorf("read back what is stored: %w", err)
	}
	for _, got := range stored {
		o := j.readings[pointOf(got)]
		switch {
		case o == nil:
			r.Duplicated++
			r.example("stored and never taken: %s %s", pointOf(got), valueOf(got))
			continue
		case !slices.Contains(o.values, valueOf(got)):
			r.Wrong++
			r.example("stored %s with %s, taken was %q", o.what, valueOf(got), o.values)
		case o.found:
			r.Duplicated++
			r.example("stored twice: %s", o.what)
		}
		o.found = true
		if err := j.true(got); err != nil {
			r.Wrong++
			r.example("%v", err)
		}
	}
	for key := range j.t.gate.refused() {
		o := j.readings[key]
		if o == nil || o.found {
			r.Wrong++
			r.example("the bad point %s is stored, or was never taken", key)
			continue
		}
		for _, e := range o.in {
			if j.refused[e].Code == storeRejected {
				r.BadPoints++
				o.found = true
			}
		}
	}
	j.missing("reading", j.readings, &r.Lost)
	return nil
}

// stored reads InfluxDB back. A point that is being written may be seen by halves, so a
// reading that fails is tried again. An InfluxDB that breaks in its answer is started
// again, as the error says: what it had confirmed must be there afterwards.
func (j *judgement) stored(ctx context.Context) (list []schemas.Reading, err error) {
	for range 5 {
		list = list[:0]
		err = j.t.city.EachStored(ctx, func(r schemas.Reading) error {
			list = append(list, r)
			return nil
		})
		if errors.Is(err, store.ErrBroke) && j.t.plan.onDisk(city.Influxd) {
			j.t.result.StoreCrashes++
			if err := errors.Join(j.t.crash(city.Influxd), j.t.comeBack(ctx, city.Influxd)); err != nil {
				return nil, err
			}
			continue
		}
		if err == nil || !sleep(ctx, time.Second) {
			break
		}
	}
	return list, err
}

// true asks the meters, by every clock that the collector has had.
func (j *judgement) true(r schemas.Reading) (err error) {
	for _, off := range j.t.clock {
		at := r
		if r.Origin == schemas.Live {
			at.TakenAt = r.TakenAt.Add(-off)
		}
		if e := j.truth(at, j.late(at.TakenAt)); e == nil {
			return nil
		} else if err == nil {
			err = e
		}
	}
	return err
}

// crowded is how much longer than a test alone on its machine an answer may lie when
// several trials share it.
const crowded = 500 * time.Millisecond

// late is how long an answer may have lain before the collector could look at it.
func (j *judgement) late(at time.Time) time.Duration {
	for _, p := range j.t.pauses {
		if at.After(p.from) && at.Before(p.to.Add(2*time.Second)) {
			return p.to.Sub(p.from) + crowded
		}
	}
	return crowded
}
