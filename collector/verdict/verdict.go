package verdict

import "citygrid/schemas"

// Validator judges the readings of one meter. It is for one goroutine.
type Validator struct {
	rules  Rules
	plates []string // of the installations, in one form
	slots  []slot
	// flows are those of the gauges that a stuck counter is known by; none when
	// StuckAfter is 0.
	flows []*flow
	// cursor is where the next reading's slot is when the meter gives its
	// quantities in the order of the last time.
	cursor int
	// later are the counters of the Read in hand, judged after its gauges.
	later []todo
	// read counts the calls of Judge: it tells a flow of this Read from an
	// older one.
	read uint64
	// spell is the installation of the last live reading.
	spell  spell
	liveAt int64 // of that reading; 0: there was none
	// serial is the meter's number when its baselines were taken, heard the one
	// that it gave last.
	serial, heard string
	// barred: no value is of the meter on record (see stranger).
	barred bool
	// asked is the Read that heard was asked for.
	asked uint64
	notes []Note
}

type todo struct {
	reading *schemas.Reading
	slot    int
}

// New returns a Validator that goes on from state. The zero State is a meter
// of which nothing is known.
func New(rules Rules, state State) *Validator {
	v := &Validator{
		rules: rules, serial: state.Serial, heard: state.Heard,
		spell: spell{index: unknownSpell},
		read:  1, // so that nothing seems to have been asked since the last
	}
	for _, inst := range rules.Installations {
		v.plates = append(v.plates, plate(inst.Serial))
	}
	for _, c := range state.Counters {
		if i := v.find(c.Quantity, c.Origin); i >= 0 && v.slots[i].counter != nil {
			v.slots[i].restore(c)
		}
	}
	if !state.LiveAt.IsZero() {
		v.liveAt = state.LiveAt.UnixMilli()
		v.begin(spellAt(rules.Installations, v.liveAt))
	}
	return v
}

// Judge gives each reading its verdict, in place. It wants all readings of one
// Read at once, because a flow is the witness for a counter; they are of this
// meter and well formed.
func (v *Validator) Judge(readings []schemas.Reading) {
	v.read++
	v.cursor = 0
	v.later = v.later[:0]
	if v.slots == nil {
		v.slots = make([]slot, 0, len(readings)) // most often all that there will be
	}
	for i := range readings {
		r := &readings[i]
		n := v.find(r.Quantity, r.Origin)
		if n < 0 || r.Quality != schemas.Good {
			continue // an unknown quantity is refused by the codec, which names it
		}
		if s := &v.slots[n]; s.counter == nil {
			v.judgeGauge(s, r)
			continue
		}
		v.later = append(v.later, todo{r, n})
	}
	for _, t := range v.later {
		if reason := v.judgeCounter(&v.slots[t.slot], t.reading); reason != "" {
			doubt(t.reading, reason)
		}
	}
	clear(v.later) // keeps no reading alive
}

func doubt(r *schemas.Reading, reason schemas.Reason) {
	r.Quality, r.Reason = schemas.Suspect, reason
}

// judgeGauge judges a value that may go up and down.
func (v *Validator) judgeGauge(s *slot, r *schemas.Reading) {
	at := r.TakenAt.UnixMilli()
	switch {
	case !s.holds(r.Value):
		doubt(r, schemas.ReasonRange)
	case v.stranger(s, at):
		doubt(r, schemas.ReasonSwap)
	case s.reverse && r.Value.Mantissa < 0:
		doubt(r, schemas.ReasonReverse)
	case s.shows != nil:
		s.shows.read, s.shows.value = v.read, float(r.Value)
	}
}
