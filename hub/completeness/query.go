package completeness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Gap is a run of hours in which a meter has slots without a reading, mostly for one
// Reason. Counts are of these hours in whole.
type Gap struct {
	Collector schemas.CollectorID
	// Meter is empty where a collector has said nothing of any of its meters.
	Meter schemas.MeterID
	// From is the beginning of the first slot without a reading, To the end of the last.
	From, To time.Time
	Counts
	Reason Reason
	// Asked: the collector was asked to refill it.
	Asked bool
}

// Query chooses hours and meters. Empty fields choose all.
type Query struct {
	Since, Until time.Time // slots that begin in Since <= t < Until; required
	Collector    schemas.CollectorID
	Meter        schemas.MeterID
	// Area is the beginning of the code of the collector's area.
	Area   string
	Reason Reason
	// After is the Cursor of an earlier page; Limit bounds the page, 0: DefaultLimit.
	After string
	Limit int
}

// DefaultLimit and MaxLimit are for Query.Limit.
const DefaultLimit, MaxLimit = 100, 1000

// Page is a part of the gaps, those of silent collectors first, then by meter and time.
type Page struct {
	Gaps []Gap
	// Cursor is for the next page; empty on the last.
	Cursor string
}

// ErrCursor says that Query.After is none.
var ErrCursor = errors.New("not the cursor of an earlier page")

// wants reports whether the query is about a collector.
func (l *Ledger) wants(q *Query, id schemas.CollectorID) bool {
	if q.Collector != "" && q.Collector != id {
		return false
	}
	return q.Area == "" || l.o.Area != nil && strings.HasPrefix(string(l.o.Area(id)), q.Area)
}

// Gaps lists gaps.
func (l *Ledger) Gaps(ctx context.Context, q Query) (p Page, err error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	after, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	g := &gathering{q: &q, after: after, page: &p}
	if q.After == "" && (q.Reason == "" || q.Reason == NoWord) && q.Meter == "" {
		p.Gaps = append(p.Gaps, l.unsaid(&q, l.o.Now())...)
	}
	where, args := q.where("short > 0")
	if after.meter != "" {
		where += " AND " + l.bytewise("meter") + " >= ?"
		args = append(args, string(after.meter))
	}
	err = l.rows(ctx, where, args, func(key rowKey, d day) error {
		if !l.wants(&q, key.collector) {
			return nil
		}
		return g.add(key, d)
	})
	if err == nil {
		err = g.end()
	}
	if err != nil && !errors.Is(err, errEnough) {
		return Page{}, sqldb.Explain("list gaps", err)
	}
	return p, nil
}

// where is the condition of a query, which the tables can answer.
func (q *Query) where(also string) (where string, args []any) {
	where, args = also+" AND day >= ? AND day <= ?", []any{q.Since.Unix() / 86400, q.Until.Unix() / 86400}
	if q.Collector != "" {
		where, args = where+" AND collector = ?", append(args, string(q.Collector))
	}
	if q.Meter != "" {
		where, args = where+" AND meter = ?", append(args, string(q.Meter))
	}
	return where, args
}

// cursor is the last gap of a page.
type cursor struct {
	source
	from int64
}

func (c cursor) String() string { return fmt.Sprintf("%s.%s.%d", c.meter, c.collector, c.from) }

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return c, ErrCursor
	}
	c.meter, c.collector = schemas.MeterID(parts[0]), schemas.CollectorID(parts[1])
	if c.from, err = strconv.ParseInt(parts[2], 10, 64); err != nil || c.meter.Validate() != nil || c.collector.Validate() != nil {
		return c, ErrCursor
	}
	return c, nil
}

// gathering makes gaps of the hours of rows that come in order.
type gathering struct {
	q     *Query
	after cursor
	page  *Page
	open  *Gap
	until time.Time // the end of the open gap's last hour
}

// add takes a row.
func (g *gathering) add(key rowKey, d day) error {
	for _, k := range d.keys() {
		one, ok := g.q.gapOf(key, k, d[k])
		if !ok {
			continue
		}
		hour := key.begin(k.hour)
		if o := g.open; o != nil && o.Meter == one.Meter && o.Collector == one.Collector && o.Reason == one.Reason && o.Asked == one.Asked && !hour.After(g.until) {
			o.Counts.Add(&one.Counts)
			o.To = later(o.To, one.To)
		} else {
			if err := g.end(); err != nil {
				return err
			}
			g.open = &one
		}
		g.until = hour.Add(time.Hour)
		if k.Interval > time.Hour {
			g.until = one.To
		}
	}
	return nil
}

// end closes the open gap.
func (g *gathering) end() error {
	o := g.open
	g.open = nil
	if o == nil || g.q.Reason != "" && o.Reason != g.q.Reason {
		return nil
	}
	at := cursor{source{o.Meter, o.Collector}, o.From.UnixMilli()}
	if g.after.meter != "" && at.order(g.after) <= 0 {
		return nil
	}
	if len(g.page.Gaps) >= g.q.Limit {
		last := g.page.Gaps[len(g.page.Gaps)-1]
		if last.Meter != "" {
			g.page.Cursor = cursor{source{last.Meter, last.Collector}, last.From.UnixMilli()}.String()
			return errEnough
		}
	}
	g.page.Gaps = append(g.page.Gaps, *o)
	return nil
}

func (c cursor) order(d cursor) int {
	return cmp.Or(strings.Compare(string(c.meter), string(d.meter)), strings.Compare(string(c.collector), string(d.collector)), cmp.Compare(c.from, d.from))
}

// window returns the slots of an hour that the query chooses.
func (q *Query) window(hour time.Time, s schemas.Schedule) (w window) {
	w.end = s.Slots(hour)
	if !hour.Before(q.Since) && !hour.Add(time.Hour).After(q.Until) {
		return w
	}
	for w.from < w.end && s.Begin(hour, w.from).Before(q.Since) {
		w.from++
	}
	for w.end > w.from && !s.Begin(hour, w.end-1).Before(q.Until) {
		w.end--
	}
	return w
}

// gapOf makes a gap of one hour; ok is false where nothing is missing.
func (q *Query) gapOf(key rowKey, k hourKey, r *record) (g Gap, ok bool) {
	hour := key.begin(k.hour)
	w := q.window(hour, k.Schedule)
	g = Gap{Collector: key.collector, Meter: key.meter, Counts: r.count(w), Asked: r.asked}
	if g.Missing() == 0 {
		return g, false
	}
	for n := range r.planned.all {
		if s, _ := r.state(n); n >= w.from && n < w.end && (s == isLost || s == isUnknown) {
			if g.From.IsZero() {
				g.From = k.Begin(hour, n)
			}
			g.To = k.Begin(hour, n).Add(k.Interval)
		}
	}
	g.Reason = g.Counts.reason()
	return g, true
}

// reason is the one that most of the missing slots have.
func (c *Counts) reason() Reason {
	best, most := Unknown, c.Unknown
	for _, reason := range Reasons() {
		if n := c.Lost[reason]; n > most {
			best, most = reason, n
		}
	}
	return best
}

// unsaidAfter is how long after an hour its account may come: it waits for slow slots, and
// for the collector's next look.
const unsaidAfter = 70 * time.Minute

// unsaid returns what collectors have not told of, a gap for each of them. One that is not
// enrolled any more ends with its last account.
func (l *Ledger) unsaid(q *Query, now time.Time) (list []Gap) {
	l.mu.Lock()
	newest := make(map[schemas.CollectorID]time.Time)
	for from, s := range l.schedules {
		newest[from.collector] = later(newest[from.collector], s.told)
	}
	gaps := make(map[schemas.CollectorID]*Gap)
	for from, s := range l.schedules {
		id := from.collector
		// A meter of which its collector says nothing while it goes on telling of others
		// is not read by it any more.
		if !l.wants(q, id) || !l.enrolled(id) || newest[id].Sub(s.told) > s.Interval+3*unsaidAfter {
			continue
		}
		if !l.silent(id, now) && now.Sub(newest[id]) <= unsaidAfter+time.Hour+s.Interval {
			continue
		}
		n, begin := s.between(later(s.told, q.Since), earlier(now, q.Until))
		if n == 0 {
			continue
		}
		g := gaps[id]
		if g == nil {
			g = &Gap{Collector: id, From: begin, To: earlier(now, q.Until), Reason: NoWord}
			gaps[id] = g
		}
		g.From = earlier(g.From, begin)
		g.Expected += n
		g.Unknown += n
	}
	l.mu.Unlock()
	for _, g := range gaps {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Gap) int { return strings.Compare(string(a.Collector), string(b.Collector)) })
	return list
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// between counts the slots that begin in from <= t < to, and returns the first.
func (s schedule) between(from, to time.Time) (n int64, first time.Time) {
	since := from.UnixNano() - int64(s.Offset)
	k := since / int64(s.Interval)
	if since%int64(s.Interval) > 0 {
		k++
	}
	first = time.Unix(0, k*int64(s.Interval)+int64(s.Offset)).UTC()
	if !first.Before(to) {
		return 0, first
	}
	return (int64(to.Sub(first)) + int64(s.Interval) - 1) / int64(s.Interval), first
}

// Collector is what is known of one collector in a time.
type Collector struct {
	ID     schemas.CollectorID
	Meters int // of which it has told in that time
	Counts
	// Told is the end of the newest slot that it told of; zero: it tells of none, as
	// programs from before the ledger do, and what is expected of it is not known.
	Told time.Time
	// Heard is when it said anything last; Silent reports that this is too long ago.
	Heard  time.Time
	Silent bool
}

// Completeness counts for every collector. What it has not told of is expected and
// unknown, as far as its schedule is known.
func (l *Ledger) Completeness(ctx context.Context, q Query) (list []Collector, err error) {
	now := l.o.Now()
	all := l.collectors(&q, now)
	where, args := q.where("1 = 1")
	var last source
	err = l.rows(ctx, where, args, func(key rowKey, d day) error {
		if !l.wants(&q, key.collector) {
			return nil
		}
		c := all[key.collector]
		if c == nil {
			c = l.retired(key.collector)
			all[key.collector] = c
		}
		if key.source != last {
			last = key.source
			c.Meters++
		}
		for k, r := range d {
			n := r.count(q.window(key.begin(k.hour), k.Schedule))
			c.Counts.Add(&n)
		}
		return nil
	})
	if err != nil {
		return nil, sqldb.Explain("count completeness", err)
	}
	if q.Meter == "" {
		for _, g := range l.unsaid(&q, now) {
			if c := all[g.Collector]; c != nil {
				c.Counts.Add(&g.Counts)
			}
		}
	}
	for _, c := range all {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Collector) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list, nil
}

// retired is a collector that is listed for what it once told.
func (l *Ledger) retired(id schemas.CollectorID) *Collector {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &Collector{ID: id, Heard: l.heard[id]}
	for from, s := range l.schedules {
		if from.collector == id {
			c.Told = later(c.Told, s.told)
		}
	}
	return c
}

// collectors lists those that the query is about and that are enrolled, without counts.
func (l *Ledger) collectors(q *Query, now time.Time) map[schemas.CollectorID]*Collector {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[schemas.CollectorID]*Collector)
	for id, heard := range l.heard {
		if l.wants(q, id) && l.enrolled(id) {
			all[id] = &Collector{ID: id, Heard: heard, Silent: l.silent(id, now)}
		}
	}
	for from, s := range l.schedules {
		if c := all[from.collector]; c != nil {
			c.Told = later(c.Told, s.told)
		}
	}
	return all
}

// gaugeSpan is the time that the metrics are about.
const gaugeSpan = 24 * time.Hour

// Gauges are figures for metrics, of the last day.
type Gauges struct {
	Slots  map[Reason]int64 // without a reading, by reason
	Silent int              // collectors that have said nothing for long
}

// Gauges returns the figures of the last round of Run.
func (l *Ledger) Gauges() Gauges {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gauges
}

func (l *Ledger) countGauges(ctx context.Context, now time.Time) error {
	q := Query{Since: now.Add(-gaugeSpan), Until: now}
	g := Gauges{Slots: make(map[Reason]int64)}
	where, args := q.where("short > 0")
	err := l.rows(ctx, where, args, func(key rowKey, d day) error {
		for k, r := range d {
			n := r.count(q.window(key.begin(k.hour), k.Schedule))
			g.Slots[Unknown] += n.Unknown
			for reason, lost := range n.Lost {
				g.Slots[reason] += lost
			}
		}
		return nil
	})
	if err != nil {
		return sqldb.Explain("count gaps", err)
	}
	for _, one := range l.unsaid(&q, now) {
		g.Slots[NoWord] += one.Unknown
	}
	for _, c := range l.collectors(&q, now) {
		if c.Silent {
			g.Silent++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gauges = g
	return nil
}
