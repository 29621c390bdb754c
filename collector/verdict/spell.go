package verdict

import (
	"math"
	"strings"

	"citygrid/schemas"
)

// spell is the time that one installation covers, in milliseconds.
type spell struct {
	// index is that in Rules.Installations; noRecord before the first record,
	// or without any; unknownSpell before the first reading.
	index    int
	from, to int64
	// vacant: a meter was removed at from and none is recorded since.
	vacant bool
}

const (
	noRecord     = -1
	unknownSpell = -2
)

// number tells the spells of one Validator apart.
func (s spell) number() int32 {
	n := int32(s.index) * 2
	if s.vacant {
		n++
	}
	return n
}

func (s spell) holds(at int64) bool {
	return s.index != unknownSpell && at >= s.from && at < s.to
}

// spellAt finds the spell of a moment.
func spellAt(list []schemas.Installation, at int64) spell {
	now := spell{index: noRecord, from: math.MinInt64, to: math.MaxInt64}
	for i, inst := range list {
		if from := inst.From.UnixMilli(); at < from {
			now.to = from
			return now
		} else {
			now = spell{index: i, from: from, to: math.MaxInt64}
		}
		if inst.To.IsZero() {
			continue
		}
		to := inst.To.UnixMilli()
		if at < to {
			now.to = to
			return now
		}
		now = spell{index: i, from: to, to: math.MaxInt64, vacant: true}
	}
	return now
}

// stranger reports whether the value cannot be of the meter on record at that
// moment. A dated record is in the memory of the meter that answers now: what
// is older than that meter's installation is not of this place.
func (v *Validator) stranger(s *slot, at int64) bool {
	if s.live() {
		v.liveAt = at
		if !v.spell.holds(at) {
			v.begin(spellAt(v.rules.Installations, at))
		}
	} else {
		if v.spell.index == unknownSpell {
			v.begin(v.newestSpell())
		}
		if at < v.spell.from {
			return true
		}
	}
	return v.barred
}

// begin enters a spell. Where an installation begins, another meter may answer:
// what was heard before its first Read says nothing of it.
func (v *Validator) begin(s spell) {
	v.spell = s
	if s.index >= 0 && !s.vacant && v.latest() < s.from {
		if v.asked != v.read {
			v.heard = ""
		}
		v.serial = v.heard
	}
	v.barred = s.vacant || v.foreign()
}

// newestSpell stands in for the spell of the live readings while there are
// none.
func (v *Validator) newestSpell() spell {
	at := int64(math.MinInt64)
	if n := len(v.rules.Installations); n > 0 {
		at = v.rules.Installations[n-1].From.UnixMilli()
	}
	return spellAt(v.rules.Installations, at)
}

// foreign reports whether the meter that answers says that it is another one.
func (v *Validator) foreign() bool {
	expected := v.expected()
	return v.heard != "" && expected != "" && v.heard != expected
}

// plate brings a serial number to one form: people write it with blanks,
// without leading zeros, in small letters.
func plate(serial string) string {
	s := strings.ToUpper(strings.Join(strings.FieldsFunc(serial, func(r rune) bool {
		return r == ' ' || r == '-'
	}), ""))
	if short := strings.TrimLeft(s, "0"); short != "" {
		return short
	}
	return s
}

// SetSerial says which serial number the meter has just given
// (adapters.Identified). While it is not the one of the installation record, or
// without a record not the one that the baselines were taken from, every value
// is suspect.
func (v *Validator) SetSerial(serial string) {
	serial = plate(serial)
	if serial == "" {
		return
	}
	news := serial != v.heard
	v.heard, v.asked = serial, v.read+1
	if v.serial == "" {
		v.serial = serial
	}
	v.barred = v.spell.vacant || v.foreign()
	if news && v.foreign() {
		v.note(Swap, "", v.latest(), "the meter gives the serial number "+serial+", not "+v.expected()+
			"; its readings are suspect until an installation record names it")
	}
}

// expected is the number that the meter should give; empty when nobody knows.
func (v *Validator) expected() string {
	if i := v.spell.index; i >= 0 && v.plates[i] != "" {
		return v.plates[i]
	}
	return v.serial
}

// WantsSerial reports whether the meter should be asked who it is before its
// next reading: nobody knows yet, an installation has just begun, or the meter
// that answered was not the one on record.
func (v *Validator) WantsSerial() bool { return v.heard == "" || v.foreign() }

// latest is the moment of the newest baseline.
func (v *Validator) latest() int64 {
	at := int64(0)
	for i := range v.slots {
		if c := v.slots[i].counter; c != nil {
			at = max(at, c.last.at)
		}
	}
	return at
}
