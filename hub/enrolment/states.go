package enrolment

import (
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// State is what a generation of a key may be used for.
type State string

// The states of a generation. It goes through them in this order and never back.
const (
	// Active seals and opens.
	Active State = "active"
	// DecryptOnly opens what is still on its way, until its date.
	DecryptOnly State = "decrypt_only"
	// Destroyed does nothing any more: what was sealed under it is refused as
	// generation_retired. The file of a destroyed master key is gone, and no key
	// can be made from it; a collector's key can, so for that one it is a rule that
	// this list keeps.
	Destroyed State = "destroyed"
)

// OldKey is an earlier generation of a collector's key.
type OldKey struct {
	Generation uint16 `yaml:"generation"`
	State      State  `yaml:"state"` // DecryptOnly or Destroyed
	// Until is when DecryptOnly ends; zero for no end.
	Until time.Time `yaml:"until,omitempty"`
}

// opens reports whether the key opens envelopes now.
func (k OldKey) opens(now time.Time) bool {
	return k.State == DecryptOnly && (k.Until.IsZero() || now.Before(k.Until))
}

// MasterKey is a generation of the master key.
type MasterKey struct {
	Generation uint8 `yaml:"generation"`
	State      State `yaml:"state"`
}

func (c Collector) checkOld() error {
	newer := c.Generation
	for _, k := range c.Old {
		if k.Generation >= newer || k.Generation>>8 == 0 {
			return fmt.Errorf("%s: old generation %d: want generations that fall, below %d", c.ID, k.Generation, newer)
		}
		if k.State != DecryptOnly && k.State != Destroyed {
			return fmt.Errorf("%s: old generation %d: state %q, want %s or %s", c.ID, k.Generation, k.State, DecryptOnly, Destroyed)
		}
		newer = k.Generation
	}
	return nil
}

// checkMasters wants rising generations, of which the last and no other is active,
// and no collector beyond it.
func (l *List) checkMasters() error {
	if len(l.Masters) == 0 {
		return nil
	}
	last := uint8(0)
	for i, m := range l.Masters {
		want := m.State == DecryptOnly || m.State == Destroyed
		if i == len(l.Masters)-1 {
			want = m.State == Active
		}
		if m.Generation <= last || !want {
			return fmt.Errorf("masters[%d]: generation %d, %s: want generations that rise, of which the last is active and no other", i, m.Generation, m.State)
		}
		last = m.Generation
	}
	for _, c := range l.Collectors {
		if c.Generation>>8 > uint16(last) {
			return fmt.Errorf("collector %s: generation %#04x is of a master key that is not listed", c.ID, c.Generation)
		}
	}
	return nil
}

// MasterKeys returns the generations of the master key, the active one last. A list from before the first
// rotation names none: then there is the one that its collectors use.
func (l *List) MasterKeys() []MasterKey {
	if len(l.Masters) > 0 {
		return l.Masters
	}
	generation := uint16(1)
	for _, c := range l.Collectors {
		generation = max(generation, c.Generation>>8)
	}
	return []MasterKey{{uint8(generation), Active}}
}

// ActiveMaster returns the generation of the master key of which new keys are made.
func (l *List) ActiveMaster() uint8 {
	all := l.MasterKeys()
	return all[len(all)-1].Generation
}

// MasterState returns the state of a generation of the master key; empty when there
// is no such generation.
func (l *List) MasterState(generation uint8) State {
	for _, m := range l.MasterKeys() {
		if m.Generation == generation {
			return m.State
		}
	}
	return ""
}

// MastersInUse returns the generations that are not destroyed, the active one last.
func (l *List) MastersInUse() (generations []uint8) {
	for _, m := range l.MasterKeys() {
		if m.State != Destroyed {
			generations = append(generations, m.Generation)
		}
	}
	return generations
}

// Admit reports whether an envelope of a collector under a generation of its key may
// be opened now. Its errors are *seal.Error with DeviceUnknown, GenerationUnknown or
// GenerationRetired.
func (l *List) Admit(id schemas.CollectorID, generation uint16, now time.Time) error {
	i, ok := l.at(id)
	if !ok {
		return &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("collector %s is not enrolled; citygrid keys issue enrols it", id)}
	}
	c := &l.Collectors[i]
	switch {
	case c.Revoked:
		return &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("the key of collector %s was revoked; citygrid keys issue --renew lets it in again", id)}
	case generation > c.Generation:
		return &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("collector %s uses key generation %#04x, active is %#04x; reload the enrolment", id, generation, c.Generation)}
	case len(l.Masters) > 0 && l.MasterState(uint8(generation>>8)) == Destroyed:
		return &seal.Error{Code: seal.GenerationRetired, Problem: fmt.Sprintf("collector %s uses key generation %#04x of master key %d, which is destroyed; give it the new bundle", id, generation, generation>>8)}
	case generation == c.Generation:
		return nil
	}
	if k := slices.IndexFunc(c.Old, func(k OldKey) bool { return k.Generation == generation }); k >= 0 && c.Old[k].opens(now) {
		return nil
	}
	return &seal.Error{Code: seal.GenerationRetired, Problem: fmt.Sprintf("collector %s uses key generation %#04x, active is %#04x; give it the new bundle", id, generation, c.Generation)}
}

// retire moves the active key to the old ones, in state, and puts next in its place.
func (c *Collector) retire(next uint16, state State, until time.Time) {
	if state == Destroyed {
		c.destroyOld()
	}
	c.Old = append([]OldKey{{c.Generation, state, until}}, c.Old...)
	c.Generation = next
}

// destroyOld destroys every old key and returns how many could still open.
func (c *Collector) destroyOld() (n int) {
	old := slices.Clone(c.Old)
	for i := range old {
		if old[i].State != Destroyed {
			old[i].State, old[i].Until = Destroyed, time.Time{}
			n++
		}
	}
	c.Old = old
	return n
}
