package cases

import (
	"fmt"
	"slices"
	"testing"
)

// The persons of the search: one for each role, and m, who has every role. Only m
// can meet the rules about pairs, so that the two are enough.
func everybody() (list []Actor) {
	for _, r := range Roles() {
		list = append(list, by(r))
		m := Actor{Person: "m", Role: r}
		if r == Department {
			m.Department = "A"
		}
		if r != Sensor {
			list = append(list, m)
		}
	}
	return append(list, Actor{Person: "b", Role: Department, Department: "B"}, Actor{Person: System, Role: Dispatcher})
}

// variants returns the ways to do an act that make a difference later.
func variants(a Act, who Actor) (list []*Entry) {
	change := func(f func(*Entry)) {
		e := entry(a, who)
		f(e)
		list = append(list, e)
	}
	change(func(*Entry) {})
	switch a {
	case ActReport:
		if who.Role == Inspector {
			change(func(e *Entry) { e.Report.SelfHandled = true })
			change(func(e *Entry) { e.Report.SelfHandled, e.Media = true, []Media{{photo, Image, StageHandled}} })
		}
		if who.Role == Acceptor {
			change(func(e *Entry) { e.Report.Source = SourceVideo })
		}
	case ActSendVerify, ActSendCheck:
		change(func(e *Entry) { e.Inspector = "m" })
		if who.Role == Sensor {
			change(func(e *Entry) { e.Inspector = "" })
		}
	case ActAnswerVerify, ActAnswerCheck:
		if who.Role == Inspector {
			change(func(e *Entry) { e.Outcome, e.Reason = No, "还在" })
		}
	case ActFile:
		change(func(e *Entry) { e.Filing.Limit = Limit{} })
	case ActDispatch:
		change(func(e *Entry) { e.Departments = []DepartmentID{"A", "B"} })
	}
	return list
}

// key tells apart what can decide about any later act, and leaves out what nothing
// asks for any more: who was sent to verify once that is answered, and so on.
func key(c *Case) string {
	if c.State.Final() {
		return string(c.State)
	}
	k := fmt.Sprint(c.State, c.Report.Source == SourceSensor, c.Cleared, slices.Contains(c.Parties, "m"), slices.Contains(c.Judges, "m"))
	switch c.State {
	case Reported, Verifying, Verified:
		k += fmt.Sprint(c.Report.Source.TakenAsSeen(), c.Report.SelfHandled, c.HandledMedia, c.Reporter.Person)
	}
	switch c.State {
	case Verifying:
		k += string(c.Verifier)
	case Verified:
		k += string(c.Verified)
	case Checking:
		k += string(c.Checker)
	case Checked:
		k += string(c.Checked)
	}
	if c.Request != nil {
		k += fmt.Sprint(c.Request.Kind, c.Request.By)
	}
	return k + fmt.Sprint(c.SentTo, c.Handler, c.Limit.Known())
}

// TestNoTransitionOutsideThePage walks to every case that can be reached and tells
// apart, and there tries every act by everybody in every role. What happens is what
// the page's table and its guards, written here a second time, let happen.
func TestNoTransitionOutsideThePage(t *testing.T) {
	page := pageTable(t)
	seen := map[string]bool{}
	queue := []*Case{{}}
	seen[key(queue[0])] = true
	tries, moves := 0, 0
	reached := map[State]bool{}
	done := map[string]bool{}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		reached[c.State] = true
		for _, who := range everybody() {
			expect(t, page, c, who, &Rules{})
			expect(t, page, c, who, allowing)
			if t.Failed() {
				return
			}
			for _, a := range Acts() {
				if (a == ActReport) != (c.State == "") {
					tries++
					continue
				}
				for _, e := range variants(a, who) {
					tries++
					next := c.Clone()
					if next.Apply(next.at(e, allowing), allowing) != nil {
						continue
					}
					moves++
					if row := rowOf(page, c, a, who.Role); row == nil || !stepOf(row, c.State, next.State) {
						t.Fatalf("%s by %s brought a case from %q to %q, which is not on the page", a, who.Role, c.State, next.State)
					}
					done[fmt.Sprint(a, who.Role, c.State)] = true
					if k := key(next); !seen[k] {
						seen[k] = true
						queue = append(queue, next)
					}
				}
			}
		}
	}
	t.Logf("%d different cases, %d acts tried, %d happened", len(seen), tries, moves)
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("no case came to %s", s)
		}
	}
	everyRowHappens(t, page, done)
}

// everyRowHappens checks that the page allows nothing that never happens.
func everyRowHappens(t *testing.T, page []Transition, done map[string]bool) {
	t.Helper()
	never := map[string]bool{fmt.Sprint(ActClose, Sensor, Reported): true} // by the column needs
	for _, s := range []State{Reported, Verifying, Verified, Accepted, Filed} {
		never[fmt.Sprint(ActNote, Department, s)] = true // nobody has sent it to a department
	}
	for _, row := range page {
		from := row.From
		if len(from) == 0 {
			from = []State{""}
		}
		for _, s := range from {
			for _, r := range row.By {
				if k := fmt.Sprint(row.Act, r, s); !done[k] && !never[k] {
					t.Errorf("%s by %s in state %q never happened", row.Act, r, s)
				}
			}
		}
	}
}

// expect compares what the code says of everything that somebody could do with what
// the page says.
func expect(t *testing.T, page []Transition, c *Case, who Actor, r *Rules) {
	t.Helper()
	allowed := Allowed(c, who, r)
	for _, a := range Acts() {
		want := rowOf(page, c, a, who.Role) != nil && guards(c, a, who, r)
		if got := slices.Contains(allowed, a); got != want {
			t.Errorf("%s by %v in %s: allowed %v, the page says %v (%s)", a, who, key(c), got, want, c.why(a, who, r))
		}
	}
}

// rowOf finds the page's row for an act, or nil.
func rowOf(page []Transition, c *Case, a Act, r Role) *Transition {
	for n := range page {
		row := &page[n]
		if row.Act != a || !slices.Contains(row.By, r) {
			continue
		}
		if row.Request != "" && (c.Request == nil || c.Request.Kind != row.Request) {
			continue
		}
		if len(row.From) == 0 && c.State == "" || slices.Contains(row.From, c.State) {
			return row
		}
	}
	return nil
}

func stepOf(row *Transition, from, to State) bool {
	return len(row.To) == 0 && from == to || slices.Contains(row.To, to)
}

// guards is the column needs and the text around the table once more, plainly.
func guards(c *Case, a Act, who Actor, r *Rules) bool {
	party, judge := slices.Contains(c.Parties, who.Person), slices.Contains(c.Judges, who.Person)
	sentTo := slices.Contains(c.SentTo, who.Department)
	ofSensor := c.Report.Source == SourceSensor
	asSensor := who.Role == Sensor
	free := c.Request == nil
	switch a {
	case ActReport, ActClassify, ActSendVerify, ActReject:
		return true
	case ActAnswerVerify:
		return who.Person == c.Verifier
	case ActAccept:
		if asSensor && !(ofSensor && r.SensorAccepts) {
			return false
		}
		seen := slices.Contains([]Source{SourceInspector, SourceVideo, SourceLeader, SourceInspection, SourceAssessment, SourceSensor}, c.Report.Source)
		return c.State == Reported && seen || c.State == Verified && c.Verified == Yes
	case ActFile:
		return !asSensor || ofSensor && r.SensorFiles
	case ActDispatch:
		return who.Person != System || len(r.HubDispatches) > 0
	case ActTake:
		return sentTo && !judge && (free || c.Request.Kind != Return || c.Request.By.Department != who.Department)
	case ActAskReturn:
		return free && !judge && (c.State == Dispatched && sentTo || c.State == Handling && c.Handler == who.Department)
	case ActAskExtension:
		return free && !judge && c.Handler == who.Department && c.Limit != Limit{}
	case ActAskSuspension:
		return free && !judge && c.Handler == who.Department
	case ActAskVoid:
		return free
	case ActApprove, ActRefuse:
		return c.Request.By.Person != who.Person && !party
	case ActWithdraw:
		return c.Request.By.Person == who.Person && c.Request.By.Role == who.Role
	case ActResume:
		return who.Role == Dispatcher || !judge && c.Handler == who.Department
	case ActFeedBack:
		return free && !judge && c.Handler == who.Department
	case ActSendCheck:
		return !party && (!asSensor || ofSensor && c.Cleared && r.SensorChecks)
	case ActAnswerCheck:
		return !party && (who.Person == c.Checker && !asSensor || asSensor && ofSensor && c.Cleared && r.SensorChecks)
	case ActRework:
		return !party && c.Checked == No
	case ActClose:
		if c.State == Reported {
			return !party && !asSensor && c.Report.SelfHandled && c.HandledMedia && c.Reporter.Person != who.Person
		}
		return !party && c.Checked == Yes && (!asSensor || ofSensor && r.SensorCloses)
	case ActNote:
		return who.Role != Department || sentTo
	case ActCleared:
		return ofSensor && !c.Cleared
	}
	return false
}
