package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"citygrid/hub/registry/assets"
	"citygrid/schemas"
)

// Bounds of a diagnosis.
const (
	maxAttendance   = 20_000 // moments of reading that are looked at: one every 5 s for a day
	maxDoubtful     = 10_000 // readings that are counted
	maxDoubtfulList = 100    // readings that are listed
)

// fromStore adds what stored readings say: the rates that no collector has told, and
// the verdicts of the last day.
func (rt *routes) fromStore(ctx context.Context, d *DiagnosisJSON, id schemas.MeterID, main schemas.Quantity) error {
	if main != "" {
		// A day on which clocks go back is longer than dayWindow.
		a, err := rt.diagnoses.Attendance(ctx, id, main, earliest(d.Day.From, d.Today.From), d.At, maxAttendance)
		if err != nil {
			return err
		}
		d.Day.fill(a.since(d.Day.From), d.At, 0)
		if d.Today.Source == "none" {
			d.Today.fill(a.since(d.Today.From), d.At, a.interval())
		}
	}
	list, more, err := rt.diagnoses.Doubtful(ctx, id, d.Day.From, d.At, maxDoubtful)
	if err != nil {
		return err
	}
	d.DoubtfulAll = !more
	d.Verdicts, d.Doubtful = countVerdicts(list), newestDoubtful(list)
	return nil
}

// since returns the part of a that begins at from, which is in its range.
func (a Attendance) since(from time.Time) Attendance {
	n := sort.Search(len(a.Times), func(i int) bool { return a.Times[i].Before(from) })
	if n < len(a.Times) {
		return Attendance{Times: a.Times[:n], Before: true}
	}
	return a
}

// fill works the rate out of readings: those that came, of these and those that are
// missing between them, before the first and after the last. What came before the
// meter was first read, or before the oldest time that is known, counts as nothing.
// Fewer than three readings say nothing of the interval; then it is interval, if that is
// known.
func (s *SuccessJSON) fill(a Attendance, now time.Time, interval time.Duration) {
	n := len(a.Times)
	s.Read, s.Source = uint64(n), "readings"
	if n > 0 && (a.More || !a.Before) && a.Times[n-1].After(s.From) {
		s.From = a.Times[n-1].UTC()
	}
	if n < 3 {
		if interval > 0 {
			s.plan(max(uint64(n), slotsIn(now.Sub(s.From), interval)))
		}
		return
	}
	gaps := distances(a.Times)
	missed := slotsIn(now.Sub(a.Times[0]), usual(gaps[:min(len(gaps), neighbours)]))
	for i, gap := range gaps {
		missed += slotsBetween(gap, usualAround(gaps, i))
	}
	if lead := a.Times[n-1].Sub(s.From); lead > 0 {
		missed += slotsIn(lead, usual(gaps[max(0, len(gaps)-neighbours):]))
	}
	s.plan(s.Read + missed)
}

// plan sets how many readings there should be.
func (s *SuccessJSON) plan(planned uint64) {
	if s.Planned = &planned; planned > 0 {
		s.Rate = new(float64(s.Read) / float64(planned))
	}
}

// interval is the usual distance of the newest readings; 0 when they are too few to
// say.
func (a Attendance) interval() time.Duration {
	if len(a.Times) < 3 {
		return 0
	}
	return usual(distances(a.Times))
}

// neighbours is how many distances on each side say what is usual.
const neighbours = 8

func distances(newest []time.Time) []time.Duration {
	list := make([]time.Duration, len(newest)-1)
	for i := range list {
		list[i] = newest[i].Sub(newest[i+1])
	}
	return list
}

// usual is the lower quartile of up to neighbours distances, as what is missing only
// makes some of them longer; 0 of none.
func usual(some []time.Duration) time.Duration {
	var sorted [neighbours]time.Duration
	n := copy(sorted[:], some)
	if n == 0 {
		return 0
	}
	slices.Sort(sorted[:n])
	return sorted[n/4]
}

// slotsBetween is how many readings are missing between two that are so far apart.
func slotsBetween(gap, usual time.Duration) uint64 {
	if usual <= 0 || gap <= usual {
		return 0
	}
	return uint64((gap+usual/2)/usual) - 1
}

// slotsIn is how many slots lie wholly in a time that has no reading.
func slotsIn(span, usual time.Duration) uint64 {
	if usual <= 0 || span <= usual {
		return 0
	}
	return uint64(span / usual)
}

// countVerdicts counts by quantity, quality and reason, the most first.
func countVerdicts(list []schemas.Reading) []VerdictJSON {
	type kind struct {
		quantity schemas.Quantity
		quality  schemas.Quality
		reason   schemas.Reason
	}
	at := make(map[kind]int)
	out := []VerdictJSON{}
	for i := range list {
		r := &list[i]
		k := kind{r.Quantity, r.Quality, r.Reason}
		n, known := at[k]
		if !known {
			n = len(out)
			at[k] = n
			out = append(out, VerdictJSON{Quantity: string(r.Quantity), Quality: r.Quality.String(), Reason: string(r.Reason)})
		}
		v := &out[n]
		v.Count++
		if r.TakenAt.After(v.Last) {
			v.Last = r.TakenAt.UTC()
		}
	}
	slices.SortStableFunc(out, func(a, b VerdictJSON) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Quantity, b.Quantity), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// newestDoubtful returns the newest readings, newest first. list is put in another
// order.
func newestDoubtful(list []schemas.Reading) []DoubtfulJSON {
	slices.SortStableFunc(list, func(a, b schemas.Reading) int {
		return cmp.Or(b.TakenAt.Compare(a.TakenAt), cmp.Compare(a.Quantity, b.Quantity))
	})
	out := []DoubtfulJSON{}
	for i := range list[:min(len(list), maxDoubtfulList)] {
		r := &list[i]
		j := DoubtfulJSON{TakenAt: r.TakenAt.UTC(), Quantity: string(r.Quantity), Origin: originName(r.Origin),
			Unit: string(r.Unit), Quality: r.Quality.String(), Reason: string(r.Reason)}
		if r.HasValue() {
			j.Value = text(r.Value)
		}
		out = append(out, j)
	}
	return out
}

// fromRegister adds where the meter is, for whoever may ask the register. A meter, or a component, that the register
// does not know is no error.
func (rt *routes) fromRegister(ctx context.Context, d *DiagnosisJSON, id schemas.MeterID) error {
	if rt.registry == nil || !detailOf(ctx).things {
		return nil
	}
	links, err := rt.registry.Register.Links(ctx, assets.LinkFilter{Meter: id}, assets.Page{Limit: 1})
	if err != nil || len(links) == 0 {
		return err
	}
	link := &links[0]
	d.Line = link.Line
	if d.Collector == "" {
		d.Collector = string(link.Collector)
	}
	d.Place = &PlaceMark{Component: string(link.Component)}
	c, err := rt.registry.Register.Component(ctx, link.Component)
	if errors.Is(err, assets.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	d.Place.Name, d.Place.Location, d.Place.Cell = cmp.Or(c.Name, c.ClassName, c.Class.String()), c.Location, string(c.Cell)
	return nil
}
