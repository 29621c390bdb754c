package verdict

import "citygrid/schemas"

// counter is what is known of one cumulative register.
type counter struct {
	// rate is the most that it rises in a millisecond; 0: unknown.
	rate float64
	// wrap is the register's width by the installation in force, or else by the
	// profile; a zero mantissa: unknown.
	wrap schemas.Decimal

	// last, firm, doubt, level and recorded are those of CounterState.
	last, firm, doubt point
	level             *level

	still still
	flow  *flow // of the witness, once seen
	// entered is the number of the spell that the fields above belong to.
	entered  int32
	recorded bool
}

// level is Level.
type level struct {
	first, last point
	count       int
	reset       bool
}

func newCounter(maxPerHour *schemas.Decimal) *counter {
	c := &counter{entered: spell{index: unknownSpell}.number()}
	if maxPerHour != nil {
		c.rate = float(*maxPerHour) / msPerHour
	}
	return c
}

const (
	msPerHour = 3600e3
	// refresh is how old a register may be when it is read: meters bring them
	// up to date by the minute [common in makers' documents].
	refresh = 60e3
	// written is how far the moment of an installation, which a person wrote
	// down, may be off.
	written = msPerHour
)

// fit is how a value follows from a point.
type fit uint8

const (
	no fit = iota
	rises
	rollsOver
)

// fits says whether a register that showed p can show x at that moment.
func (c *counter) fits(p point, x schemas.Decimal, at int64) fit {
	how, rise := rises, 0.0
	switch {
	case !below(x, p.value()):
		rise = minus(x, p.value())
	case c.passesWidth(p.value(), x):
		how, rise = rollsOver, float(c.wrap)-float(p.value())+float(x)
	default:
		return no
	}
	// A clock that was set back says nothing of the time between.
	if c.rate == 0 || at < p.at || rise == 0 {
		return how
	}
	if rise > c.most(p, at)+step(x, p.value()) {
		return no
	}
	return how
}

// most is how much the register can have counted since p.
func (c *counter) most(p point, at int64) float64 {
	elapsed := float64(at-p.at) + refresh
	if c.recorded && p.at == c.last.at {
		elapsed += written
	}
	return c.rate * elapsed
}

// passesWidth reports whether a fall is one from the last tenth of the
// register's width into its first. Any other fall is no rollover, whatever its
// size.
func (c *counter) passesWidth(last, now schemas.Decimal) bool {
	if c.wrap.Mantissa == 0 {
		return false
	}
	tenth, ok := c.wrap.Shift(-1)
	if !ok {
		return false
	}
	head, ok := tenth.Mul(9)
	return ok && !below(last, head) && !below(tenth, now)
}

// judgeCounter returns why the value is suspect, or nothing.
func (v *Validator) judgeCounter(s *slot, r *schemas.Reading) schemas.Reason {
	at := r.TakenAt.UnixMilli()
	stranger := v.stranger(s, at)
	if s.entered != v.spell.number() {
		v.enter(s, at)
	}
	switch {
	case !s.holds(r.Value):
		return schemas.ReasonRange
	case stranger:
		return schemas.ReasonSwap
	case !s.live() && s.last.ok && at <= s.last.at:
		return s.judgeOlder(r.Value, at)
	case !s.last.ok:
		s.accept(r.Value, at)
		return ""
	case s.level.confirmed():
		if s.doubted(at) {
			return s.level.reason()
		}
		return v.judgeOnLevel(s, r.Value, at)
	}
	how := s.fits(s.last, r.Value, at)
	if how == no {
		if s.doubted(at) {
			return s.contradicts(r.Value)
		}
		return v.judgeUnexplained(s, r.Value, at)
	}
	if s.reverse && how == rises && s.runsBack(r.Value, at) {
		return schemas.ReasonReverse
	}
	if v.rules.StuckAfter > 0 && v.isStuck(s, r.Value, at) {
		return schemas.ReasonStuck
	}
	if how == rollsOver {
		v.noteRollover(s, r.Value, at)
	}
	s.accept(r.Value, at)
	return ""
}

// accept makes x the baseline. The one before it is thereby confirmed, unless a
// value in between spoke against it: two wrong values with a right one between
// them confirm nothing.
func (c *counter) accept(x schemas.Decimal, at int64) {
	if !c.doubt.ok {
		c.firm = c.last
	}
	c.last = pointOf(x, at)
	c.recorded = false
	c.doubt.ok = false
	c.level = nil
}

// doubted reports whether the value of that very moment has been found suspect
// already: a dated record that is read again, which cannot confirm itself.
func (c *counter) doubted(at int64) bool {
	return c.doubt.ok && c.doubt.at == at || c.level != nil && c.level.first.at == at
}

// contradicts names how x, which the baseline does not explain, differs.
func (c *counter) contradicts(x schemas.Decimal) schemas.Reason {
	if below(x, c.last.value()) {
		return schemas.ReasonRollback
	}
	return schemas.ReasonJump
}

// judgeUnexplained judges a value that the baseline does not explain.
func (v *Validator) judgeUnexplained(s *slot, x schemas.Decimal, at int64) schemas.Reason {
	reason, now := s.contradicts(x), pointOf(x, at)
	if !s.firm.ok || s.fits(s.firm, x, at) != no {
		if s.doubt.ok && s.fits(s.doubt, x, at) != no {
			v.noteWithdrawn(s, x, at)
			s.last, s.doubt.ok = s.doubt, false
			s.accept(x, at)
			return ""
		}
		s.doubt, s.level = now, nil // a level is of values in a row
		return reason
	}
	if s.level == nil || s.fits(s.level.last, x, at) == no {
		s.level = &level{first: now, last: now, count: 1}
		return reason
	}
	s.level.last, s.level.count = now, 2
	s.level.reset = s.nearZero(s.level.first)
	s.doubt.ok = false
	v.noteLevel(s)
	return s.level.reason()
}

// confirmed reports whether at least two values agree on the level.
func (l *level) confirmed() bool { return l != nil && l.count > 1 }

func (l *level) reason() schemas.Reason {
	if l.reset {
		return schemas.ReasonReset
	}
	return schemas.ReasonSwap
}

// nearZero reports whether a register that was at the baseline has begun anew:
// below a hundredth of it, or below what it can have counted since.
func (c *counter) nearZero(p point) bool {
	if !below(p.value(), c.last.value()) {
		return false
	}
	x := float(p.value())
	return x*100 <= float(c.last.value()) || c.rate > 0 && x <= c.most(c.last, p.at)
}

// judgeOnLevel judges a value while a level is confirmed that the baseline does
// not explain. Only an installation record ends that, or two values in a row
// that are back at the baseline and cannot have come from the level.
func (v *Validator) judgeOnLevel(s *slot, x schemas.Decimal, at int64) schemas.Reason {
	l := s.level
	now := pointOf(x, at)
	back := s.fits(s.last, x, at) != no && s.leaves(x, at)
	if !back && s.fits(l.last, x, at) != no {
		l.last = now
		l.count++
		s.doubt.ok = false
		return l.reason()
	}
	agrees := s.doubt.ok && s.fits(s.doubt, x, at) != no
	switch {
	case !agrees:
		s.doubt = now
	case back && s.fits(s.last, s.doubt.value(), s.doubt.at) != no:
		v.noteReturned(s, x, at)
		s.doubt.ok = false
		s.accept(x, at)
		return ""
	default: // the level has moved
		if s.fits(s.last, s.doubt.value(), s.doubt.at) == no {
			l.first = s.doubt
		}
		l.last = now
		l.count++
		s.doubt.ok = false
	}
	return l.reason()
}

// standing is how long a level may stand at one value and yet be no register
// that begins anew, but a meter that shows nothing of use for a while, as some
// do after a power failure.
const standing = 24 * msPerHour

// leaves reports whether x cannot have grown out of the level.
func (c *counter) leaves(x schemas.Decimal, at int64) bool {
	if c.rate > 0 {
		return c.fits(c.level.first, x, at) == no && c.fits(c.level.last, x, at) == no
	}
	stood := equal(c.level.first.value(), c.level.last.value())
	return stood && !equal(x, c.level.last.value()) && at >= c.level.first.at && float64(at-c.level.first.at) < standing
}

// judgeOlder judges a dated record that is not newer than the newest one: the
// newest must follow from it.
func (c *counter) judgeOlder(x schemas.Decimal, at int64) schemas.Reason {
	if at == c.last.at {
		if equal(x, c.last.value()) {
			return ""
		}
	} else if c.fits(pointOf(x, at), c.last.value(), c.last.at) != no {
		return ""
	}
	if below(c.last.value(), x) {
		return schemas.ReasonRollback // as the later record is, seen from this one
	}
	return schemas.ReasonJump
}

// enter begins a spell. An installation that began after the baseline was taken
// has a baseline of its own: its first value, or none.
func (v *Validator) enter(s *slot, at int64) {
	s.entered = v.spell.number()
	s.wrap = v.rules.WrapsAt[s.quantity]
	if v.spell.index < 0 || v.spell.vacant {
		s.prepare(s.last.exponent)
		s.explain()
		return
	}
	inst := v.rules.Installations[v.spell.index]
	if w, ok := inst.WrapsAt[s.quantity]; ok {
		s.wrap = w
	}
	s.prepare(s.last.exponent)
	if s.last.ok && s.last.at >= v.spell.from && !s.outdated(inst) {
		s.explain()
		return
	}
	known := s.last.ok
	s.last, s.firm, s.recorded = point{}, point{}, false
	s.doubt.ok, s.level, s.still = false, nil, still{}
	if first, ok := inst.First[s.quantity]; ok {
		s.last = pointOf(first, v.spell.from)
		s.firm, s.recorded = s.last, true
	}
	if known && s.live() {
		v.noteOpened(s, at)
	}
}

// outdated reports whether the baseline was copied from a record that says
// something else now.
func (s *slot) outdated(inst schemas.Installation) bool {
	if !s.recorded {
		return false
	}
	first, ok := inst.First[s.quantity]
	return !ok || s.last.at != inst.From.UnixMilli() || !equal(first, s.last.value())
}

// runsBack reports whether a register of the other direction has just grown.
// Once it stands still at the new value, that is its baseline.
func (c *counter) runsBack(x schemas.Decimal, at int64) bool {
	if equal(x, c.last.value()) || c.doubt.ok && equal(x, c.doubt.value()) {
		return false
	}
	c.doubt = pointOf(x, at)
	return true
}

// explain drops a level that the rules as they are now explain: somebody has
// corrected a width or a rate.
func (c *counter) explain() {
	if l := c.level; c.last.ok && l != nil && c.fits(c.last, l.first.value(), l.first.at) != no {
		c.level = nil
		c.doubt.ok = false
	}
}
