package api

import (
	"slices"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
)

// lane is the list of a task while it is merged with others: where it stood when the
// page began, where it stands, and what has been read beyond.
type lane struct {
	task         desk.Task
	light        limits.Light // the filter's
	before, spot desk.Spot
	read         func(after desk.Spot) ([]desk.Standing, error)
	rows         []desk.Standing
	end          bool // nothing beyond rows
	due          time.Time
}

// look reads on where the lane has run dry, atOnce cases at a time, and sets due for its
// first case. It reports false at the end of the lane.
func (c *caseRoutes) look(l *lane, atOnce int, now time.Time) (bool, error) {
	if len(l.rows) == 0 && !l.end {
		var err error
		if l.rows, err = l.read(l.spot); err != nil {
			return false, err
		}
		l.end = len(l.rows) < atOnce
	}
	if len(l.rows) == 0 {
		return false, nil
	}
	l.due = c.dueAt(&l.rows[0], now)
	return true, nil
}

// merged takes up to limit cases from lanes, the nextLane due first, and moves their
// spots on. A case of two lanes, in a state and with a request, comes once. more tells
// that a lane has others. Lanes read one case more than limit at once, which tells it
// without a second look.
func (c *caseRoutes) merged(lanes []lane, limit int) (ids []cases.CaseID, more bool, err error) {
	now, seen := c.now(), map[cases.CaseID]bool{}
	left := make([]*lane, 0, len(lanes)) // those that have a case
	for n := range lanes {
		if ok, err := c.look(&lanes[n], limit+1, now); err != nil {
			return nil, false, err
		} else if ok {
			left = append(left, &lanes[n])
		}
	}
	for len(left) > 0 {
		n := nextLane(left)
		l := left[n]
		p := l.rows[0]
		fresh := !seen[p.ID] && !c.given(lanes, &p, now)
		if fresh && len(ids) == limit {
			return ids, true, nil
		}
		l.rows, l.spot = l.rows[1:], p.Spot
		if fresh {
			seen[p.ID], ids = true, append(ids, p.ID)
		}
		if ok, err := c.look(l, limit+1, now); err != nil {
			return nil, false, err
		} else if !ok {
			left = slices.Delete(left, n, n+1)
		}
	}
	return ids, false, nil
}

// nextLane is the lane whose first case is due first, of several the first.
func nextLane(left []*lane) (best int) {
	for n, l := range left {
		if l.due.Before(left[best].due) {
			best = n
		}
	}
	return best
}

// given reports whether an earlier page had a case: in a lane that had passed it when
// this page began.
func (c *caseRoutes) given(lanes []lane, p *desk.Standing, now time.Time) bool {
	return len(lanes) > 1 && slices.ContainsFunc(lanes, func(l lane) bool {
		spot, has := l.task.Spot(p)
		return has && spot.Passed(l.before) && (l.light == "" || c.lightIn(l.task, p, now) == l.light)
	})
}

// lightIn is the light that the filter of a task goes by, as desk.Inbox says.
func (c *caseRoutes) lightIn(t desk.Task, p *desk.Standing, now time.Time) limits.Light {
	stage, ok := desk.Stage(p.State, p.Source)
	if t.Request != "" || !ok || c.o.Limits == nil {
		return p.Light
	}
	light, _ := desk.StageLight(c.o.Limits, stage, p.Began, now)
	return light
}
