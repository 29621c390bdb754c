package collector

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// moments gives the readings of the schedule their moments, so that no meter has one
// millisecond twice: the store knows a reading by its meter, quantity and millisecond, and
// of two with one name it would keep one.
//
// A clock that is set back comes to moments again that were given before, and reads are
// aligned, so that they meet. To remember every moment would take a record for each
// reading; instead the milliseconds are parted into tracks that have none in common. Track
// 0 has all but each fourth, and is in use as long as the clock only goes on; each fourth
// one belongs to one of tracks 1 to 8 in turn. Of each track it is remembered, as a few
// spans, which times it may have been used in. A reading takes the first track that is
// free at its moment: in order it is moved by one millisecond or not at all, after a clock
// was set back by less than 32. It stays in its slot.
//
// The file has a span before a moment of it is given, and the one in hand reaches ahead
// there. So nothing is given twice after a kill either: what may have been given goes as
// given, and the seconds up to its end are passed on the next track. It reaches as far
// ahead as it has come, so that a collector which is killed soon after each start, over and
// over, does not use up the tracks.
type moments struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	tracks [tracks]trackUse
	failed bool // the last write
	worn   bool // no track was free for the last reading
}

// trackUse is when a track was in use.
type trackUse struct {
	// used are the times in which any meter may have been given any moment.
	used []span
	// open is the time that is in use now, as the file has it: to its end nothing
	// needs to be written. In it each meter goes on from its own last moment. top is
	// the last of all; 0: nothing is open.
	open span
	top  int64
}

// span is a time, both ends in it, in milliseconds since the epoch.
type span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (s span) has(at int64) bool { return s.From <= at && at <= s.To }

// lastGiven is the last moment that a meter was given in each track.
type lastGiven [tracks]int64

const (
	// tracks is one more than how often a clock may come back to one moment.
	tracks = 9
	// trackPeriod is from one moment of a track to the next, in ms: a power of two, and
	// below half of the shortest interval, so that each slot has some.
	trackPeriod = 4 * (tracks - 1)
	// momentsAhead is how far at most what is written reaches ahead, in ms, and
	// momentsAheadFirst how far at first: a write each 20 s, once the clock has gone on
	// for 20 s without a leap.
	momentsAhead      = 20_000
	momentsAheadFirst = 500
	// momentsGap is how far a clock may go on in one step and in one span, in ms.
	momentsGap = 3_600_000
	// maxSpans bounds what is remembered of a track.
	maxSpans = 16

	momentsHead = "citygrid moments 1 %08x\n"
)

// onTrack returns the first moment of a track that is not before at.
func onTrack(track int, at int64) int64 {
	switch {
	case track > 0:
		return at + (int64(4*track-1)-at)&(trackPeriod-1)
	case at&3 == 3:
		return at + 1
	}
	return at
}

// beforeOnTrack returns a moment of a track before at, which is one of the track after one
// of another.
func beforeOnTrack(track int, at int64) int64 {
	if track > 0 {
		return at - trackPeriod
	}
	return at - 2
}

// openMoments reads the file at path. One that cannot be read is set aside and reported.
func openMoments(path string, log *slog.Logger, now time.Time) *moments {
	p := &moments{path: path, log: log}
	data, err := os.ReadFile(path)
	if err == nil {
		err = p.decode(data)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Error("which moments were given to readings cannot be read and is set aside; if the clock was set back since, one reading may replace another. Look at the disk",
			"file", path, "kept_as", asideName(path, now), "error", errors.Join(err, setAside(path, now)))
	}
	return p
}

func (p *moments) decode(data []byte) error {
	body, err := unchecked(momentsHead, data)
	if err != nil {
		return err
	}
	var used [][]span
	if err := json.Unmarshal(body, &used); err != nil {
		return fmt.Errorf("%w: %w", errState, err)
	}
	if len(used) != tracks {
		return fmt.Errorf("%w: %d tracks", errState, len(used))
	}
	for i := range used {
		if slices.ContainsFunc(used[i], func(s span) bool { return s.From < 0 || s.From > s.To || s.To > 1<<52 }) {
			return fmt.Errorf("%w: a span that is none, on track %d", errState, i)
		}
	}
	for i := range used {
		p.tracks[i].used = joined(used[i])
	}
	return nil
}

// give gives the live readings of one read of m their moments. A nil p leaves them as
// they are.
func (p *moments) give(m *meterState, readings []schemas.Reading) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// The answers of one read hold different quantities, so they may share a moment.
	last := m.given
	for i := range readings {
		r := &readings[i]
		if r.Origin != schemas.Live {
			continue
		}
		at := r.TakenAt.UnixMilli()
		track, moment, ok := p.choose(&last, m.slotOf(r.TakenAt), at)
		if !ok {
			p.overused(m, r, moment)
		}
		p.worn = !ok
		p.take(track, moment)
		if last := m.given[track]; last < moment || !p.tracks[track].inHand().has(last) {
			m.given[track] = moment
		}
		if moment != at {
			r.TakenAt = time.UnixMilli(moment).UTC()
		}
	}
}

// slotOf returns the slot of a moment.
func (m *meterState) slotOf(at time.Time) span {
	slot := slotAt(at, m.Interval, m.Offset)
	const rest = time.Millisecond - 1 // of a slot that begins within a millisecond
	return span{slot.Add(rest).UnixMilli(), slot.Add(m.Interval+rest).UnixMilli() - 1}
}

// choose returns the track and the moment for a reading taken at at. ok is false when
// every track has been used at that time; the moment is then the next that is free.
func (p *moments) choose(last *lastGiven, slot span, at int64) (track int, moment int64, ok bool) {
	for t := range p.tracks {
		s := onTrack(t, at)
		if s > slot.To { // every slot has several moments of each track
			s = beforeOnTrack(t, s)
		}
		free := p.tracks[t].free(t, s, last[t])
		if free == s {
			return t, s, true
		}
		if t == 0 || free < moment {
			track, moment = t, free
		}
	}
	return track, moment, false
}

// free returns the first moment of a track from at on that a meter has not been given,
// whose last one in the track is last.
func (u *trackUse) free(track int, at, last int64) int64 {
	for {
		next := at
		for _, s := range u.used {
			if s.has(next) {
				next = onTrack(track, s.To+1)
			}
		}
		// A last moment that is not in hand lies in what is used.
		if hand := u.inHand(); hand.has(last) && hand.From <= next && next <= last {
			next = onTrack(track, last+1)
		}
		if next == at {
			return at
		}
		at = next
	}
}

// inHand returns the time that is open, up to the last moment given in it.
func (u *trackUse) inHand() span { return span{u.open.From, u.top} }

// take notes that a moment is in use, and does not return before that is on disk.
func (p *moments) take(track int, at int64) {
	u := &p.tracks[track]
	switch {
	case u.top == 0 || at < u.open.From || at > u.top+momentsGap: // the clock has leapt
		u.close()
		u.open, u.top = span{at, at}, at
	case at <= u.open.To:
		u.top = max(u.top, at)
		return
	default:
		u.top = at
	}
	u.open.To = at + min(max(at-u.open.From, momentsAheadFirst), momentsAhead)
	p.write()
}

// close puts what is open to what is used.
func (u *trackUse) close() {
	if u.top > 0 {
		u.used = joined(append(u.used, u.inHand()))
		u.open, u.top = span{}, 0
	}
}

// joined puts spans in order and joins those that meet, and the nearest while there are
// too many: what lies between them then counts as used.
func joined(list []span) []span {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	for i := 1; i < len(list); {
		if list[i].From <= list[i-1].To+1 {
			list[i-1].To = max(list[i-1].To, list[i].To)
			list = slices.Delete(list, i, i+1)
			continue
		}
		i++
	}
	for len(list) > maxSpans {
		nearest := 1
		for i := 2; i < len(list); i++ {
			if list[i].From-list[i-1].To < list[nearest].From-list[nearest-1].To {
				nearest = i
			}
		}
		list[nearest-1].To = list[nearest].To
		list = slices.Delete(list, nearest, nearest+1)
	}
	return list
}

// write writes the file. Reading goes on without it: what is lost then is lost only if the
// clock is set back and the collector is killed before the disk works again.
func (p *moments) write() {
	var used [tracks][]span
	for i := range p.tracks {
		u := &p.tracks[i]
		used[i] = slices.Clone(u.used)
		if u.top > 0 {
			used[i] = append(used[i], u.open)
		}
	}
	data, err := json.Marshal(used)
	if err == nil {
		err = durable.WriteFile(p.path, checked(momentsHead, append(data, '\n')), 0o600)
	}
	if err != nil && !p.failed {
		p.log.Error("which moments are given to readings cannot be written; it is tried again while reading goes on", "file", p.path, "error", err)
	}
	p.failed = err != nil
}

// finish writes, once the lines have ended, what was really given: nothing ahead.
func (p *moments) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	given := false
	for i := range p.tracks {
		u := &p.tracks[i]
		given = given || u.top > 0
		u.close()
	}
	if given {
		p.write()
	}
}

// overused doubts a reading whose time has been used on every track: it gets the next
// moment that is free, which is not when it was taken, so that no other is lost to it.
func (p *moments) overused(m *meterState, r *schemas.Reading, moment int64) {
	if !p.worn {
		p.log.Error("the clock has been set back to one time too often; a reading gets a later moment and is marked. Set the clock right: look whether NTP runs",
			"meter", m.ID, "quantity", string(r.Quantity), "clock", r.TakenAt, "moment", time.UnixMilli(moment).UTC())
	}
	if r.Quality == schemas.Good {
		r.Quality, r.Reason = schemas.Suspect, schemas.ReasonClock
	}
}
