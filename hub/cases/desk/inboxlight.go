package desk

import (
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// Stage is the step of the centre or of an inspector whose limit runs while a case is
// in its state; ok is false where none does. A report of the public waits to be sent
// out, every other one to be accepted.
func Stage(s cases.State, source cases.Source) (limits.Stage, bool) {
	list := stages(s)
	switch {
	case len(list) == 0:
		return "", false
	case len(list) > 1 && source.TakenAsSeen():
		return list[1], true
	}
	return list[0], true
}

// stages are the steps of a state; of reported the one of the public's reports comes
// first.
func stages(s cases.State) []limits.Stage {
	switch s {
	case cases.Reported:
		return []limits.Stage{limits.SendVerifyStage, limits.AcceptStage}
	case cases.Verifying:
		return []limits.Stage{limits.VerifyStage}
	case cases.Verified:
		return []limits.Stage{limits.AcceptStage}
	case cases.Accepted:
		return []limits.Stage{limits.FileStage}
	case cases.Filed:
		return []limits.Stage{limits.DispatchStage}
	case cases.FedBack:
		return []limits.Stage{limits.SendCheckStage}
	case cases.Checking:
		return []limits.Stage{limits.CheckStage}
	case cases.Checked:
		return []limits.Stage{limits.CloseStage}
	}
	return nil
}

// publicSQL says in SQL what Source.FromPublic says.
const publicSQL = "c.source IN ('public', 'hotline', 'media', 'web')"

// StageLight is the traffic light of a step that began so; none where the file sets no
// limit for it or the calendar does not reach. The deadline is zero then.
func StageLight(b *limits.Book, s limits.Stage, began, now time.Time) (limits.Light, time.Time) {
	deadline, ok, err := b.StageDeadline(s, began)
	if !ok || err != nil {
		return limits.None, time.Time{}
	}
	used, total := now.Sub(began), deadline.Sub(began)
	if b.Stages[s].Working {
		used, total = b.Calendar.Worked(began, now), time.Duration(b.Stages[s].Minutes)*time.Minute
	}
	switch {
	case !now.Before(deadline):
		return limits.Red, deadline
	case used.Milliseconds()*100 >= total.Milliseconds()*80:
		return limits.Yellow, deadline
	}
	return limits.Green, deadline
}

// reach is how long ago a step may have begun that is looked for by its light.
const reach = 10 * 365 * 24 * time.Hour

// since returns the latest beginning of a step that shows at least light now. The
// light only ever goes on with time, so that halving finds it; ok is false where the
// file sets no limit.
func (d *Desk) since(s limits.Stage, light limits.Light, now time.Time) (ms int64, ok bool) {
	if _, set := d.o.Limits.Stages[s]; !set {
		return 0, false
	}
	low, high := millis(now.Add(-reach)), millis(now)+1 // low shows it, high does not
	for low+1 < high {
		mid := low + (high-low)/2
		got, _ := StageLight(d.o.Limits, s, moment(mid), now)
		if got == light || got == limits.Red {
			low = mid
		} else {
			high = mid
		}
	}
	return low, true
}

// lit narrows a query to what shows a light: of the step in states that have one, else
// of handling.
func (d *Desk) lit(q *bun.SelectQuery, t Task, light limits.Light, now time.Time) (*bun.SelectQuery, error) {
	list := stages(t.State)
	switch {
	case light == "":
		return q, nil
	case t.Request != "" || list == nil:
		f := Filter{Light: light}
		return f.light(q, now), nil
	case len(list) == 1:
		text, args := d.shows(list[0], light, now)
		return q.Where("("+text+")", args...), nil
	}
	one, first := d.shows(list[0], light, now)
	two, second := d.shows(list[1], light, now)
	return q.Where("("+publicSQL+" AND ("+one+") OR NOT "+publicSQL+" AND ("+two+"))", append(first, second...)...), nil
}

// shows says in SQL that a step shows a light now.
func (d *Desk) shows(s limits.Stage, light limits.Light, now time.Time) (string, []any) {
	yellow, ok := d.since(s, limits.Yellow, now)
	red, _ := d.since(s, limits.Red, now)
	switch {
	case !ok && light == limits.None:
		return "1 = 1", nil
	case !ok || light == limits.None:
		return "1 = 0", nil
	case light == limits.Red:
		return "c.began_ms <= ?", []any{red}
	case light == limits.Yellow:
		return "c.began_ms <= ? AND c.began_ms > ?", []any{yellow, red}
	}
	return "c.began_ms > ?", []any{yellow}
}

// late says in SQL that a case of a task is past what it waits for.
func (d *Desk) late(t Task, now time.Time) (string, []any) {
	list := stages(t.State)
	switch {
	case t.Request != "" || list == nil:
		return "c.clock = ? AND c.deadline_ms <= ?", []any{string(ClockRunning), millis(now)}
	case len(list) == 1:
		return d.shows(list[0], limits.Red, now)
	}
	one, first := d.shows(list[0], limits.Red, now)
	two, second := d.shows(list[1], limits.Red, now)
	return "(" + publicSQL + " AND (" + one + ") OR NOT " + publicSQL + " AND (" + two + "))", append(first, second...)
}
