package district

import "time"

// draft is an act at the present moment that is not part of the case.
func (l *life) draft(act, role, person string) *Act {
	t := time.UnixMilli(l.now).UTC()
	a := &Act{Case: l.key, Act: act, Role: role, Person: person, At: t, ReceivedAt: t}
	if role == department {
		a.Department = person[:3]
	}
	return a
}

// again is a copy of an act at the present moment.
func (l *life) again(a *Act) *Act {
	t := time.UnixMilli(l.now).UTC()
	a.Case, a.At, a.ReceivedAt = l.key, t, t
	return a
}

// bad lets somebody try, now and then, what docs/cases.md does not allow. An act that
// make leaves without a case is tried on one that does not exist yet. It may return
// nil where the case gives no opportunity.
func (l *life) bad(why string, try func() *Act) {
	if l.year.Illegal == 0 || !l.dice.chance(int64(l.year.Illegal)) {
		return
	}
	a := try()
	if a == nil {
		return
	}
	if a.Case == "" {
		a.Case = l.key + "X"
	}
	a.Illegal = why
	l.acts = append(l.acts, a)
}
