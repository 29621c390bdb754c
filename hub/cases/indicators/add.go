package indicators

import (
	"fmt"
	"slices"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// Add counts one case. c is what the journal entries come to; each case is added
// once. What was received after AsOf, while others were being counted, is left out. It
// reads the journal once and keeps nothing of it. An error means that nothing of the
// case was counted.
func (t *Tally) Add(c *cases.Case, entries []cases.Entry) error {
	if int(c.Entries) != len(entries) {
		return fmt.Errorf("count case %s: it has %d entries, its journal %d; read both again", c.ID, c.Entries, len(entries))
	}
	if c.ReceivedAt.After(t.cfg.AsOf) {
		n := slices.IndexFunc(entries, func(e cases.Entry) bool { return e.ReceivedAt.After(t.cfg.AsOf) })
		if n <= 0 {
			return nil
		}
		early, err := cases.Fold(entries[:n])
		if err != nil {
			return fmt.Errorf("count case %s: %w", c.ID, err)
		}
		c, entries = early, entries[:n]
	}
	h, err := t.cfg.Book.Handling(c.Limit, c.Clock, t.cfg.AsOf)
	if err != nil {
		return fmt.Errorf("count case %s: %w", c.ID, err)
	}
	p := &pass{t: t, c: c, places: placesOf(c)}
	for n := range entries {
		p.entry(&entries[n])
		if p.err != nil {
			return fmt.Errorf("count case %s: %w", c.ID, p.err)
		}
	}
	p.pending()
	if p.err != nil {
		return fmt.Errorf("count case %s: %w", c.ID, p.err)
	}
	p.whole(h)
	for _, f := range p.hits {
		f.into(t)
	}
	return nil
}

// who is a person or department that a number is about.
type who struct {
	dimension Dimension
	key       string
}

// hit is a number found, kept until the whole case was read.
type hit struct {
	period  int
	places  []who
	whom    []who
	count   bool
	of      int // an Indicator or a Count
	num, by int64
}

func (h *hit) into(t *Tally) {
	for _, list := range [][]who{h.places, h.whom} {
		for _, w := range list {
			n := t.row(rowKey{h.period, w.dimension, w.key})
			if h.count {
				n.counts[h.of] += h.num
				continue
			}
			n.ratios[h.of].Num += h.num
			n.ratios[h.of].Den += h.by
		}
	}
}

// pass is one reading of a journal.
type pass struct {
	t      *Tally
	c      *cases.Case
	places []who
	hits   []hit
	err    error

	waits    map[limits.Stage]wait // stages that have begun and not ended
	filer    cases.PersonID
	filedAt  time.Time
	sent     []cases.DepartmentID // as in Case.SentTo
	asked    cases.RequestKind    // the last request; an approval is always of it
	askedBy  cases.DepartmentID
	dispatch *cases.Entry // the last one
	fedBack  time.Time    // the first one
}

type wait struct {
	since time.Time
	whom  []who
}

// placesOf are the dimensions in which every number of a case counts.
func placesOf(c *cases.Case) []who {
	list := []who{{City, ""}, {Class, c.Class.String()}}
	if c.Cell != "" {
		cell := string(c.Cell)
		list = append(list, who{Cell, cell}, who{Community, cell[:12]}, who{Street, cell[:9]})
	}
	return list
}

func (p *pass) count(n Count, at time.Time, whom ...who) {
	if period := p.t.period(at); period >= 0 {
		p.hits = append(p.hits, hit{period, p.places, whom, true, int(n), 1, 0})
	}
}

func (p *pass) ratio(i Indicator, at time.Time, good bool, whom ...who) {
	n := int64(0)
	if good {
		n = 1
	}
	p.part(i, at, n, 1, whom...)
}

func (p *pass) part(i Indicator, at time.Time, num, den int64, whom ...who) {
	if period := p.t.period(at); period >= 0 {
		p.hits = append(p.hits, hit{period, p.places, whom, false, int(i), num, den})
	}
}

// one names a person in a role, and nobody for the hub itself.
func one(d Dimension, person cases.PersonID) []who {
	if person == cases.System || person == "" {
		return nil
	}
	return []who{{d, string(person)}}
}

func departments(list ...cases.DepartmentID) (out []who) {
	for _, d := range list {
		if d != "" {
			out = append(out, who{Department, string(d)})
		}
	}
	return out
}

func (p *pass) begin(s limits.Stage, since time.Time, whom ...who) {
	if p.waits == nil {
		p.waits = map[limits.Stage]wait{}
	}
	p.waits[s] = wait{since, whom}
}

// end ends a stage that was waiting. What had no limit, or is not due, counts nowhere.
func (p *pass) end(s limits.Stage, i Indicator, done time.Time, whom ...who) {
	w, ok := p.waits[s]
	if !ok {
		return
	}
	delete(p.waits, s)
	p.due(s, i, w, done, whom)
}

// due counts a stage in the period of its deadline, once that has come. A zero done
// is a stage that still waits.
func (p *pass) due(s limits.Stage, i Indicator, w wait, done time.Time, whom []who) {
	deadline, ok, err := p.t.cfg.Book.StageDeadline(s, w.since)
	if err != nil {
		p.err = err
	}
	if !ok || err != nil || deadline.After(p.t.cfg.AsOf) || p.c.State == cases.Voided {
		return
	}
	p.ratio(i, deadline, !done.IsZero() && !done.After(deadline), append(slices.Clone(whom), w.whom...)...)
}

// pending counts the stages that nobody has ended.
func (p *pass) pending() {
	for s, i := range map[limits.Stage]Indicator{
		limits.SendVerifyStage: OnTimeSendVerify, limits.VerifyStage: OnTimeVerify, limits.AcceptStage: OnTimeAccept, limits.FileStage: OnTimeFile,
		limits.DispatchStage: OnTimeDispatch, limits.SendCheckStage: OnTimeSendCheck, limits.CheckStage: OnTimeCheck,
	} {
		p.end(s, i, time.Time{})
	}
}

func (p *pass) entry(e *cases.Entry) {
	switch e.Act {
	case cases.ActReport:
		p.report(e)
	case cases.ActSendVerify:
		delete(p.waits, limits.AcceptStage)
		p.end(limits.SendVerifyStage, OnTimeSendVerify, e.ReceivedAt, one(Acceptor, e.Person)...)
		p.begin(limits.VerifyStage, e.ReceivedAt, one(Inspector, e.Inspector)...)
	case cases.ActAnswerVerify:
		p.end(limits.VerifyStage, OnTimeVerify, e.CountsAt)
		p.count(Verifies, e.CountsAt, one(Inspector, e.Person)...)
		if e.Outcome == cases.Yes && p.c.Report.Source.FromPublic() && p.c.State != cases.Voided {
			p.part(PublicReports, e.CountsAt, 1, 0)
		}
		p.begin(limits.AcceptStage, e.ReceivedAt)
	case cases.ActAccept, cases.ActReject:
		p.accept(e)
	case cases.ActFile:
		p.file(e)
	case cases.ActDispatch:
		p.sendOut(e)
	default:
		p.later(e)
	}
}

func (p *pass) report(e *cases.Entry) {
	whom := []who(nil)
	if e.Role == cases.Inspector {
		whom = one(Inspector, e.Person)
	}
	p.count(Reports, e.CountsAt, whom...)
	if e.Report.Source.TakenAsSeen() {
		p.begin(limits.AcceptStage, e.ReceivedAt)
		return
	}
	p.begin(limits.SendVerifyStage, e.ReceivedAt)
}

func (p *pass) accept(e *cases.Entry) {
	whom := one(Acceptor, e.Person)
	p.end(limits.SendVerifyStage, OnTimeSendVerify, e.ReceivedAt, whom...) // rejected instead of sent
	p.end(limits.AcceptStage, OnTimeAccept, e.ReceivedAt, whom...)
	p.count(Accepts, e.CountsAt, whom...)
	if e.Act == cases.ActReject {
		p.count(Rejected, e.CountsAt, whom...)
		return
	}
	p.begin(limits.FileStage, e.ReceivedAt)
}

func (p *pass) file(e *cases.Entry) {
	whom := one(ShiftLeader, e.Person)
	p.filer, p.filedAt = e.Person, e.CountsAt
	p.end(limits.FileStage, OnTimeFile, e.ReceivedAt, whom...)
	p.count(Filed, e.CountsAt, whom...)
	p.begin(limits.DispatchStage, e.ReceivedAt)
}

// sendOut: a dispatch was wrong where a later one goes to others.
func (p *pass) sendOut(e *cases.Entry) {
	whom := one(Dispatcher, e.Person)
	p.end(limits.DispatchStage, OnTimeDispatch, e.ReceivedAt, whom...)
	p.count(Dispatches, e.CountsAt, whom...)
	p.judgeDispatch(e.Departments)
	p.sent, p.dispatch = slices.Clone(e.Departments), e
}

// judgeDispatch counts the dispatch before, which the case went on from to others, or
// to nobody else (nil).
func (p *pass) judgeDispatch(next []cases.DepartmentID) {
	if p.dispatch == nil || p.c.State == cases.Voided {
		return
	}
	right := next == nil || sameDepartments(p.dispatch.Departments, next)
	p.ratio(AccurateDispatch, p.dispatch.CountsAt, right, one(Dispatcher, p.dispatch.Person)...)
}

func sameDepartments(a, b []cases.DepartmentID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// later is for the acts after the dispatch.
func (p *pass) later(e *cases.Entry) {
	switch e.Act {
	case cases.ActAskReturn, cases.ActAskExtension, cases.ActAskSuspension, cases.ActAskVoid:
		p.asked, p.askedBy = cases.RequestKind(e.Act[len("ask_"):]), e.Department
	case cases.ActApprove:
		p.approve(e)
	case cases.ActFeedBack:
		p.count(Handled, e.CountsAt, departments(e.Department)...)
		if p.fedBack.IsZero() {
			p.fedBack = e.CountsAt
		}
		p.begin(limits.SendCheckStage, e.ReceivedAt)
	case cases.ActSendCheck:
		p.end(limits.SendCheckStage, OnTimeSendCheck, e.ReceivedAt, one(Acceptor, e.Person)...)
		p.begin(limits.CheckStage, e.ReceivedAt, one(Inspector, e.Inspector)...)
	case cases.ActAnswerCheck:
		p.end(limits.CheckStage, OnTimeCheck, e.CountsAt)
		p.count(Checks, e.CountsAt, one(Inspector, e.Person)...)
	case cases.ActClose:
		delete(p.waits, limits.AcceptStage) // handled on the spot
		p.count(Closed, e.CountsAt, append(one(ShiftLeader, e.Person), departments(p.c.Handler)...)...)
	}
}

func (p *pass) approve(e *cases.Entry) {
	switch p.asked {
	case cases.Return:
		p.count(Returns, e.CountsAt, departments(p.askedBy)...)
		p.sent = slices.DeleteFunc(p.sent, func(d cases.DepartmentID) bool { return d == p.askedBy })
		if len(p.sent) == 0 {
			p.begin(limits.DispatchStage, e.ReceivedAt)
		}
	case cases.Extension:
		p.count(Extensions, e.CountsAt, departments(p.askedBy)...)
	case cases.Suspension:
		p.count(Suspensions, e.CountsAt, departments(p.askedBy)...)
	case cases.Void:
		p.count(Voided, e.CountsAt, one(ShiftLeader, e.Person)...)
	}
}

// whole counts what only the whole case tells.
func (p *pass) whole(h limits.Handling) {
	c := p.c
	p.validReport()
	p.judgeDispatch(nil)
	if !p.filedAt.IsZero() {
		p.filed()
	}
	if !c.State.Final() {
		p.count(Open, p.t.cfg.AsOf.Add(-time.Millisecond), departments(c.Handler)...)
	}
	if c.State == cases.Voided {
		return
	}
	if !p.fedBack.IsZero() {
		p.ratio(Reworked, p.fedBack, c.Reworks > 0, departments(c.Handler)...)
		if c.Reworks > 1 {
			p.count(ManyReworks, p.fedBack, departments(c.Handler)...)
		}
	}
	p.dueToBeHandled(h)
}

// validReport: a report counts once it is decided; the undecided are neither.
func (p *pass) validReport() {
	c := p.c
	decided := !p.filedAt.IsZero() || c.State.Final()
	if c.Reporter.Role == cases.Inspector && decided {
		valid := c.State == cases.Closed || !p.filedAt.IsZero() && c.State != cases.Voided
		p.ratio(ValidReports, c.ReportedAt, valid, one(Inspector, c.Reporter.Person)...)
	}
}

func (p *pass) filed() {
	void := p.c.State == cases.Voided
	p.ratio(AccurateFile, p.filedAt, !void, one(ShiftLeader, p.filer)...)
	if void {
		return
	}
	p.part(PublicReports, p.filedAt, 0, 1)
	var duty []who
	for _, person := range p.t.cfg.Duty[p.c.Report.Duty] {
		duty = append(duty, one(Inspector, person)...)
	}
	p.ratio(MissedReports, p.filedAt, p.c.Report.Source.FromPublic(), duty...)
	p.hits = append(p.hits, p.ofDepartment()...)
}

// ofDepartment counts a filed case for the department that has it; places have it
// already from the filing.
func (p *pass) ofDepartment() []hit {
	period := p.t.period(p.filedAt)
	if period < 0 || p.c.Handler == "" {
		return nil
	}
	return []hit{{period, nil, departments(p.c.Handler), true, int(Filed), 1, 0}}
}

// dueToBeHandled: a case is due once the deadline of its last round has come. While
// it is suspended it has none.
func (p *pass) dueToBeHandled(h limits.Handling) {
	if h.Deadline.IsZero() || h.Deadline.After(p.t.cfg.AsOf) {
		return
	}
	c := p.c
	whom := departments(c.Handler)
	if c.Handler == "" {
		whom = departments(c.SentTo...)
	}
	inTime := !h.Done.IsZero() && !h.Late
	p.ratio(OnTimeHandle, h.Deadline, inTime, whom...)
	if h.Late {
		p.count(Overdue, h.Deadline, whom...)
	}
	if h.Overrun() >= 1000 {
		p.count(OverrunTwice, h.Deadline, whom...)
	}
	whom = append(whom, one(ShiftLeader, p.filer)...)
	p.ratio(Closing, h.Deadline, c.State == cases.Closed, whom...)
	p.ratio(OnTimeClosing, h.Deadline, c.State == cases.Closed && inTime, whom...)
}
