package district

import (
	"slices"
	"time"
)

// Ratios and Counts are the names of docs/indicators.md, in the order of Sums.
func Ratios() []string {
	return []string{"valid_reports", "missed_reports", "public_reports", "on_time_send_verify", "on_time_verify", "on_time_accept",
		"on_time_file", "accurate_file", "on_time_dispatch", "accurate_dispatch", "on_time_handle", "on_time_send_check", "on_time_check",
		"closing", "on_time_closing", "reworked"}
}

// Counts are the plain numbers of docs/indicators.md.
func Counts() []string {
	return []string{"reports", "accepts", "filed", "dispatches", "handled", "verifies", "checks", "closed", "rejected", "voided",
		"returns", "extensions", "suspensions", "many_reworks", "overdue", "overrun_twice", "open"}
}

const ratioCount, countCount = 16, 17

// Group is by what numbers are kept apart: a month, a dimension of
// docs/indicators.md ("city" and an empty key for all), and whom it is about.
type Group struct{ Period, Dimension, Key string }

// Sums are the numbers of a group.
type Sums struct {
	Ratios [ratioCount][2]int64 // numerator and denominator
	Counts [countCount]int64
}

// Truth adds up what the indicators of a year must be. It is told every act that Acts
// gives; Finish counts the cases that are still open.
type Truth struct {
	y      *Year
	open   map[string][]*Act
	groups map[Group]*Sums
	ratio  map[string]int
	count  map[string]int
	// Cases is how many were reported, Open how many are not at their end.
	Cases, Open int
}

// Truth returns one that has been told nothing.
func (y *Year) Truth() *Truth {
	t := &Truth{y: y, open: map[string][]*Act{}, groups: map[Group]*Sums{}, ratio: map[string]int{}, count: map[string]int{}}
	for i, name := range Ratios() {
		t.ratio[name] = i
	}
	for i, name := range Counts() {
		t.count[name] = i
	}
	return t
}

// Tell adds an act; those that must be refused are nothing.
func (t *Truth) Tell(a *Act) {
	if a.Illegal != "" {
		return
	}
	if a.Act == "report" {
		t.Cases++
	}
	list := append(t.open[a.Case], a)
	t.open[a.Case] = list
	switch a.Act {
	case "close", "reject", "approve":
		if s := tell(list); s.over() {
			t.add(s)
			delete(t.open, a.Case)
		}
	}
}

// Finish counts what is open at the end of the year, and returns all groups.
func (t *Truth) Finish() map[Group]*Sums {
	for _, list := range t.open {
		t.add(tell(list))
		t.Open++
	}
	clear(t.open)
	return t.groups
}

// whom is a person or department with the dimension.
type whom struct{ dimension, key string }

// person is nobody where it is the hub itself.
func person(dimension, id string) []whom {
	if id == "" || id == system {
		return nil
	}
	return []whom{{dimension, id}}
}

func departmentsOf(list ...string) (out []whom) {
	for _, id := range list {
		if id != "" {
			out = append(out, whom{department, id})
		}
	}
	return out
}

// ledger counts one story.
type ledger struct {
	*Truth
	s      *story
	places []whom
}

func (t *Truth) add(s *story) {
	l := &ledger{Truth: t, s: s, places: []whom{{"city", ""}, {"class", s.class}}}
	if s.cell != "" {
		l.places = append(l.places, whom{"cell", s.cell}, whom{"community", s.cell[:12]}, whom{"street", s.cell[:9]})
	}
	l.acts()
	l.stages()
	l.reports()
	l.filings()
	l.dispatches()
	l.repairs()
	l.handling()
	if !s.over() {
		l.number("open", t.y.to-1, l.places, departmentsOf(s.handler))
	}
}

// sums finds the numbers of a moment's month for all concerned.
func (l *ledger) sums(at int64, lists ...[]whom) (out []*Sums) {
	if at < l.y.from || at >= l.y.to {
		return nil
	}
	period := time.UnixMilli(at).In(l.y.o.Zone).Format("2006-01")
	for _, list := range lists {
		for _, w := range list {
			g := Group{period, w.dimension, w.key}
			if l.groups[g] == nil {
				l.groups[g] = new(Sums)
			}
			out = append(out, l.groups[g])
		}
	}
	return out
}

func (l *ledger) number(name string, at int64, lists ...[]whom) {
	for _, s := range l.sums(at, lists...) {
		s.Counts[l.count[name]]++
	}
}

// part adds to a ratio of the places and of those named.
func (l *ledger) part(name string, at, num, den int64, who ...whom) {
	for _, s := range l.sums(at, l.places, who) {
		s.Ratios[l.ratio[name]][0] += num
		s.Ratios[l.ratio[name]][1] += den
	}
}

func (l *ledger) one(name string, at int64, good bool, who ...whom) {
	num := int64(0)
	if good {
		num = 1
	}
	l.part(name, at, num, 1, who...)
}

// acts counts what was done, in voided cases too.
func (l *ledger) acts() {
	for i := range l.s.facts {
		f := &l.s.facts[i]
		say := func(name string, who []whom) { l.number(name, f.counts, l.places, who) }
		switch f.Act.Act {
		case "report":
			var who []whom
			if f.Role == inspector {
				who = person(inspector, f.Person)
			}
			say("reports", who)
		case "accept":
			say("accepts", person(acceptor, f.Person))
		case "reject":
			say("accepts", person(acceptor, f.Person))
			say("rejected", person(acceptor, f.Person))
		case "file":
			say("filed", person(shiftLeader, f.Person))
		case "dispatch":
			say("dispatches", person(dispatcher, f.Person))
		case "feed_back":
			say("handled", departmentsOf(f.Department))
		case "answer_verify":
			say("verifies", person(inspector, f.Person))
		case "answer_check":
			say("checks", person(inspector, f.Person))
		case "close":
			say("closed", append(person(shiftLeader, f.Person), departmentsOf(l.s.handler)...))
		case "approve":
			l.approved(f, say)
		}
	}
}

func (l *ledger) approved(f *fact, say func(string, []whom)) {
	switch f.request {
	case "void":
		say("voided", person(shiftLeader, f.Person))
	case "return", "extension", "suspension":
		say(f.request+"s", departmentsOf(f.asker))
	}
}

// stages counts the steps of the centre and the inspectors, each from the fact that
// begins it to the first that ends it.
func (l *ledger) stages() {
	if l.s.voided() {
		return
	}
	for i := range l.s.facts {
		f := &l.s.facts[i]
		switch f.Act.Act {
		case "report":
			if fromPublic(f.Report.Source) {
				l.stage(i, "send_verify", acceptor, "send_verify", "reject")
			} else if !l.next(i, "send_verify") && !l.next(i, "close") {
				l.stage(i, "accept", acceptor, "accept", "reject")
			}
		case "answer_verify":
			l.stage(i, "accept", acceptor, "accept", "reject")
		case "accept":
			l.stage(i, "file", shiftLeader, "file")
		case "file":
			l.stage(i, "dispatch", dispatcher, "dispatch")
		case "approve":
			if f.request == "return" && f.state == "filed" {
				l.stage(i, "dispatch", dispatcher, "dispatch")
			}
		case "feed_back":
			l.stage(i, "send_check", acceptor, "send_check")
		case "send_verify":
			l.visit(i, "verify", "answer_verify")
		case "send_check":
			l.visit(i, "check", "answer_check")
		}
	}
}

// next reports whether an act comes after the fact i, before any that accepts.
func (l *ledger) next(i int, act string) bool {
	for _, f := range l.s.facts[i+1:] {
		if f.Act.Act == "accept" {
			return false
		}
		if f.Act.Act == act {
			return true
		}
	}
	return false
}

// stage counts a step of the centre, for the person who ended it.
func (l *ledger) stage(i int, name, role string, ends ...string) {
	deadline := l.s.facts[i].received + l.y.rule.Stages[name]*minute
	if deadline > l.y.to {
		return
	}
	for k := i + 1; k < len(l.s.facts); k++ {
		if f := &l.s.facts[k]; slices.Contains(ends, f.Act.Act) {
			l.one("on_time_"+name, deadline, f.received <= deadline, person(role, f.Person)...)
			return
		}
	}
	l.one("on_time_"+name, deadline, false)
}

// visit counts a step of an inspector, for the one who was sent.
func (l *ledger) visit(i int, name, end string) {
	begun := &l.s.facts[i]
	deadline := begun.received + l.y.rule.Stages[name]*minute
	if deadline > l.y.to {
		return
	}
	good := false
	for k := i + 1; k < len(l.s.facts); k++ {
		if f := &l.s.facts[k]; f.Act.Act == end {
			good = f.counts <= deadline
			break
		}
	}
	l.one("on_time_"+name, deadline, good, person(inspector, begun.Inspector)...)
}

func (l *ledger) reports() {
	first := &l.s.facts[0]
	if first.Role == inspector && (l.s.filing != nil || l.s.over()) {
		valid := l.s.state == "closed" || l.s.filing != nil && !l.s.voided()
		l.one("valid_reports", first.counts, valid, person(inspector, first.Person)...)
	}
	if l.s.voided() || !fromPublic(first.Report.Source) {
		return
	}
	for i := range l.s.facts {
		if f := &l.s.facts[i]; f.Act.Act == "answer_verify" && f.Outcome == "yes" {
			l.part("public_reports", f.counts, 1, 0)
		}
	}
}

func (l *ledger) filings() {
	f := l.s.filing
	if f == nil {
		return
	}
	l.one("accurate_file", f.counts, !l.s.voided(), person(shiftLeader, f.Person)...)
	if l.s.voided() {
		return
	}
	report := l.s.facts[0].Report
	l.part("public_reports", f.counts, 0, 1)
	l.one("missed_reports", f.counts, fromPublic(report.Source), l.walkers(string(report.Duty))...)
	l.number("filed", f.counts, departmentsOf(l.s.handler))
}

// walkers are the inspectors of a duty grid.
func (l *ledger) walkers(duty string) []whom {
	for n := range l.y.o.Inspectors {
		if string(dutyCode(n)) == duty {
			return person(inspector, inspectorID(n))
		}
	}
	return nil
}

// dispatches are right where the next one, if any, names the same departments.
func (l *ledger) dispatches() {
	if l.s.voided() {
		return
	}
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	for i := range l.s.facts {
		f := &l.s.facts[i]
		if f.Act.Act != "dispatch" {
			continue
		}
		right := true
		for k := i + 1; k < len(l.s.facts); k++ {
			if later := &l.s.facts[k]; later.Act.Act == "dispatch" {
				right = slices.Equal(sorted(later.Departments), sorted(f.Departments))
				break
			}
		}
		l.one("accurate_dispatch", f.counts, right, person(dispatcher, f.Person)...)
	}
}

func (l *ledger) repairs() {
	i := slices.IndexFunc(l.s.facts, func(f fact) bool { return f.Act.Act == "feed_back" })
	if i < 0 || l.s.voided() {
		return
	}
	at, who := l.s.facts[i].counts, departmentsOf(l.s.handler)
	l.one("reworked", at, l.s.reworks > 0, who...)
	if l.s.reworks > 1 {
		l.number("many_reworks", at, l.places, who)
	}
}

// handling counts what is due to be handled.
func (l *ledger) handling() {
	w := l.y.watch(l.s)
	if w == nil || l.s.voided() || l.s.state == "suspended" {
		return
	}
	deadline, late, total := w.last, w.late, w.total+w.slack
	if !w.done {
		deadline = w.deadline()
		late = late || l.y.to > deadline
		total = w.total + w.measure(w.exact(), deadline)
	}
	if deadline > l.y.to {
		return
	}
	who := departmentsOf(l.s.handler)
	if l.s.handler == "" {
		who = departmentsOf(l.s.sentTo...)
	}
	inTime, closed := w.done && !late, l.s.state == "closed"
	l.one("on_time_handle", deadline, inTime, who...)
	if late {
		l.number("overdue", deadline, l.places, who)
	}
	if w.used(l.y.to) >= 2*total {
		l.number("overrun_twice", deadline, l.places, who)
	}
	who = append(who, person(shiftLeader, l.s.filing.Person)...)
	l.one("closing", deadline, closed, who...)
	l.one("on_time_closing", deadline, closed && inTime, who...)
}
