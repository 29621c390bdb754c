package indicators

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

var (
	began = time.Date(2026, 9, 20, 1, 0, 0, 0, time.UTC)
	asOf  = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	rules = &cases.Rules{SensorAccepts: true, SensorFiles: true, SensorChecks: true, SensorCloses: true, Offline: 72 * time.Hour}
	event = schemas.EventID("00112233445566778899aabbccddeeff")
)

// history is a case with its journal.
type history struct {
	c       *cases.Case
	entries []cases.Entry
	now     time.Time
}

func people() (list []cases.Actor) {
	for _, r := range cases.Roles() {
		for n := range 3 {
			a := cases.Actor{Person: cases.PersonID(fmt.Sprintf("%s-%d", r, n)), Role: r}
			switch {
			case r == cases.Department:
				a.Department = cases.DepartmentID(fmt.Sprintf("D%d", n))
			case r == cases.Sensor && n > 0 || r == cases.Admin:
				continue
			case r == cases.Sensor:
				a.Person = cases.System
			}
			list = append(list, a)
		}
	}
	return list
}

// fill gives an act what it needs, by chance where there is a choice.
func fill(rng *rand.Rand, a cases.Act, by cases.Actor) *cases.Entry {
	e := &cases.Entry{Act: a, Actor: by, Reason: "r", Text: "t"}
	inspector := cases.PersonID(fmt.Sprintf("inspector-%d", rng.IntN(3)))
	switch a {
	case cases.ActReport:
		e.Report = randomReport(rng, by.Role)
		if e.Report.SelfHandled {
			e.Media = []cases.Media{{SM3: fmt.Sprintf("%064x", 1), Kind: cases.Image, Stage: cases.StageHandled}}
		}
	case cases.ActClassify:
		e.Classification = &cases.Classification{Class: codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Event, Code: "0102"}, ClassName: "暴露垃圾"}
	case cases.ActSendVerify, cases.ActSendCheck:
		e.Inspector = inspector
		if by.Role == cases.Sensor {
			e.Inspector = ""
		}
	case cases.ActAnswerVerify, cases.ActAnswerCheck:
		e.Outcome = cases.Yes
		if by.Role != cases.Sensor && rng.IntN(4) == 0 {
			e.Outcome = cases.No
		}
	case cases.ActFile:
		e.Filing = &cases.Filing{Condition: "c", Cell: codes.CellCode(fmt.Sprintf("11010100%d00%d00%d", 1+rng.IntN(2), 1+rng.IntN(2), 1+rng.IntN(3)))}
		if rng.IntN(8) > 0 {
			e.Filing.Limit = cases.Limit{Amount: 1 + int64(rng.IntN(5)), Unit: cases.Units()[rng.IntN(3)]}
		}
	case cases.ActDispatch:
		e.Departments = []cases.DepartmentID{"D0", "D1", "D2"}[rng.IntN(3):]
		if rng.IntN(2) == 0 {
			e.Departments = e.Departments[:1]
		}
	case cases.ActAskExtension:
		e.Amount = 1 + int64(rng.IntN(4))
	case cases.ActCleared:
		e.Event = event
	}
	return e
}

func randomReport(rng *rand.Rand, r cases.Role) *cases.Report {
	report := &cases.Report{Type: cases.Daily, Class: codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "0101"}, ClassName: "上水井盖",
		Description: "d", Location: "l", Urgency: cases.Normal, Duty: codes.DutyCode(fmt.Sprintf("G%d", rng.IntN(2)))}
	for {
		report.Source = cases.Sources()[rng.IntN(len(cases.Sources()))]
		if r.MayGive(report.Source) {
			break
		}
	}
	if r == cases.Sensor {
		report.Event = event
	}
	report.SelfHandled = r == cases.Inspector && rng.IntN(4) == 0
	return report
}

// add does an act a while after the one before; false where it does not fit.
func (h *history) add(rng *rand.Rand, e *cases.Entry) bool {
	h.now = h.now.Add(time.Duration(rng.IntN(600)*rng.IntN(10)) * time.Minute / 10)
	e.Case, e.ReceivedAt, e.At = h.c.ID, h.now, h.now.Add(-time.Duration(rng.IntN(50))*time.Minute)
	if h.c.Entries == 0 {
		e.Case = cases.CaseID(fmt.Sprintf("C%d", rng.Uint32()))
	}
	h.c.Prepare(e, rules)
	if err := h.c.Apply(e, rules); err != nil {
		return false
	}
	h.entries = append(h.entries, *e)
	return true
}

// randomHistory walks a case; acts that lead on are likelier than those that do not.
func randomHistory(t *testing.T, rng *rand.Rand) *history {
	t.Helper()
	h := &history{c: new(cases.Case), now: began.Add(time.Duration(rng.IntN(60*24*60)) * time.Minute)}
	crowd := people()
	for range 400 {
		who := crowd[rng.IntN(len(crowd))]
		allowed := cases.Allowed(h.c, who, rules)
		if len(allowed) == 0 {
			continue
		}
		a := allowed[rng.IntN(len(allowed))]
		rare := a == cases.ActNote || a == cases.ActClassify || a == cases.ActAskVoid || a == cases.ActReject
		if rare && rng.IntN(8) > 0 || h.now.After(asOf.Add(-100*time.Hour)) && rng.IntN(3) == 0 {
			continue
		}
		if h.now.After(asOf.Add(-60 * time.Hour)) {
			break
		}
		h.add(rng, fill(rng, a, who))
		if rng.IntN(60) == 0 {
			break
		}
	}
	if h.c.Entries == 0 {
		return randomHistory(t, rng)
	}
	return h
}

func testConfig(t testing.TB) Config {
	t.Helper()
	book, err := limits.Load(limits.Sample)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Book: book, AsOf: asOf, Periods: Months(began, 3, book.Calendar.Zone()),
		Duty: map[codes.DutyCode][]cases.PersonID{"G0": {"inspector-0", "inspector-1"}}}
}
