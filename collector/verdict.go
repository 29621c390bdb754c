package collector

import "citygrid/schemas"

// Limits narrow what is plausible for one quantity of one meter, in the
// quantity's unit. A nil bound is not checked.
type Limits struct {
	Min, Max *schemas.Decimal
}

// Rules is what the validation of one meter's readings knows of the meter.
type Rules struct {
	// Limits narrow the table's physical range for this meter.
	Limits map[schemas.Quantity]Limits
	// WrapsAt is the value at which a counter's register goes back to zero
	// [the profile's document]; counters that are not in it never wrap.
	WrapsAt map[schemas.Quantity]schemas.Decimal
}

// validator gives each reading of one meter its verdict. It keeps the last
// good value of every counter; a suspect value never moves that baseline.
type validator struct {
	rules    Rules
	baseline map[schemas.Quantity]schemas.Decimal
}

func newValidator(rules Rules) *validator {
	return &validator{rules: rules, baseline: make(map[schemas.Quantity]schemas.Decimal)}
}

// judge marks r as suspect where a check doubts it. It changes neither the
// value nor a verdict that the adapter has given.
func (v *validator) judge(r *schemas.Reading) {
	if r.Quality != schemas.Good {
		return
	}
	info, ok := r.Quantity.Info()
	if !ok {
		return // refused by the codec, which names it
	}
	if v.outOfRange(r, info) {
		r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRange
		return
	}
	if info.Kind != schemas.Counter {
		return
	}
	if last, ok := v.baseline[r.Quantity]; ok && r.Value.Cmp(last) < 0 && !v.rolledOver(r.Quantity, last, r.Value) {
		r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRollback
		return
	}
	v.baseline[r.Quantity] = r.Value
}

func (v *validator) outOfRange(r *schemas.Reading, info schemas.QuantityInfo) bool {
	if info.Min != info.Max {
		if f := r.Value.Float64(); f < info.Min || f > info.Max {
			return true
		}
	}
	own := v.rules.Limits[r.Quantity]
	return own.Min != nil && r.Value.Cmp(*own.Min) < 0 || own.Max != nil && r.Value.Cmp(*own.Max) > 0
}

// rolledOver reports whether the fall from last to now is the register's
// rollover: from its last tenth into its first. A fall from the middle, or of
// a register without a documented width, is a rollback.
func (v *validator) rolledOver(q schemas.Quantity, last, now schemas.Decimal) bool {
	wrap, ok := v.rules.WrapsAt[q]
	if !ok {
		return false
	}
	tenth, ok := wrap.Shift(-1)
	if !ok {
		return false
	}
	head, ok := tenth.Mul(9)
	return ok && last.Cmp(head) >= 0 && now.Cmp(tenth) <= 0
}
