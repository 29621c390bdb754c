package cases

import (
	"fmt"
	"slices"
)

// validParts checks the parts that belong to single acts, and that no other act
// has them.
func (e *Entry) validParts(p *problems) {
	part := func(field string, given bool, acts ...Act) bool {
		if given && !in(e.Act, acts) {
			p.add(field, "given, but %s takes none", e.Act)
			return false
		}
		return given
	}
	if part("report", e.Report != nil, ActReport) {
		e.Report.valid(p, e.Role)
	}
	if part("classification", e.Classification != nil, ActClassify) {
		p.class("classification.class", e.Classification.Class, e.Classification.ClassName)
		p.line("classification.condition", e.Classification.Condition, MaxCondition)
	}
	if part("filing", e.Filing != nil, ActFile) {
		e.Filing.valid(p)
	}
	if part("inspector", e.Inspector != "", ActSendVerify, ActSendCheck) {
		p.id("inspector", string(e.Inspector), maxID, isPersonByte)
	}
	if part("outcome", e.Outcome != "", ActAnswerVerify, ActAnswerCheck) {
		oneOf(p, "outcome", e.Outcome, []Outcome{Yes, No})
	}
	if part("duplicate_of", e.DuplicateOf != "", ActReject) {
		p.id("duplicate_of", string(e.DuplicateOf), maxCaseID, isIDByte)
	}
	if part("departments", len(e.Departments) > 0, ActDispatch) {
		p.departments(e.Departments)
	}
	if part("amount", e.Amount != 0, ActAskExtension) && (e.Amount < 1 || e.Amount > MaxAmount) {
		p.add("amount", "%d, want 1 to %d of the limit's unit", e.Amount, MaxAmount)
	}
	part("request", e.Request != 0, ActApprove, ActRefuse, ActWithdraw)
	if part("event", e.Event != "", ActCleared) {
		p.event("event", e.Event)
	}
}

func (p *problems) departments(list []DepartmentID) {
	if len(list) > MaxDepartments {
		p.add("departments", "%d, want at most %d", len(list), MaxDepartments)
		return
	}
	for n, d := range list {
		p.id(fmt.Sprintf("departments[%d]", n), string(d), maxID, isIDByte)
		if slices.Contains(list[:n], d) {
			p.add(fmt.Sprintf("departments[%d]", n), "%q stands twice", string(d))
		}
	}
}

// validNeeds checks the column needs of docs/cases.md, as far as the entry shows it.
func (e *Entry) validNeeds(p *problems) {
	need := func(field string, given bool, remedy string) {
		if !given {
			p.add(field, "missing; %s", remedy)
		}
	}
	switch e.Act {
	case ActReport:
		need("report", e.Report != nil, "say what is wrong and where")
	case ActClassify:
		need("classification", e.Classification != nil, "name the class")
	case ActFile:
		need("filing", e.Filing != nil, "give condition and cell")
	case ActSendVerify:
		need("inspector", e.Inspector != "", "name the inspector to send")
	case ActSendCheck:
		need("inspector", e.Inspector != "" || e.Role == Sensor, "name the inspector to send")
	case ActAnswerVerify, ActAnswerCheck:
		need("outcome", e.Outcome != "", "answer yes or no")
		need("reason", e.Reason != "" || e.Outcome != No, "say what is not as it should be")
		if e.Role == Sensor && e.Outcome == No {
			p.add("outcome", "no by a sensor, which says nothing but that the event has cleared; send an inspector")
		}
	case ActReject, ActAskReturn, ActAskSuspension, ActAskVoid, ActRefuse:
		need("reason", e.Reason != "", "say why")
	case ActAskExtension:
		need("reason", e.Reason != "", "say why")
		need("amount", e.Amount != 0, "say how much more time, in the unit of the limit")
	case ActDispatch:
		need("departments", len(e.Departments) > 0, "name at least one")
	case ActFeedBack:
		need("text", e.Text != "", "say what was done")
	case ActNote:
		need("text", e.Text != "" || len(e.Media) > 0, "give a text or media")
	case ActCleared:
		need("event", e.Event != "", "name the event that ended")
	}
}

func (f *Filing) valid(p *problems) {
	p.line("filing.condition", f.Condition, MaxCondition)
	if f.Condition == "" {
		p.add("filing.condition", "missing; name the condition of the limits file")
	}
	p.cell("filing.cell", f.Cell)
	p.line("filing.no_cell", f.NoCell, MaxReason)
	if (f.Cell == "") == (f.NoCell == "") {
		p.add("filing.no_cell", "give the cell, or say why there is none, and not both")
	}
	p.line("filing.area_class", f.AreaClass, MaxAreaClass)
	if f.Limit.Known() {
		p.under("filing.limit", f.Limit.Validate())
	}
}

// Validate reports an amount or unit that no limit has. A limit that nobody has set
// is not valid: ask Known first.
func (l Limit) Validate() error {
	var p problems
	if l.Amount < 1 || l.Amount > MaxAmount {
		p.add("amount", "%d, want 1 to %d", l.Amount, MaxAmount)
	}
	oneOf(&p, "unit", l.Unit, Units())
	return p.join()
}

func (r *Report) valid(p *problems, by Role) {
	oneOf(p, "report.source", r.Source, Sources())
	if in(r.Source, Sources()) && in(by, []Role{Inspector, Acceptor, Public, Sensor}) && !by.MayGive(r.Source) {
		p.add("report.source", "%s cannot be reported by %s", r.Source, by)
	}
	oneOf(p, "report.type", r.Type, CaseTypes())
	oneOf(p, "report.urgency", r.Urgency, Urgencies())
	p.class("report.class", r.Class, r.ClassName)
	p.line("report.condition", r.Condition, MaxCondition)
	p.text("report.description", r.Description, MaxDescription)
	p.line("report.location", r.Location, MaxLocation)
	p.under("report.position", r.Position.Validate())
	p.cell("report.cell", r.Cell)
	p.event("report.event", r.Event)
	for _, id := range [][2]string{{"report.task", r.Task}, {"report.component", string(r.Component)}, {"report.duty", string(r.Duty)}} {
		if id[1] != "" {
			p.id(id[0], id[1], maxCaseID, isIDByte)
		}
	}
	if r.PetitionerSM3 != "" && !isDigest(r.PetitionerSM3) {
		p.add("report.petitioner_sm3", "%q, want 64 lower-case hexadecimal digits", r.PetitionerSM3)
	}
	r.validTogether(p, by)
}

// validTogether checks what depends on several fields.
func (r *Report) validTogether(p *problems, by Role) {
	if r.Description == "" && r.Event == "" {
		p.add("report.description", "missing; say what is wrong")
	}
	if r.Location == "" && !r.Position.Known() {
		p.add("report.location", "missing; give the place in words, or a position")
	}
	if (r.Event != "") != (by == Sensor) {
		p.add("report.event", "%q by %s; reports by sensor name their event, others have none", string(r.Event), by)
	}
	if r.SelfHandled && by != Inspector {
		p.add("report.self_handled", "given by %s; only an inspector handles on the spot", by)
	}
	if r.ReplyWanted && r.PetitionerSM3 == "" {
		p.add("report.reply_wanted", "given, but nobody is named to answer to")
	}
}
