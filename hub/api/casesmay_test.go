package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
)

// mayCase is a case in a state of which nothing but its state and its request can hinder
// anybody: what was asked was asked by another person, every answer was the right one.
func mayCase(s cases.State, kind cases.RequestKind, answer cases.Outcome) *cases.Case {
	k := &cases.Case{
		ID: "1", State: s, Entries: 7, Limit: cases.Limit{Amount: 6, Unit: cases.UrgentHour}, Cell: oneCell, Condition: "missing",
		Report: cases.Report{Source: cases.SourceInspector, SelfHandled: true}, Reporter: cases.Actor{Person: "other", Role: cases.Inspector}, HandledMedia: true,
		Verifier: "me", Verified: cases.Yes, Checker: "me", Checked: answer, SentTo: []cases.DepartmentID{"water"}, Handler: "water",
		Class: codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "0101"},
	}
	if kind != "" {
		k.Request = &cases.Request{Kind: kind, Number: 6, By: cases.Actor{Person: "other", Role: cases.Department, Department: "gas"}, Amount: 2, Reason: "r"}
	}
	return k
}

// TestMayIsTheTable walks every state, role and open request: what may says is what the
// table of acts has for them, no more and no less, and what is possible is what
// cases.Allowed says.
func TestMayIsTheTable(t *testing.T) {
	tn := openTown(t, nil)
	c := &caseRoutes{o: &Cases{Rules: tn.rules, Limits: tn.book, Now: tn.clock}}
	seen, possible := map[string]bool{}, 0
	for _, s := range cases.States() {
		for _, r := range cases.Roles() {
			for _, kind := range append(cases.RequestKinds(), "") {
				for _, answer := range []cases.Outcome{cases.Yes, cases.No} {
					k := mayCase(s, kind, answer)
					actor := (&CasePerson{ID: "me", Department: "water"}).in(r)
					var want, allowed, got []string
					for _, row := range cases.Table() {
						if slices.Contains(row.By, r) && slices.Contains(row.From, s) && (row.Request == "" || row.Request == kind) {
							want = append(want, fmt.Sprint(row.Act, " ", row.Request, " ", row.To))
						}
					}
					for _, m := range c.mayOf(k, actor) {
						got = append(got, fmt.Sprint(m.Act, " ", m.Request, " ", m.To))
						if m.Possible {
							allowed = append(allowed, m.Act)
							seen[m.Act+m.Request] = true
							possible++
						}
						if m.Possible != (m.Why == "") || m.Role != string(r) || (m.Number == 6) != (m.Request != "") {
							t.Errorf("%s %s: %+v", s, r, m)
						}
						if (m.Deadline != nil) != (m.Act == "approve" && m.Request == "extension" && tn.book != nil && len(k.Clock) > 0) {
							t.Errorf("%s %s: deadline %v", s, r, m.Deadline)
						}
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s, %s, request %q: %v, want %v", s, r, kind, got, want)
					}
					if by := plain(cases.Allowed(k, actor, &tn.rules)); !slices.Equal(allowed, by) && len(allowed)+len(by) > 0 {
						t.Errorf("%s, %s, request %q, answer %s: possible %v, want %v", s, r, kind, answer, allowed, by)
					}
				}
			}
		}
	}
	for _, row := range cases.Table() { // every act of the staff was possible somewhere
		staff := slices.ContainsFunc(row.By, func(r cases.Role) bool { return slices.Contains(workers(), r) })
		own := row.Act == cases.ActWithdraw // takes one's own request, which nobody has here
		if staff && len(row.From) > 0 && !own && !seen[string(row.Act)+string(row.Request)] {
			t.Errorf("%s %s was never possible: the test says nothing of it", row.Act, row.Request)
		}
	}
	if possible == 0 {
		t.Error("nothing was possible")
	}
}

func (tn *town) may(t *testing.T, person, id string) CaseMayJSON {
	t.Helper()
	var m CaseMayJSON
	tn.do(t, person, "GET", "/api/v1/cases/"+id+"/may", "", 200, &m)
	return m
}

func (m *CaseMayJSON) act(name string) *MayActJSON {
	n := slices.IndexFunc(m.Acts, func(a MayActJSON) bool { return a.Act == name && a.Possible })
	if n < 0 {
		return nil
	}
	return &m.Acts[n]
}

// needLife is a case's life with all that each act takes, and some byways.
func needLife() []step {
	return []step{
		{"acc", `{"act":"classify","classification":{"class":"` + gasClass + `"},"reason":"r"}`},
		{"acc", `{"act":"classify","classification":{"class":"` + coverClass + `"},"reason":"r"}`},
		{"acc", `{"act":"send_verify","inspector":"ins"}`}, {"ins", `{"act":"answer_verify","outcome":"no","reason":"r"}`},
		{"acc", `{"act":"note","text":"x"}`}, {"acc", `{"act":"reject","reason":"r"}`},
	}
}

func needLongLife() []step {
	return []step{
		{"acc", `{"act":"send_verify","inspector":"ins"}`}, {"ins", `{"act":"answer_verify","outcome":"yes"}`}, {"acc", `{"act":"accept"}`},
		{"lead", `{"act":"file","filing":{"condition":"missing","no_cell":"r"}}`}, {"dis", `{"act":"dispatch","departments":["water"]}`},
		{"wat", `{"act":"take"}`}, {"wat", `{"act":"ask_extension","reason":"r","amount":2}`}, {"dis", `{"act":"refuse","reason":"r"}`},
		{"wat", `{"act":"ask_suspension","reason":"r"}`}, {"lead", `{"act":"approve"}`}, {"wat", `{"act":"resume"}`},
		{"wat", `{"act":"ask_return","reason":"r"}`}, {"wat", `{"act":"withdraw"}`}, {"acc", `{"act":"ask_void","reason":"r"}`}, {"lead", `{"act":"refuse","reason":"r"}`},
		{"wat", `{"act":"feed_back","text":"x"}`}, {"acc", `{"act":"send_check","inspector":"ins"}`}, {"ins", `{"act":"answer_check","outcome":"no","reason":"r"}`},
		{"lead", `{"act":"rework"}`}, {"wat", `{"act":"feed_back","text":"x"}`}, {"acc", `{"act":"send_check","inspector":"ins"}`},
		{"ins", `{"act":"answer_check","outcome":"yes"}`}, {"lead", `{"act":"close"}`},
	}
}

// places says where the fields of may stand in the body of an act.
func places() map[string]string {
	return map[string]string{"class": "classification", "condition": "filing.condition", "no_cell": "filing.no_cell"}
}

// TestMayNeeds does every act with what may says that it needs, and tries it without
// each of these: the hub names the very field.
func TestMayNeeds(t *testing.T) {
	asked := map[string]bool{}
	for _, list := range [][]step{needLife(), needLongLife()} {
		tn := openTown(t, nil)
		var d ActDoneJSON
		tn.do(t, "acc", "POST", "/api/v1/cases", `{"report":{"source":"hotline","class":"`+coverClass+`","description":"d","location":"l"}}`, 201, &d)
		for _, s := range list {
			var body map[string]any
			if err := json.Unmarshal([]byte(s.body), &body); err != nil {
				t.Fatal(err)
			}
			act := tn.mayPtr(t, s.person, d.Case).act(body["act"].(string))
			if act == nil {
				t.Fatalf("%s by %s is not possible: %+v", s.body, s.person, tn.may(t, s.person, d.Case))
			}
			for _, f := range act.Fields {
				if f.Required || f.When != "" && s.has(f.Name) {
					tn.without(t, s, d.Case, f.Name)
					asked[act.Act+" "+f.Name] = true
				}
			}
			tn.act(t, s.person, d.Case, s.body)
		}
	}
	want := strings.Split("answer_check outcome,answer_check reason,answer_verify outcome,answer_verify reason,ask_extension amount,ask_extension reason,ask_return reason,ask_suspension reason,ask_void reason,classify class,classify reason,"+
		"dispatch departments,feed_back text,file condition,file no_cell,note text,refuse reason,reject reason,send_check inspector,send_verify inspector", ",")
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}

func (tn *town) mayPtr(t *testing.T, person, id string) *CaseMayJSON {
	m := tn.may(t, person, id)
	return &m
}

// has reports whether the body of a step says something for a field of may.
func (s step) has(field string) bool {
	return strings.Contains(s.body, `"`+field+`"`)
}

// without tries an act without a field and wants the refusal to name it.
func (tn *town) without(t *testing.T, s step, id, field string) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(s.body), &body); err != nil {
		t.Fatal(err)
	}
	path := field
	if p, ok := places()[field]; ok {
		path = p
	}
	if in, inner, ok := strings.Cut(path, "."); ok {
		delete(body[in].(map[string]any), inner)
	} else {
		delete(body, path)
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	w := tn.do(t, s.person, "POST", "/api/v1/cases/"+id+"/acts", string(data), http.StatusUnprocessableEntity, nil)
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Errors, func(e ProblemField) bool { return e.Location == "body."+path }) {
		t.Errorf("%s without %s: %s", s.body, field, w.Body)
	}
}

// TestMayOfAPerson: somebody sees the acts of their own roles and of no other, with the
// reason where a pair of persons forbids one.
func TestMayOfAPerson(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for _, s := range life()[:4] {
		tn.act(t, s.person, id, s.body)
	}
	tn.act(t, "wat", id, `{"act":"ask_extension","reason":"r","amount":2}`)
	m := tn.may(t, "dis", id)
	if m.Entries != 6 || m.State != "handling" {
		t.Errorf("of entries %d, state %s", m.Entries, m.State)
	}
	approve := m.act("approve")
	if approve == nil || approve.Number != 6 || approve.Request != "extension" || approve.Deadline == nil || !approve.Deadline.Equal(monday.Add(8*time.Hour)) {
		t.Errorf("approval %+v, want until %s", approve, monday.Add(8*time.Hour))
	}
	for person, roles := range map[string][]string{"wu": {"inspector", "acceptor"}, "lead": {"shift_leader"}, "adm": nil, "gas": {"department"}} {
		var got []string
		for _, a := range tn.may(t, person, id).Acts {
			if !slices.Contains(got, a.Role) {
				got = append(got, a.Role)
			}
		}
		if !slices.Equal(got, roles) {
			t.Errorf("%s sees acts of %v, want %v", person, got, roles)
		}
	}
	for _, a := range tn.may(t, "gas", id).Acts {
		if a.Act != "note" && (a.Possible || a.Why == "") { // it stands on the list, so it may write notes
			t.Errorf("a department that has not taken it: %+v", a)
		}
	}
	w := tn.do(t, "dis", "GET", "/api/v1/cases/"+id+"/may", "", 200, nil)
	if w.Header().Get("ETag") != `"6"` {
		t.Errorf("tag %s", w.Header().Get("ETag"))
	}
	tn.do(t, "dis", "GET", "/api/v1/cases/nobody/may", "", 404, nil)
	tn.do(t, "", "GET", "/api/v1/cases/"+id+"/may", "", 401, nil)
}

// TestLimitsOfACase: the limit as it was filed, what happened to its clock, and the
// lines of the file for the class.
func TestLimitsOfACase(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	get := func() (l CaseLimitsJSON) {
		tn.do(t, "acc", "GET", "/api/v1/cases/"+id+"/limits", "", 200, &l)
		return l
	}
	tn.pass(8*time.Minute - time.Millisecond)
	if l := get(); l.Step == nil || l.Step.Light != "green" {
		t.Errorf("just before 80 %% of 10 minutes: %+v", l.Step)
	}
	tn.pass(time.Millisecond)
	l := get()
	if l.Step == nil || l.Step.Stage != "accept" || l.Step.Light != "yellow" || l.Step.LeftMs != 120_000 || !l.Step.Ticking || l.Step.Working || l.Handling != nil {
		t.Errorf("reported: %+v %+v", l.Step, l.Handling)
	}
	if len(l.Rules) == 0 || !slices.ContainsFunc(l.Rules, func(r LimitRuleJSON) bool { return r.Condition == "missing" && r.Limit.Amount == 6 }) {
		t.Errorf("rules %+v", l.Rules)
	}
	for _, s := range life()[:6] { // with 2 hours more
		tn.act(t, s.person, id, s.body)
	}
	tn.pass(time.Hour)
	l = get()
	h := l.Handling
	if h == nil || h.UsedMs != 3_600_000 || h.TotalMs != 8*3_600_000 || h.LeftMs != 7*3_600_000 || h.Limit.Amount != 6 || h.Working || !h.Ticking || h.Rule == nil || h.Rule.Condition != "missing" || h.Rounds != 1 {
		t.Errorf("handling: %+v", h)
	}
	var kinds []string
	for _, m := range l.Clock {
		kinds = append(kinds, fmt.Sprint(m.Kind, m.Amount))
	}
	if !slices.Equal(kinds, []string{"filed0", "dispatched0", "extended2"}) || l.Step != nil {
		t.Errorf("clock %v, step %+v", kinds, l.Step)
	}
	for _, s := range life()[6:9] {
		tn.act(t, s.person, id, s.body)
	}
	tn.pass(15 * time.Minute)
	if l = get(); l.Step == nil || l.Step.Stage != "close" || !l.Step.Working || !l.Step.Ticking || l.Step.LeftMs != 15*60_000 {
		t.Errorf("to close: %+v", l.Step)
	}
	tn.pass(110 * time.Minute) // 12:23 in the city, past 10:38 by 82 minutes of work
	if l = get(); l.Step.Ticking || l.Step.Light != "red" || l.Step.LeftMs != -82*60_000 {
		t.Errorf("at noon: %+v", l.Step)
	}
	if h = l.Handling; h.Done == nil || h.Late {
		t.Errorf("fed back: %+v", h)
	}
}
