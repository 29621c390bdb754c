package simulators

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// What goes wrong with a meter while the fleet runs, until somebody mends it.
const (
	Leaks  = "leaks"  // water runs behind it that nobody uses
	Silent = "silent" // it gives no answer, and goes on counting
)

// MaxLeak is the largest leak, in m3/h: a main of DN100 that is gone.
const MaxLeak = 200

// Mishap is something that goes wrong with a meter at a moment that nobody knew
// beforehand, and is mended at another. It begins and ends with a step of the meter;
// no value that was shown before is another for it.
type Mishap struct {
	Meter schemas.MeterID `json:"meter"`
	What  string          `json:"what"`
	// Flow is what a leak adds, in m3/h.
	Flow float64 `json:"flow,omitempty"`
	// From is the first moment; To the first after it, zero while it is not mended.
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// mishap is a Mishap in steps.
type mishap struct {
	leaks    bool
	flow     float64
	from, to uint64 // to is endless while it is not mended
}

const endless = ^uint64(0)

// within returns how many steps of [from, to) the mishap lasted.
func (x *mishap) within(from, to uint64) uint64 {
	from, to = max(from, x.from), min(to, x.to)
	if from >= to {
		return 0
	}
	return to - from
}

// ErrMishap says that a mishap cannot begin or end as it was asked for.
var ErrMishap = errors.New("that cannot happen to this meter")

// CanSuffer returns nil where Begin could make a mishap of the kind begin, and an error
// that wraps ErrMishap where the meter can never have it.
func (f *Fleet) CanSuffer(meter schemas.MeterID, what string, flow float64) error {
	_, err := f.able(meter, what, flow)
	return err
}

func (f *Fleet) able(meter schemas.MeterID, what string, flow float64) (*Meter, error) {
	m, ok := f.Meter(meter)
	if !ok {
		return nil, fmt.Errorf("meter %.64q: %w: it is not of this fleet", string(meter), ErrMishap)
	}
	if err := m.canSuffer(what, flow); err != nil {
		return nil, fmt.Errorf("meter %s %.20s: %w: %w", meter, what, ErrMishap, err)
	}
	return m, nil
}

// Begin makes a mishap begin within two steps after now. flow is that of a leak.
func (f *Fleet) Begin(meter schemas.MeterID, what string, flow float64, now time.Time) (Mishap, error) {
	m, err := f.able(meter, what, flow)
	if err != nil {
		return Mishap{}, err
	}
	x := mishap{leaks: what == Leaks, flow: flow, to: endless}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.suffered()
	if slices.ContainsFunc(list, func(o mishap) bool { return o.leaks == x.leaks && o.to == endless }) {
		return Mishap{}, fmt.Errorf("meter %s %s: %w: it does already", meter, what, ErrMishap)
	}
	x.from = m.stepOf(now) + lead
	m.suffer(append(slices.Clone(list), x))
	return m.tell(&x), nil
}

// lead is how many steps ahead a mishap begins or ends: the step of now, which may
// have been shown, and the next, which may have begun before the answer is given.
const lead = 2

// canSuffer reports what a meter cannot show.
func (m *Meter) canSuffer(what string, flow float64) error {
	switch {
	case what == Silent && flow == 0:
		return nil
	case what == Silent:
		return errors.New("silence has no flow")
	case what != Leaks:
		return fmt.Errorf("no such mishap; there are %s", strings.Join([]string{Leaks, Silent}, ", "))
	case m.medium != schemas.Water:
		return errors.New("it is no water meter")
	case m.traits.sign < 0:
		return errors.New("its water runs backwards")
	case m.Account != nil:
		return errors.New("its prepaid engine knows what was used")
	case m.Dead:
		return errors.New("it is dead, and nobody would see it")
	case !(flow > 0 && flow <= MaxLeak):
		return fmt.Errorf("a flow of %v m3/h; want more than 0, up to %d", flow, MaxLeak)
	}
	return nil
}

// Mend ends a mishap within two steps after now.
func (f *Fleet) Mend(meter schemas.MeterID, what string, now time.Time) (Mishap, error) {
	m, ok := f.Meter(meter)
	if !ok {
		return Mishap{}, fmt.Errorf("meter %.64q: %w: it is not of this fleet", string(meter), ErrMishap)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.suffered())
	i := slices.IndexFunc(list, func(o mishap) bool { return o.leaks == (what == Leaks) && o.to == endless })
	if i < 0 || what != Leaks && what != Silent {
		return Mishap{}, fmt.Errorf("meter %s %.20s: %w: there is nothing to mend", meter, what, ErrMishap)
	}
	list[i].to = max(m.stepOf(now)+lead, list[i].from+1)
	m.suffer(list)
	return m.tell(&list[i]), nil
}

// Mishaps returns all that have begun, or will within two steps, in the order of the
// meters.
func (f *Fleet) Mishaps() (all []Mishap) {
	for _, m := range f.Meters {
		list := m.suffered()
		for i := range list {
			all = append(all, m.tell(&list[i]))
		}
	}
	return all
}

// Suffer makes a fleet of the same configuration have had the mishaps of another, and
// no others.
func (f *Fleet) Suffer(all []Mishap) error {
	lists := make(map[schemas.MeterID][]mishap)
	for _, x := range all {
		m, err := f.able(x.Meter, x.What, x.Flow)
		if err != nil {
			return err
		}
		one := mishap{leaks: x.What == Leaks, flow: x.Flow, from: m.stepOf(x.From), to: endless}
		if !x.To.IsZero() {
			one.to = m.stepOf(x.To)
		}
		lists[x.Meter] = append(lists[x.Meter], one)
	}
	for _, m := range f.Meters {
		m.mu.Lock()
		m.suffer(lists[m.ID])
		m.mu.Unlock()
	}
	return nil
}

// suffered returns the meter's mishaps, not to be changed.
func (m *Meter) suffered() []mishap {
	if p := m.mishaps.Load(); p != nil {
		return *p
	}
	return nil
}

// suffer replaces them; mu is held.
func (m *Meter) suffer(list []mishap) { m.mishaps.Store(&list) }

func (m *Meter) tell(x *mishap) Mishap {
	out := Mishap{Meter: m.ID, What: Silent, From: m.momentOf(x.from)}
	if x.leaks {
		out.What, out.Flow = Leaks, x.flow
	}
	if x.to != endless {
		out.To = m.momentOf(x.to)
	}
	return out
}

// momentOf returns when a step begins.
func (m *Meter) momentOf(step uint64) time.Time { return time.Unix(0, int64(step)*int64(m.Step)).UTC() }

// leaking returns what runs out at a step, in m3/h, and what has since another, in m3.
func (m *Meter) leaking(since, step uint64) (flow, volume float64) {
	for _, x := range m.suffered() {
		if !x.leaks {
			continue
		}
		if x.within(step, step+1) > 0 {
			flow += x.flow
		}
		volume += x.flow * (time.Duration(x.within(since, step)) * m.Step).Hours()
	}
	return flow, volume
}

// hushed reports whether a mishap keeps the meter silent at t.
func (m *Meter) hushed(t time.Time) bool {
	step := m.stepOf(t)
	return slices.ContainsFunc(m.suffered(), func(x mishap) bool { return !x.leaks && x.within(step, step+1) > 0 })
}
