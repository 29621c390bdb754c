package indicators

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// act is one line of a hand-made journal: hours after 2026-11-02 09:00 in Shanghai.
type act struct {
	hour   float64
	act    cases.Act
	role   cases.Role
	change func(*cases.Entry)
}

func story(t *testing.T, list ...act) *history {
	t.Helper()
	h := &history{c: new(cases.Case)}
	rng := rand.New(rand.NewPCG(1, 1))
	for n, a := range list {
		who := cases.Actor{Person: cases.PersonID(a.role), Role: a.role}
		if a.role == cases.Department {
			who.Department = "A"
		}
		e := fill(rng, a.act, who)
		e.Case, e.ReceivedAt = "C1", time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC).Add(time.Duration(a.hour*60)*time.Minute)
		e.At = e.ReceivedAt
		plain(e)
		if a.change != nil {
			a.change(e)
		}
		h.c.Prepare(e, rules)
		if err := h.c.Apply(e, rules); err != nil {
			t.Fatalf("act %d: %v", n+1, err)
		}
		h.entries = append(h.entries, *e)
	}
	return h
}

// plain takes chance out of what fill gives.
func plain(e *cases.Entry) {
	switch e.Act {
	case cases.ActReport:
		e.Report.Source, e.Report.SelfHandled, e.Report.Duty, e.Media = cases.SourceHotline, false, "G0", nil
		if e.Role == cases.Inspector {
			e.Report.Source = cases.SourceInspector
		}
	case cases.ActSendVerify, cases.ActSendCheck:
		e.Inspector = "inspector"
	case cases.ActAnswerVerify, cases.ActAnswerCheck:
		e.Outcome = cases.Yes
	case cases.ActFile:
		e.Filing = &cases.Filing{Condition: "c", Cell: "110101001001001", Limit: cases.Limit{Amount: 10, Unit: cases.UrgentHour}}
	case cases.ActDispatch:
		e.Departments = []cases.DepartmentID{"A"}
	}
}

// hotline is a case of the hotline up to its dispatch at hour 1.
func hotline() []act {
	return []act{
		{0, cases.ActReport, cases.Acceptor, nil}, {0.1, cases.ActSendVerify, cases.Acceptor, nil}, {0.5, cases.ActAnswerVerify, cases.Inspector, nil},
		{0.6, cases.ActAccept, cases.Acceptor, nil}, {0.7, cases.ActFile, cases.ShiftLeader, nil}, {1, cases.ActDispatch, cases.Dispatcher, nil},
	}
}

func then(list []act, more ...act) []act { return append(slices.Clone(list), more...) }

func closing(hour float64) []act {
	return []act{{hour, cases.ActSendCheck, cases.Acceptor, nil}, {hour + 1, cases.ActAnswerCheck, cases.Inspector, nil}, {hour + 2, cases.ActClose, cases.ShiftLeader, nil}}
}

func no(e *cases.Entry) { e.Outcome, e.Reason = cases.No, "还在" }

// TestByHand says for single cases what each indicator is. The sample file starts the
// clock at dispatch and gives rework what was left; the limit is 10 urgent hours.
func TestByHand(t *testing.T) {
	type want map[Indicator]Ratio
	good, bad, none := Ratio{1, 1}, Ratio{0, 1}, Ratio{}
	taken := then(hotline(), act{2, cases.ActTake, cases.Department, nil})
	done := func(hour float64) []act { return then(taken, act{hour, cases.ActFeedBack, cases.Department, nil}) }
	selfHandled := func(e *cases.Entry) {
		e.Report.SelfHandled = true
		e.Media = []cases.Media{{SM3: strings.Repeat("0", 64), Kind: cases.Image, Stage: cases.StageHandled}}
	}
	for _, row := range []struct {
		name string
		acts []act
		want want
	}{
		{"all in time", then(done(10), closing(10.1)...), want{PublicReports: good, MissedReports: good, OnTimeSendVerify: good, OnTimeVerify: good,
			OnTimeAccept: good, OnTimeFile: good, AccurateFile: good, OnTimeDispatch: bad, AccurateDispatch: good, OnTimeHandle: good,
			OnTimeSendCheck: good, OnTimeCheck: good, Closing: good, OnTimeClosing: good, Reworked: bad, ValidReports: none}},
		{"at the deadline", then(done(11), closing(11.1)...), want{OnTimeHandle: good, OnTimeClosing: good}},
		{"a minute late", then(done(11.02), closing(11.5)...), want{OnTimeHandle: bad, Closing: good, OnTimeClosing: bad, OnTimeSendCheck: bad}},
		{"not closed", done(5), want{OnTimeHandle: good, Closing: bad, OnTimeClosing: bad, OnTimeSendCheck: bad, OnTimeCheck: none}},
		{"nothing happens", hotline(), want{OnTimeHandle: bad, Closing: bad, Reworked: none}},
		{"suspended", then(taken, act{3, cases.ActAskSuspension, cases.Department, nil}, act{4, cases.ActApprove, cases.ShiftLeader, nil}),
			want{OnTimeHandle: none, Closing: none, Reworked: none}},
		{"resumed, done in time", then(taken, act{3, cases.ActAskSuspension, cases.Department, nil}, act{4, cases.ActApprove, cases.ShiftLeader, nil},
			act{100, cases.ActResume, cases.Department, nil}, act{107, cases.ActFeedBack, cases.Department, nil}), want{OnTimeHandle: good}},
		{"voided", then(taken, act{3, cases.ActAskVoid, cases.Dispatcher, nil}, act{4, cases.ActApprove, cases.ShiftLeader, nil}),
			want{AccurateFile: bad, OnTimeFile: none, OnTimeHandle: none, Closing: none, AccurateDispatch: none, PublicReports: none, MissedReports: none}},
		{"sent back once, within the limit", then(done(4), act{4.1, cases.ActSendCheck, cases.Acceptor, nil}, act{5, cases.ActAnswerCheck, cases.Inspector, no},
			act{5.2, cases.ActRework, cases.Acceptor, nil}, act{6, cases.ActFeedBack, cases.Department, nil}), want{Reworked: good, OnTimeHandle: good, OnTimeCheck: good}},
		{"returned and sent to another", then(hotline(), act{2, cases.ActAskReturn, cases.Department, nil}, act{3, cases.ActApprove, cases.Dispatcher, nil},
			act{3.1, cases.ActDispatch, cases.Dispatcher, func(e *cases.Entry) { e.Departments = []cases.DepartmentID{"B"} }}),
			want{AccurateDispatch: Ratio{1, 2}, OnTimeDispatch: Ratio{1, 2}, OnTimeHandle: bad}},
		{"rejected", []act{{0, cases.ActReport, cases.Acceptor, nil}, {0.1, cases.ActSendVerify, cases.Acceptor, nil}, {0.7, cases.ActAnswerVerify, cases.Inspector, no}, {1, cases.ActReject, cases.Acceptor, nil}},
			want{OnTimeVerify: bad, OnTimeAccept: bad, PublicReports: none, AccurateFile: none}},
		{"inspector's, handled on the spot", []act{{0, cases.ActReport, cases.Inspector, selfHandled}, {1, cases.ActClose, cases.ShiftLeader, nil}},
			want{ValidReports: good, OnTimeAccept: none, Closing: none, MissedReports: none}},
		{"inspector's, rejected", []act{{0, cases.ActReport, cases.Inspector, nil}, {0.1, cases.ActReject, cases.Acceptor, nil}}, want{ValidReports: bad, OnTimeAccept: good}},
		{"inspector's, undecided", []act{{0, cases.ActReport, cases.Inspector, nil}}, want{ValidReports: none, OnTimeAccept: bad}},
	} {
		h := story(t, row.acts...)
		tally := mustNew(t, testConfig(t))
		if err := tally.Add(h.c, h.entries); err != nil {
			t.Fatal(err)
		}
		city := rowFor(t, tally, "2026-11", City, "")
		for i, want := range row.want {
			if got := city.Ratio(i); got != want {
				t.Errorf("%s: %s is %v, want %v", row.name, i.Name(), got, want)
			}
		}
	}
}

func rowFor(t *testing.T, tally *Tally, period string, d Dimension, key string) *Row {
	t.Helper()
	for _, r := range tally.Rows() {
		if r.Period == period && r.Dimension == d && r.Key == key {
			return &r
		}
	}
	t.Fatalf("no row %s %s %q", period, d, key)
	return nil
}

// TestPeriodOfTheDeadline: a case reported in October that is due in November counts
// in November.
func TestPeriodOfTheDeadline(t *testing.T) {
	late := hotline()
	for n := range late {
		late[n].hour -= 37.5 // 2026-10-31 19:30 to 20:30
	}
	h := story(t, then(late, act{-36, cases.ActTake, cases.Department, nil}, act{-35, cases.ActFeedBack, cases.Department, nil})...)
	tally := mustNew(t, testConfig(t))
	if err := tally.Add(h.c, h.entries); err != nil {
		t.Fatal(err)
	}
	if r := rowFor(t, tally, "2026-10", City, ""); r.Ratio(OnTimeHandle).Known() || r.Count(Filed) != 1 || r.Ratio(AccurateFile) != (Ratio{1, 1}) {
		t.Errorf("October: %v", r)
	}
	if r := rowFor(t, tally, "2026-11", City, ""); r.Ratio(OnTimeHandle) != (Ratio{1, 1}) || r.Count(Filed) != 0 || r.Count(Open) != 1 {
		t.Errorf("November: %v", r)
	}
	if err := tally.Add(h.c, h.entries[1:]); err == nil {
		t.Error("a journal that is cut was counted")
	}
}

// TestNotYetDue reads a case five minutes after its report, when nothing is due, and
// at the very moment at which sending an inspector is.
func TestNotYetDue(t *testing.T) {
	h := story(t, act{0, cases.ActReport, cases.Acceptor, nil})
	for after, want := range map[time.Duration]Ratio{5 * time.Minute: {}, 10*time.Minute - time.Millisecond: {}, 10 * time.Minute: {0, 1}} {
		cfg := testConfig(t)
		cfg.AsOf = h.c.ReportedAt.Add(after)
		tally := mustNew(t, cfg)
		if err := tally.Add(h.c, h.entries); err != nil {
			t.Fatal(err)
		}
		if got := rowFor(t, tally, "2026-11", City, "").Ratio(OnTimeSendVerify); got != want {
			t.Errorf("after %s: %v, want %v", after, got, want)
		}
	}
	cfg := testConfig(t)
	cfg.AsOf = h.c.ReportedAt.Add(-time.Minute)
	none := mustNew(t, cfg)
	if err := none.Add(h.c, h.entries); err != nil || len(none.Rows()) != 0 && none.Rows()[0].Count(Reports) != 0 {
		t.Errorf("a case of after the moment of reading: %v, %+v", err, none.Rows())
	}
}

// TestWhatComesWhileCounting: a case that goes on while others are being counted is
// counted as it was at the moment of reading.
func TestWhatComesWhileCounting(t *testing.T) {
	early := then(hotline(), act{2, cases.ActTake, cases.Department, nil})
	before, after := story(t, early...), story(t, then(early, act{3, cases.ActFeedBack, cases.Department, nil})...)
	cfg := testConfig(t)
	cfg.AsOf = before.c.ReceivedAt.Add(30 * time.Minute)
	one, two := mustNew(t, cfg), mustNew(t, cfg)
	if err := errors.Join(one.Add(before.c, before.entries), two.Add(after.c, after.entries)); err != nil {
		t.Fatal(err)
	}
	if want, got := fmt.Sprint(one.Rows()), fmt.Sprint(two.Rows()); want != got {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestCountsByHand(t *testing.T) {
	acts := then(hotline(), act{2, cases.ActTake, cases.Department, nil}, act{3, cases.ActAskExtension, cases.Department, nil}, act{4, cases.ActApprove, cases.Dispatcher, nil},
		act{60, cases.ActFeedBack, cases.Department, nil}, act{61, cases.ActSendCheck, cases.Acceptor, nil}, act{62, cases.ActAnswerCheck, cases.Inspector, nil}, act{63, cases.ActClose, cases.ShiftLeader, nil})
	h := story(t, acts...)
	tally := mustNew(t, testConfig(t))
	if err := tally.Add(h.c, h.entries); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[who]map[Count]int64{
		{City, ""}:                              {Reports: 1, Accepts: 1, Filed: 1, Dispatches: 1, Handled: 1, Verifies: 1, Checks: 1, Closed: 1, Extensions: 1, Overdue: 1, OverrunTwice: 1},
		{Department, "A"}:                       {Filed: 1, Handled: 1, Closed: 1, Extensions: 1, Overdue: 1, OverrunTwice: 1},
		{Inspector, "inspector"}:                {Verifies: 1, Checks: 1},
		{ShiftLeader, "shift_leader"}:           {Filed: 1, Closed: 1},
		{Acceptor, "acceptor"}:                  {Accepts: 1},
		{Dispatcher, "dispatcher"}:              {Dispatches: 1},
		{Community, "110101001001"}:             {Reports: 1, Accepts: 1, Filed: 1, Dispatches: 1, Handled: 1, Verifies: 1, Checks: 1, Closed: 1, Extensions: 1, Overdue: 1, OverrunTwice: 1},
		{Class, "CJ/T 214-2007:component:0101"}: {Reports: 1, Accepts: 1, Filed: 1, Dispatches: 1, Handled: 1, Verifies: 1, Checks: 1, Closed: 1, Extensions: 1, Overdue: 1, OverrunTwice: 1},
	} {
		r := rowFor(t, tally, "2026-11", key.dimension, key.key)
		for _, c := range Counts() {
			if r.Count(c) != want[c] {
				t.Errorf("%v: %s is %d, want %d", key, c.Name(), r.Count(c), want[c])
			}
		}
	}
}

func TestRatio(t *testing.T) {
	for _, row := range []struct {
		r    Ratio
		want int64
		ok   bool
	}{{Ratio{}, 0, false}, {Ratio{0, 7}, 0, true}, {Ratio{1, 3}, 3333, true}, {Ratio{2, 3}, 6667, true}, {Ratio{1, 20_000}, 1, true}, {Ratio{1, 20_001}, 0, true},
		{Ratio{3, 2}, 15_000, true}, {Ratio{1 << 62, 1 << 62}, 10_000, true}, {Ratio{1 << 62, 1}, 0, false}, {Ratio{5, 0}, 0, false}} {
		if bp, ok := row.r.BasisPoints(); bp != row.want || ok != row.ok {
			t.Errorf("%v: %d %v, want %d %v", row.r, bp, ok, row.want, row.ok)
		}
	}
}

func TestScores(t *testing.T) {
	row := func(d Dimension, counts map[Count]int64, ratios map[Indicator]Ratio) *Row {
		r := &Row{Dimension: d}
		for c, n := range counts {
			r.counts[c] = n
		}
		for i, v := range ratios {
			r.ratios[i] = v
		}
		return r
	}
	for _, test := range []struct {
		row   *Row
		want  Score
		grade string
	}{
		{row(Inspector, nil, map[Indicator]Ratio{ValidReports: {9, 10}, MissedReports: {1, 10}, OnTimeVerify: {1, 2}, OnTimeCheck: {1, 1}}), Score{8400, 100}, "B"},
		{row(Inspector, nil, map[Indicator]Ratio{ValidReports: {9, 10}}), Score{9000, 40}, ""},
		{row(Inspector, nil, map[Indicator]Ratio{ValidReports: {9, 10}, OnTimeVerify: {1, 1}}), Score{9333, 60}, "A"},
		{row(Acceptor, map[Count]int64{Accepts: 301}, map[Indicator]Ratio{OnTimeSendVerify: {1, 1}, OnTimeSendCheck: {0, 1}}), Score{5500, 100}, "D"},
		{row(ShiftLeader, nil, map[Indicator]Ratio{OnTimeFile: {1, 1}, AccurateFile: {1, 1}, OnTimeClosing: {1, 1}}), Score{10_000, 100}, "A"},
		{row(Dispatcher, map[Count]int64{Dispatches: 2001}, map[Indicator]Ratio{OnTimeDispatch: {1, 2}, AccurateDispatch: {1, 2}}), Score{6000, 100}, "C"},
		{row(Department, map[Count]int64{Filed: 51}, map[Indicator]Ratio{Closing: {1, 1}, OnTimeHandle: {0, 1}, Reworked: {1, 1}}), Score{3900, 100}, "E"},
		{row(Street, nil, map[Indicator]Ratio{PublicReports: {3, 2}, Reworked: {0, 1}, Closing: {1, 1}, OnTimeClosing: {1, 2}}), Score{7000, 100}, "C"},
		{row(Class, map[Count]int64{Filed: 5}, map[Indicator]Ratio{Closing: {1, 1}}), Score{}, ""},
	} {
		if got := test.row.Score(); got != test.want || got.Grade() != test.grade {
			t.Errorf("%s: %v %q, want %v %q", test.row.Dimension, got, got.Grade(), test.want, test.grade)
		}
	}
}

func TestFiles(t *testing.T) {
	r := Row{Period: "2026-11", Dimension: Inspector, Key: "@x"}
	r.ratios[ValidReports], r.ratios[PublicReports] = Ratio{1, 3}, Ratio{1, 0}
	r.counts[Reports] = 3
	var out bytes.Buffer
	if err := CSV(&out, []Row{r}); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(out.Bytes()[3:])).ReadAll()
	if err != nil || len(lines) != 2 {
		t.Fatal(lines, err)
	}
	got := map[string]string{}
	for n, name := range lines[0] {
		got[name] = lines[1][n]
	}
	for name, want := range map[string]string{"key": "'@x", "valid_reports_num": "1", "valid_reports_percent": "33.33", "missed_reports_den": "", "missed_reports_percent": "",
		"public_reports_num": "1", "public_reports_den": "0", "public_reports_percent": "", "reports": "3", "score": "", "score_weight": "40", "grade": ""} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	out.Reset()
	if err := XLSX(&out, []Row{r}); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.GetCellValue("inspector", "F2"); err != nil || v != "33.33" {
		t.Errorf("F2 is %q, %v", v, err)
	}
	if v, err := f.GetCellValue("inspector", "C2"); err != nil || v != "@x" {
		t.Errorf("C2 is %q, %v", v, err)
	}
}

func TestNewRefuses(t *testing.T) {
	cfg := testConfig(t)
	cfg.Periods[1].From = cfg.Periods[0].From
	if _, err := New(cfg); err == nil {
		t.Error("overlapping periods were taken")
	}
	if _, err := New(Config{Book: &limits.Book{}}); err == nil {
		t.Error("no periods were taken")
	}
	other := testConfig(t)
	other.AsOf = other.AsOf.Add(time.Hour)
	if err := mustNew(t, testConfig(t)).Merge(mustNew(t, other)); err == nil {
		t.Error("tallies of different moments were merged")
	}
}

func BenchmarkAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 8))
	var list []*history
	for range 200 {
		list = append(list, randomHistory(&testing.T{}, rng))
	}
	tally := mustNew(b, testConfig(b))
	b.ReportAllocs()
	for n := range b.N {
		h := list[n%len(list)]
		if err := tally.Add(h.c, h.entries); err != nil {
			b.Fatal(err)
		}
	}
}
