package api

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
)

// muddle makes cases and has the crew do to them what comes to their minds: half of it
// is refused, the rest leaves cases in every state, many with requests.
func (tn *town) muddle(t *testing.T, chance *rand.Rand, n int) {
	t.Helper()
	reports := []step{
		{"ins", aReport}, {"ins2", `{"report":{"class":"` + gasClass + `","description":"异响","location":"人民路 1 号"}}`},
		{"acc", `{"report":{"class":"` + coverClass + `","description":"来电","component":"C-1","condition":"missing","source":"hotline"}}`},
		{"ins", `{"report":{"class":"` + coverClass + `","description":"已盖好","component":"C-1","self_handled":true}}`},
	}
	acts := append(life(), step{"acc", `{"act":"send_verify","inspector":"ins2"}`}, step{"ins2", `{"act":"answer_verify","outcome":"yes"}`},
		step{"acc", `{"act":"ask_void","reason":"重复"}`}, step{"acc", `{"act":"ask_void","reason":"误报"}`}, step{"dis", `{"act":"ask_void","reason":"误报"}`}, step{"lead", `{"act":"refuse","reason":"再查"}`},
		step{"lead", `{"act":"approve"}`}, step{"gas", `{"act":"take"}`}, step{"wat", `{"act":"ask_return","reason":"非本单位"}`}, step{"wat", `{"act":"ask_suspension","reason":"停工"}`},
		step{"gas", `{"act":"feed_back","text":"已修"}`}, step{"acc", `{"act":"send_check","inspector":"ins2"}`}, step{"ins2", `{"act":"answer_check","outcome":"no","reason":"未修"}`}, step{"acc", `{"act":"reject","reason":"不属实"}`})
	main := life()
	for range n {
		r := reports[chance.IntN(len(reports))]
		var d ActDoneJSON
		tn.do(t, r.person, "POST", "/api/v1/cases", r.body, 201, &d)
		for _, s := range main[:chance.IntN(len(main))] {
			tn.do(t, s.person, "POST", "/api/v1/cases/"+d.Case+"/acts", s.body, 0, nil)
		}
		for range chance.IntN(6) {
			s := acts[chance.IntN(len(acts))]
			tn.do(t, s.person, "POST", "/api/v1/cases/"+d.Case+"/acts", s.body, 0, nil)
		}
		tn.pass(time.Duration(chance.IntN(3)) * 4 * time.Minute) // often none: equal limits
	}
}

// twice makes a case that waits for the shift leader as accepted, and far behind that
// once more because of a request, with others between the two.
func (tn *town) twice(t *testing.T) {
	t.Helper()
	add := func(acts ...step) {
		id := tn.report(t)
		for _, s := range acts {
			tn.act(t, s.person, id, s.body)
		}
		tn.pass(time.Hour)
	}
	accept, file, dispatch, void := life()[0], life()[1], life()[2], step{"acc", `{"act":"ask_void","reason":"重复"}`}
	add(accept, void)
	for range 4 {
		add(accept)
	}
	add(accept, file, dispatch, void) // its limit of handling, though late, goes before none
	add(accept)
}

// plainRow is a case of a task in a plain sort.
type plainRow struct {
	id          string
	key, number int64
	due         time.Time // its own, then the latest of those up to it
}

// plain is the whole inbox of somebody, from the journals alone: each task sorted by
// itself, then all of them by what is due, where nothing of a task passes what stands
// before it; each case where it comes first.
func (tn *town) plain(all []desk.Waiting, p CasePerson, role cases.Role, light limits.Light) (ids []string) {
	var rows []plainRow
	for _, task := range desk.Tasks(role) {
		var list []plainRow
		for n := range all {
			if w := &all[n]; waitsIn(w, task) && waitsFor(w, p, role) && (light == "" || tn.plainLight(w, task) == light) {
				list = append(list, tn.plainRow(w, task))
			}
		}
		slices.SortFunc(list, func(a, b plainRow) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.number, b.number)) })
		for n := 1; n < len(list); n++ {
			if list[n].due.Before(list[n-1].due) {
				list[n].due = list[n-1].due
			}
		}
		rows = append(rows, list...)
	}
	slices.SortStableFunc(rows, func(a, b plainRow) int { return a.due.Compare(b.due) })
	for _, r := range rows {
		if !slices.Contains(ids, r.id) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

func (tn *town) plainLight(w *desk.Waiting, task desk.Task) limits.Light {
	if stage, ok := desk.Stage(w.State, w.Source); ok && task.Request == "" {
		light, _ := desk.StageLight(tn.book, stage, w.Began, tn.clock())
		return light
	}
	return w.Light
}

func (tn *town) plainRow(w *desk.Waiting, task desk.Task) plainRow {
	never := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	r := plainRow{id: string(w.ID), number: w.Number, due: never, key: never.UnixMilli()}
	if !w.Handling.Deadline.IsZero() {
		r.due, r.key = w.Handling.Deadline, w.Handling.Deadline.UnixMilli()
	}
	stage, ok := desk.Stage(w.State, w.Source)
	if ok && task.Request == "" {
		r.key = w.Began.UnixMilli()
	}
	if ok {
		if light, deadline := desk.StageLight(tn.book, stage, w.Began, tn.clock()); light != limits.None {
			r.due = deadline
		}
	}
	return r
}

func waitsIn(w *desk.Waiting, task desk.Task) bool {
	switch {
	case task.Request != "":
		return w.Case.Request != nil && w.Case.Request.Kind == task.Request
	case w.Case.State != task.State:
		return false
	case task.Answer == "":
		return true
	case task.State == cases.Reported:
		return w.Case.Report.SelfHandled == (task.Answer == cases.Yes)
	}
	return w.Case.Checked == task.Answer
}

func waitsFor(w *desk.Waiting, p CasePerson, role cases.Role) bool {
	switch {
	case role == cases.Inspector:
		return w.Inspector == p.ID
	case role != cases.Department || p.Department == "":
		return true
	case w.State == cases.Handling || w.State == cases.Suspended:
		return w.Case.Handler == p.Department
	}
	return slices.Contains(w.Case.SentTo, p.Department)
}

// pages is the inbox of somebody, page by page.
func (tn *town) pages(t *testing.T, person, query string, limit int) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		p := tn.inbox(t, person, fmt.Sprintf("?limit=%d&cursor=%s%s", limit, cursor, query))
		ids = append(ids, inboxIDs(p)...)
		if cursor = p.Next; cursor == "" {
			return ids
		}
		if len(p.Rows) != limit || len(ids) > 1000 {
			t.Fatalf("%s%s: a page of %d with %d rows has a next", person, query, limit, len(p.Rows))
		}
	}
}

// TestInboxPagesAreThePlainSort: whatever the role, the light and the size of the pages,
// they are the plain sort of everything: no case is lost, none comes twice.
func TestInboxPagesAreThePlainSort(t *testing.T) {
	tn := openTown(t, nil)
	chance := rand.New(rand.NewPCG(6, 7))
	tn.twice(t)
	tn.muddle(t, chance, 60)
	list, err := tn.desk.List(t.Context(), desk.Filter{Limit: 1000})
	noError(t, err)
	var ids []cases.CaseID
	for n := range list {
		ids = append(ids, list[n].ID)
	}
	all, err := tn.desk.Look(context.Background(), ids)
	noError(t, err)
	asked, both := map[cases.RequestKind]int{}, 0
	for n := range all {
		if r := all[n].Case.Request; r != nil {
			asked[r.Kind]++
			if r.Kind == cases.Void && all[n].State == cases.Accepted {
				both++
			}
		}
	}
	if asked[cases.Void] < 3 || len(asked) < 3 || both == 0 {
		t.Fatalf("requests %v, %d of them in two tasks of one role: too few to prove anything", asked, both)
	}
	people := crew()
	for _, look := range []struct {
		person string
		role   cases.Role
	}{{"acc", cases.Acceptor}, {"lead", cases.ShiftLeader}, {"dis", cases.Dispatcher}, {"wat", cases.Department}, {"gas", cases.Department}, {"ins", cases.Inspector}, {"ins2", cases.Inspector}, {"adm", cases.ShiftLeader}, {"adm", cases.Department}} {
		p := people[look.person]
		p.ID = cases.PersonID(look.person)
		for _, light := range []limits.Light{"", limits.None, limits.Green, limits.Yellow, limits.Red} {
			want := tn.plain(all, p, look.role, light)
			query := fmt.Sprintf("&role=%s&light=%s", look.role, light)
			for _, limit := range []int{1 + chance.IntN(3), 4 + chance.IntN(9), 200} {
				if got := tn.pages(t, look.person, query, limit); !slices.Equal(got, want) {
					t.Errorf("%s as %s, light %q, %d a page:\n%v, want\n%v", look.person, look.role, light, limit, got, want)
				}
			}
		}
	}
}

// TestInboxByState: the tabs open and all show the cases of one state, the others take
// no notice of it.
func TestInboxByState(t *testing.T) {
	tn := openTown(t, nil)
	tn.muddle(t, rand.New(rand.NewPCG(1, 2)), 20)
	waiting := tn.pages(t, "acc", "", 50)
	for _, s := range cases.States() {
		for _, tab := range []string{tabOpen, tabAll} {
			list, err := tn.desk.List(t.Context(), desk.Filter{States: []cases.State{s}, Open: tab == tabOpen, Limit: 1000})
			noError(t, err)
			var want []string
			for n := range list {
				want = append(want, string(list[n].ID))
			}
			if got := tn.pages(t, "acc", "&tab="+tab+"&state="+string(s), 3); !slices.Equal(got, want) {
				t.Errorf("%s, %s: %v, want %v", tab, s, got, want)
			}
		}
		if got := tn.pages(t, "acc", "&state="+string(s), 50); !slices.Equal(got, waiting) {
			t.Errorf("what waits, with the state %s: %v, want %v", s, got, waiting)
		}
	}
	tn.do(t, "acc", "GET", "/api/v1/inbox?tab=open&state=lost", "", 422, nil)
}

// TestInboxSearchGoesOn: a search that has not looked at all cases says how far it came,
// and the page that follows goes on from there.
func TestInboxSearchGoesOn(t *testing.T) {
	tn := openTown(t, nil) // looks at seven cases for a page
	tn.muddle(t, rand.New(rand.NewPCG(3, 4)), 20)
	for _, tab := range []string{tabOpen, tabAll} {
		list, err := tn.desk.List(t.Context(), desk.Filter{Open: tab == tabOpen, Limit: 1000})
		noError(t, err)
		for _, at := range []int{0, len(list) / 2, len(list) - 1} {
			id, parts := string(list[at].ID), 0
			var got []string
			for cursor, going := "", true; going; parts++ {
				p := tn.inbox(t, "acc", "?tab="+tab+"&q="+id+"&cursor="+cursor)
				got = append(got, inboxIDs(p)...)
				if cursor, going = p.Next, p.Next != ""; going != (p.SearchedTo != nil) {
					t.Errorf("%s %s: next %q, searched to %v", tab, id, p.Next, p.SearchedTo)
				}
			}
			if want := []string{id}; !slices.Equal(got, want) || parts != (len(list)-1)/7+1 {
				t.Errorf("%s: %v in %d parts of %d cases, want %v", tab, got, parts, len(list), want)
			}
		}
		tn.everyPart(t, tab, list)
	}
}

// everyPart searches for what all cases of a list have, in pages of several sizes, full ones
// and those that a search ends before they are: each case comes once, in order.
func (tn *town) everyPart(t *testing.T, tab string, list []desk.Summary) {
	t.Helper()
	want := make([]string, len(list))
	for n := range list {
		want[n] = string(list[n].ID)
	}
	text := want[0][:2]
	for _, id := range want {
		if !strings.HasPrefix(id, text) {
			t.Fatalf("%s does not begin with %s as %s does", id, text, want[0])
		}
	}
	for _, limit := range []int{1, 3, 50} {
		var got []string
		for cursor, going := "", true; going && len(got) <= len(want); going = cursor != "" {
			p := tn.inbox(t, "acc", fmt.Sprintf("?tab=%s&q=%s&limit=%d&cursor=%s", tab, text, limit, cursor))
			got, cursor = append(got, inboxIDs(p)...), p.Next
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s, %d a page: %v, want %v", tab, limit, got, want)
		}
	}
}

// TestInboxTwiceByLight: an earlier page had a case of two tasks only where the light of
// the task let it through.
func TestInboxTwiceByLight(t *testing.T) {
	tn := openTown(t, nil)
	c := &caseRoutes{o: &Cases{Limits: tn.book, Now: tn.clock}}
	list := []desk.Standing{
		{ID: "fresh", State: cases.Accepted, Request: cases.Void, Began: monday.Add(-time.Minute), Light: limits.Red, Spot: desk.Spot{Key: 1, Seq: 1}},
		{ID: "late", State: cases.Accepted, Request: cases.Void, Began: monday.AddDate(0, -1, 0), Light: limits.Red, Spot: desk.Spot{Key: 2, Seq: 2}},
	}
	passed := desk.Spot{Key: monday.UnixMilli()}
	none := func(desk.Spot) ([]desk.Standing, error) { return nil, nil }
	lanes := []lane{{task: desk.Task{State: cases.Accepted}, light: limits.Red, before: passed, spot: passed, read: none},
		{task: desk.Task{Request: cases.Void}, light: limits.Red, read: func(desk.Spot) ([]desk.Standing, error) { return list, nil }}}
	ids, more, err := c.merged(lanes, 50)
	if want := []cases.CaseID{"fresh"}; !slices.Equal(ids, want) || more || err != nil {
		t.Errorf("%v %v %v, want %v", ids, more, err, want)
	}
}
