package district

import (
	"fmt"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// life makes the acts of one case, one after the other.
type life struct {
	*Year
	dice dice
	n    int
	key  string
	now  int64 // at the hub
	acts []*Act

	report     *Report
	component  Component
	middle     string   // the rank of the area
	candidates []string // who should have it
	limit      span
	started    int64 // when the handling clock began, where it has
	cleared    bool  // the event is over
	reworks    int
}

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// live makes the case n, which is noticed at a moment.
func (y *Year) live(n int, at int64) []*Act {
	l := &life{Year: y, dice: newDice(y.o.Seed, forCases, uint64(n)), n: n, key: caseKey(n), now: at}
	l.begin()
	return l.acts
}

func caseKey(n int) string { return fmt.Sprintf("S%08d", n+1) }

// begin decides who notices what.
func (l *life) begin() {
	l.thing()
	switch n := l.dice.span(0, 99); {
	case n < 55:
		l.byInspector()
	case n < 60 && !l.year.NoSensors:
		l.bySensor()
	case n < 90:
		l.byPublic()
	default:
		l.bySeen()
	}
}

// thing decides what is wrong: a component, or an event beside a street.
func (l *life) thing() {
	r := &Report{Type: "daily", Urgency: "normal"}
	l.report = r
	var cell int
	if l.dice.chance(450) {
		c := l.Component(l.dice.under(l.o.Components))
		l.component, cell = c, c.cell
		r.Class, r.ClassName, r.Component = c.kind.report, c.kind.reportName, c.ID
		r.Position, r.Location, r.Description = c.Position, c.Location, c.ClassName+"损坏，需要处理"
		l.candidates = []string{c.Authority}
		if c.Ownerless() {
			l.candidates = l.District.candidates(c.kind.old, c.kind.trade)
		}
	} else {
		cell = l.matter()
	}
	b := l.plan.block(cell)
	l.middle = l.areaKind(b.street)
	r.Duty = l.duty(cell)
	if r.Position.Known() {
		r.Cell = b.code()
	}
	if l.dice.chance(20) {
		r.Urgency = "urgent"
	}
}

// matter makes an event somewhere.
func (l *life) matter() (cell int) {
	m := l.drawMatter()
	cell = l.dice.under(l.o.Cells)
	b := l.plan.block(cell)
	at, line, down := l.plan.kerb(&b, &l.dice)
	r := l.report
	r.Class, r.ClassName = l.matterRef(m), l.nameOf(l.matterRef(m))
	r.Position, r.Location = positionOf(at), fmt.Sprintf("%s%d号门前", l.roadName(line, down), l.dice.span(1, 180))
	r.Description = r.ClassName
	if l.dice.chance(15) {
		r.Position = schemas.Position{}
	}
	l.candidates = []string{l.department(m.trade)}
	return cell
}

func (l *life) drawMatter() matter {
	list, total := matters(), 0
	for _, m := range list {
		total += m.weight
	}
	n := l.dice.under(total)
	for _, m := range list {
		if n -= m.weight; n < 0 {
			return m
		}
	}
	return list[0]
}

func (y *Year) nameOf(r codes.Ref) string {
	c, err := y.lists.Lookup(r)
	if err != nil {
		return r.Code
	}
	return c.ZH
}

// do adds an act at the present moment.
func (l *life) do(act, role, person string) *Act {
	t := time.UnixMilli(l.now).UTC()
	a := &Act{Case: l.key, Act: act, Role: role, Person: person, At: t, ReceivedAt: t}
	if role == department {
		a.Department = person[:3]
	}
	l.acts = append(l.acts, a)
	return a
}

// wait lets some time pass.
func (l *life) wait(from, to int64) { l.now += l.dice.span(from, to) }

// within lets a stage pass: mostly in its limit, else up to four times as long.
func (l *life) within(stage string) {
	limit := l.rule.Stages[stage] * minute
	if l.dice.chance(93) {
		l.wait(limit*105/100, limit*4)
		return
	}
	if l.dice.chance(5) {
		l.now += limit // to the millisecond: in time
		return
	}
	l.wait(limit/20, limit*95/100)
}

// field makes an act one that a device sends: a few are sent hours later, and of a
// few the clock is wrong.
func (l *life) field(a *Act) *Act {
	a.Device = "phone-" + a.Person
	switch n := l.dice.span(0, 999); {
	case n < 60:
		l.wait(5*minute, 10*hour)
	case n < 62: // the clock is fast
		a.At = a.At.Add(3 * time.Hour)
		return a
	case n < 64: // the clock is days behind
		a.At = a.At.Add(-offline - time.Duration(l.dice.span(1, 1000))*time.Hour)
		return a
	case n < 72: // it is hours behind: perhaps before anybody was sent
		a.At = a.At.Add(-time.Duration(l.dice.span(1, 60)) * time.Hour)
		return a
	default:
		l.wait(0, 20*second)
	}
	a.ReceivedAt = time.UnixMilli(l.now).UTC()
	return a
}

func (l *life) photos(stage string, n int) (list []Medium) {
	for range n {
		list = append(list, Medium{SM3: l.digest(), Kind: "image", Stage: stage})
	}
	return list
}

func (l *life) digest() string {
	return fmt.Sprintf("%016x%016x%016x%016x", l.dice.roll(), l.dice.roll(), l.dice.roll(), l.dice.roll())
}

// inspector is the one of the duty grid, or another one where theirs is on leave.
func (l *life) inspector() string {
	var n int
	if _, err := fmt.Sscanf(string(l.report.Duty), "ZR-%03d", &n); err != nil || l.dice.chance(70) {
		return inspectorID(l.dice.under(l.o.Inspectors))
	}
	return inspectorID(n - 1)
}

func (l *life) acceptor() string { return acceptorID(l.dice.under(acceptors)) }
func (l *life) leader() string   { return leaderID(l.dice.under(shiftLeaders)) }
func (l *life) dispatcher() string {
	return dispatcherID(l.dice.under(dispatchers))
}

// worker is one of a department.
func (l *life) worker(department string) string {
	return staffID(department, l.dice.under(staff))
}

// other draws until it has somebody else.
func (l *life) other(than string, draw func() string) string {
	for range 100 {
		if p := draw(); p != than {
			return p
		}
	}
	return draw()
}

// reports makes the first act.
func (l *life) reports(role, person, source string) *Act {
	a := l.do("report", role, person)
	r := *l.report
	r.Source = source
	l.report = &r
	as := r // what is corrected later does not change what was reported
	a.Report = &as
	a.Media = l.photos("report", 1+l.dice.under(2))
	return a
}

func (l *life) byInspector() {
	a := l.reports(inspector, l.inspector(), "inspector")
	if l.dice.chance(120) {
		l.selfHandled(a)
		return
	}
	l.bad("an inspector reports for the hotline", func() *Act {
		b := *a
		r := *b.Report
		r.Source, b.Report = "hotline", &r
		b.Case = "" // of no case yet: see bad
		return &b
	})
	l.field(a)
	l.takenAsSeen()
}

// selfHandled: the inspector has put it right, with a photo at once or later.
func (l *life) selfHandled(a *Act) {
	r := a.Report
	r.SelfHandled = true
	if l.dice.chance(800) {
		a.Media = append(a.Media, l.photos("handled", 1)...)
		l.field(a)
	} else {
		l.field(a)
		l.bad("self-handled without a photo of it", func() *Act { return l.draft("close", shiftLeader, l.leader()) })
		l.wait(minute, hour)
		l.do("note", inspector, a.Person).Media = l.photos("handled", 1)
	}
	l.bad("the inspector closes what they handled", func() *Act { return l.draft("close", shiftLeader, a.Person) })
	l.within("accept")
	l.do("close", shiftLeader, l.leader())
	l.over()
}

// bySeen: video, leaders and assessments need no verification.
func (l *life) bySeen() {
	l.reports(acceptor, l.acceptor(), pick(&l.dice, []string{"video", "video", "leader", "assessment", "inspection"}))
	l.takenAsSeen()
}

// takenAsSeen: nobody has to verify, though an acceptor may ask for it.
func (l *life) takenAsSeen() {
	l.bad("another report of the same case", func() *Act {
		b := *l.acts[0]
		return l.again(&b)
	})
	if l.dice.chance(60) {
		l.verified()
		return
	}
	l.classified()
	l.within("accept")
	l.acceptOrReject(970)
}

// classified: sometimes the class is another one.
func (l *life) classified() {
	if !l.dice.chance(40) {
		return
	}
	l.wait(second, minute)
	m := l.drawMatter()
	a := l.do("classify", acceptor, l.acceptor())
	a.Classification, a.Reason = &Classification{l.matterRef(m), l.nameOf(l.matterRef(m))}, "核对后更正类别"
	l.report.Class, l.report.ClassName = l.matterRef(m), a.Classification.ClassName
	l.candidates = []string{l.department(m.trade)}
}

func (l *life) byPublic() {
	switch l.dice.under(4) {
	case 0:
		l.reports(public, fmt.Sprintf("citizen-%05d", l.dice.span(1, 99_999)), pick(&l.dice, []string{"public", "web"}))
	default:
		l.reports(acceptor, l.acceptor(), pick(&l.dice, []string{"hotline", "hotline", "hotline", "media", "web", "public"}))
	}
	l.bad("a public report accepted without verification", func() *Act { return l.draft("accept", acceptor, l.acceptor()) })
	if l.dice.chance(60) {
		l.within("send_verify")
		l.reject("不属于受理范围")
		return
	}
	l.verified()
}

// verified sends an inspector, and goes on by the answer.
func (l *life) verified() {
	l.within("send_verify")
	who := l.inspector()
	l.do("send_verify", acceptor, l.acceptor()).Inspector = who
	l.within("verify")
	l.bad("another inspector than the one sent answers", func() *Act {
		b := l.draft("answer_verify", inspector, l.other(who, func() string { return inspectorID(l.dice.under(l.o.Inspectors)) }))
		b.Outcome = "yes"
		return b
	})
	a := l.field(l.do("answer_verify", inspector, who))
	a.Media = l.photos("verify", 1)
	if a.Outcome = "yes"; l.dice.chance(180) {
		a.Outcome, a.Reason = "no", "现场未发现问题"
		l.bad("accepted though not there", func() *Act { return l.draft("accept", acceptor, l.acceptor()) })
		l.within("accept")
		l.reject("核实不属实")
		return
	}
	l.classified()
	l.within("accept")
	l.acceptOrReject(980)
}

func (l *life) acceptOrReject(accepted int64) {
	if !l.dice.chance(accepted) {
		if before := l.n - 2*max(1, l.year.Cases/l.year.Days) - 20 - l.dice.under(50); before >= 0 && l.dice.chance(600) {
			l.reject("与已立案件重复").DuplicateOf = caseKey(before)
		} else {
			l.reject("不属于受理范围")
		}
		l.over()
		return
	}
	l.do("accept", acceptor, l.acceptor())
	l.file(shiftLeader, "")
}

func (l *life) reject(reason string) *Act {
	a := l.do("reject", acceptor, l.acceptor())
	a.Reason = reason
	return a
}

// bySensor: the hub itself reports, and mostly accepts and files.
func (l *life) bySensor() {
	event := pick(&l.dice, []string{"leak", "leak", "cover_open", "valve_stuck", "battery_low"})
	r := l.report
	r.Class, r.ClassName = sensed(event), l.nameOf(sensed(event))
	r.Event = schemas.EventID(l.digest()[:32])
	r.Description = r.ClassName
	l.candidates = []string{l.department(water)}
	l.reports(sensor, system, "sensor")
	if !l.dice.chance(700) {
		l.takenAsSeen()
		return
	}
	l.wait(50, 3*second)
	l.do("accept", sensor, system)
	l.wait(50, 3*second)
	l.file(sensor, system)
}
