package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/schemas/seal"
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
	truth     func(schemas.Reading, time.Duration) error
}

// judge holds what was on disk against what the hub has.
func (t *trial) judge(ctx context.Context) error {
	j := &judgement{t: t, readings: account{}, cards: account{}, events: account{}, destroyed: make(map[read]int), truth: t.city.Truthful()}
	happened, err := t.city.Suffered(ctx)
	if err != nil {
		return fmt.Errorf("ask the simulators what they made happen: %w", err)
	}
	t.result.Mishaps = len(happened)
	if err := j.collect(); err != nil {
		return fmt.Errorf("read the archive of the spool: %w", err)
	}
	if j.refused, err = readLetters(t.disks[city.Hub].path("data")); err != nil {
		return err
	}
	for _, look := range []func(context.Context) error{j.judgeLogs, j.judgeReadings, j.judgeTold, j.judgeCards, j.judgeEvents, j.judgeCounters} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	grid, err := t.city.AuditCases(ctx, happened)
	if err != nil {
		return fmt.Errorf("audit of the cases: %w", err)
	}
	t.result.CasesWrong += grid.Recased + grid.Uncased + grid.Broken
	if grid.Recased+grid.Uncased+grid.Broken > 0 {
		t.result.example("cases: %q", grid.Examples)
	}
	return nil
}

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
		err := a.each(func(s schemas.Stream, r record) error { return j.enter(opener, s, r.data) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// enter enters what one envelope holds.
func (j *judgement) enter(opener *seal.Opener, s schemas.Stream, data []byte) error {
	header, plain, err := opener.Open(nil, data)
	if err != nil {
		return err
	}
	in := envelope{header.Context, header.Seq}
	switch s {
	case schemas.Cards:
		batch, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			return err
		}
		for i := range batch.Entries {
			j.cards.add(cardName(&batch.Entries[i]), "", in)
		}
	case schemas.Events:
		batch, err := schemas.DecodeEventBatch(plain)
		if err != nil {
			return err
		}
		for _, e := range batch.Events {
			j.events.add(eventName(e.ID, e.Phase), e.TakenAt.UTC().String(), in)
		}
	default:
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			return err
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
	return nil
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
		case j.t.left[e]:
			reason = "with the twin"
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
// reading that fails is tried again.
func (j *judgement) stored(ctx context.Context) (list []schemas.Reading, err error) {
	for range 5 {
		list = list[:0]
		err = j.t.city.EachStored(ctx, func(r schemas.Reading) error {
			list = append(list, r)
			return nil
		})
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

// judgeCounters holds the hub's own account against the gate's: a hub that stores an
// envelope twice counts more points than the envelopes hold that it has written.
func (j *judgement) judgeCounters(ctx context.Context) error {
	families, err := j.t.city.HubMetrics(ctx)
	if err != nil {
		return err
	}
	r := j.t.result
	life, again, kills := j.t.gate.counts()
	r.Rewritten, r.Unremembered = again, kills
	most := 0
	for point := range life {
		if o := j.readings[point]; o != nil {
			most += len(o.in) // what is read from a meter's memory again is sealed again
		}
	}
	if counted := int(city.Sum(families["citygrid_hub_points_stored_total"])); counted > most {
		r.Duplicated += counted - most
		r.example("the hub counts %d points stored, and its envelopes hold %d", counted, most)
	}
	r.MissingEnvelopes = int(city.Sum(families["citygrid_hub_missing_envelopes"]))
	rejected, ok := families["citygrid_store_rejected_points"]
	if !ok {
		return errors.New("the hub does not count the points that the store refused")
	}
	j.judgeLetters(int(city.Sum(rejected)))
	return nil
}

// judgeLetters holds what the hub has put aside against what InfluxDB was made to refuse:
// a good reading that went aside with a bad one is as good as lost. rejected is the hub's
// own count.
func (j *judgement) judgeLetters(rejected int) {
	r := j.t.result
	spoilt, most := map[envelope]int{}, 0
	for key := range j.t.gate.refused() {
		if o := j.readings[key]; o != nil {
			most += len(o.in)
			for _, e := range o.in {
				spoilt[e]++
			}
		}
	}
	if rejected > most {
		r.Unexpected += rejected - most
		r.example("the hub counts %d points that the store refused, and it was made to refuse %d", rejected, most)
	}
	for e, l := range j.refused {
		r.Refused[l.Code]++
		switch {
		case l.Code == storeRejected && l.badReadings() != spoilt[e]:
			r.Unexpected++
			r.example("of envelope %v the hub has put %d readings aside (%s), and %d were bad", e, l.badReadings(), l.Reason, spoilt[e])
		case l.Code != storeRejected && !j.t.plan.twins():
			r.Unexpected++
			r.example("envelope %v was refused: %s", e, l.Code)
		}
	}
}

// judgeLogs looks for what a program says when it breaks.
func (j *judgement) judgeLogs(context.Context) error {
	for _, path := range j.t.city.Logs() {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			switch {
			case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"), strings.Contains(line, "DATA RACE"), strings.Contains(line, "http: panic"):
				j.t.result.Panics++
				j.t.result.example("%s: %s", filepath.Base(path), strings.TrimSpace(line))
			case strings.Contains(line, "msg=spool ") && strings.Contains(line, "records lost"):
				j.t.result.Reported++
			case strings.Contains(line, "no space left on device"):
				j.t.result.NoSpace++
			}
		}
	}
	return nil
}
