package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// TestTasksAreTheTable compares what waits for whom with docs/cases.md, written here a
// second time.
func TestTasksAreTheTable(t *testing.T) {
	for role, want := range map[cases.Role]string{
		cases.Acceptor:    "reported verified fed_back checked=no",
		cases.ShiftLeader: "accepted request:suspension request:void checked reported=yes",
		cases.Dispatcher:  "filed request:return request:extension suspended",
		cases.Department:  "dispatched suspended handling",
		cases.Inspector:   "verifying checking",
		cases.Admin:       "",
		cases.Public:      "",
	} {
		var got []string
		for _, task := range Tasks(role) {
			text := string(task.State)
			if task.Request != "" {
				text = "request:" + string(task.Request)
			}
			if task.Answer != "" {
				text += "=" + string(task.Answer)
			}
			got = append(got, text)
		}
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v, want %v", role, got, wanted)
		}
	}
}

// waits are the numbers of what waits, page by page, and wants Tally to count as many.
func (w *town) waits(in Inbox, task Task, limit int) (ids []cases.CaseID) {
	w.tb.Helper()
	page := Page{Limit: limit}
	for {
		list, err := w.Waiting(context.Background(), in, task, page)
		must(w.tb, err)
		for _, one := range list {
			ids = append(ids, one.ID)
			page.After = one.Spot
		}
		if len(list) < limit {
			break
		}
		if len(ids) > 1000 {
			w.tb.Fatalf("%+v: the pages have no end", task)
		}
	}
	n, err := w.Tally(context.Background(), in, []Task{task})
	must(w.tb, err)
	if int(n[0].N) != len(ids) {
		w.tb.Errorf("%+v: %d counted, %d listed", task, n[0].N, len(ids))
	}
	return ids
}

func TestInbox(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		var ids []cases.CaseID
		add := func(cell int, acts ...cases.Act) cases.CaseID {
			id := w.new(cell)
			w.through(id, acts...)
			ids = append(ids, id)
			w.clock.add(time.Minute)
			return id
		}
		first, second := add(1), add(2)
		filed := add(3, cases.ActAccept, cases.ActFile)
		late := add(4, toHandling...)  // 4 h in an area of class 1: 6 h
		early := add(3, toHandling...) // filed later, but in an area of class 2: 4 h
		sent := add(6, toHandling[:3]...)
		good := add(7, slices.Concat(toHandling, toClosed[:3])...)
		bad := add(8, slices.Concat(toHandling, toClosed[:2])...)
		e := entry(cases.ActAnswerCheck, by(cases.Inspector))
		e.Outcome, e.Reason = cases.No, `"outcome":"yes"`
		w.act(bad, e)
		w.through(late, cases.ActAskExtension)
		state := func(s cases.State) Task { return Task{State: s} }
		for name, row := range map[string]struct {
			in   Inbox
			task Task
			want []cases.CaseID
		}{
			"oldest first":          {Inbox{}, state(cases.Reported), []cases.CaseID{first, second}},
			"filed":                 {Inbox{}, state(cases.Filed), []cases.CaseID{filed}},
			"oldest deadline first": {Inbox{}, state(cases.Handling), w.deadlines(late, early)},
			"checked":               {Inbox{}, state(cases.Checked), []cases.CaseID{good, bad}},
			"checked, no":           {Inbox{}, Task{State: cases.Checked, Answer: cases.No}, []cases.CaseID{bad}},
			"checked, yes":          {Inbox{}, Task{State: cases.Checked, Answer: cases.Yes}, []cases.CaseID{good}},
			"on the spot":           {Inbox{}, Task{State: cases.Reported, Answer: cases.Yes}, nil},
			"request":               {Inbox{}, Task{Request: cases.Extension}, []cases.CaseID{late}},
			"other request":         {Inbox{}, Task{Request: cases.Void}, nil},
			"of a department":       {Inbox{Filter: Filter{Department: "A"}}, state(cases.Dispatched), []cases.CaseID{sent}},
			"of another":            {Inbox{Filter: Filter{Department: "B"}}, state(cases.Dispatched), nil},
			"taken by another":      {Inbox{Filter: Filter{Handler: "B"}}, state(cases.Handling), nil},
			"in a cell":             {Inbox{Filter: Filter{Cell: string(cellOf(2))}}, state(cases.Reported), []cases.CaseID{second}},
			"by number":             {Inbox{Text: strings.ToLower(string(second))}, state(cases.Reported), []cases.CaseID{second}},
			"by place":              {Inbox{Text: " 人民路 "}, state(cases.Reported), []cases.CaseID{first, second}},
			"no pattern":            {Inbox{Text: "%"}, state(cases.Reported), nil},
			"no such text":          {Inbox{Text: "nowhere"}, state(cases.Reported), nil},
			"what does not count":   {Inbox{Filter: Filter{States: []cases.State{cases.Closed}, Light: limits.Red, Before: 1}}, state(cases.Filed), []cases.CaseID{filed}},
		} {
			for _, limit := range []int{1, 50} {
				if got := w.waits(row.in, row.task, limit); !slices.Equal(got, row.want) {
					t.Errorf("%s, %d a page: %v, want %v", name, limit, got, row.want)
				}
			}
		}
		w.wantLatest(ids)
		if _, err := w.Waiting(t.Context(), Inbox{Light: "blue"}, state(cases.Filed), Page{}); !isField(err) {
			t.Errorf("a light that is none: %v", err)
		}
	})
}

// deadlines puts cases in the order of their deadlines, which differ.
func (w *town) deadlines(ids ...cases.CaseID) []cases.CaseID {
	w.tb.Helper()
	slices.SortFunc(ids, func(a, b cases.CaseID) int {
		return w.summary(a).Handling.Deadline.Compare(w.summary(b).Handling.Deadline)
	})
	if w.summary(ids[0]).Handling.Deadline.IsZero() || w.summary(ids[0]).Handling.Deadline.Equal(w.summary(ids[1]).Handling.Deadline) {
		w.tb.Fatalf("the deadlines of %v do not differ", ids)
	}
	return ids
}

// wantLatest wants all cases once, the latest first, and the open ones apart.
func (w *town) wantLatest(ids []cases.CaseID) {
	w.tb.Helper()
	w.through(ids[1], cases.ActReject)
	for _, open := range []bool{false, true} {
		var got []cases.CaseID
		for page := (Page{Limit: 2}); ; {
			list, _, err := w.Latest(context.Background(), Inbox{}, open, page)
			must(w.tb, err)
			for _, one := range list {
				got = append(got, one.ID)
				page.After = one.Spot
			}
			if len(list) < 2 {
				break
			}
		}
		want := slices.DeleteFunc(slices.Clone(ids), func(id cases.CaseID) bool { return open && id == ids[1] })
		slices.Reverse(want)
		if !slices.Equal(got, want) {
			w.tb.Errorf("latest, open %v: %v, want %v", open, got, want)
		}
	}
}

// TestSearchInParts: a search looks at some cases for a page, says how far it came, and
// finds all that has the text from page to page.
func TestSearchInParts(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.o.SearchAtOnce = 3
		var want []cases.CaseID
		for n := range 10 {
			first := report(n)
			first.Report.Description = map[bool]string{true: "Leak by the Gate", false: "a lid"}[n == 0 || n == 1 || n == 9]
			if id := w.act("", first).Case.ID; first.Report.Description != "a lid" {
				want = append([]cases.CaseID{id}, want...)
			}
			w.clock.add(time.Minute)
		}
		for _, row := range []struct {
			in    Inbox
			limit int
			parts []int // found on each page
		}{{Inbox{Text: "by THE gate"}, 50, []int{1, 0, 1, 1}}, {Inbox{Text: "by the gate"}, 1, []int{1, 0, 0, 1, 1, 0}}, {Inbox{Text: "nowhere"}, 50, []int{0, 0, 0, 0}}} {
			var got []cases.CaseID
			var parts []int
			var before time.Time
			for page := (Page{Limit: row.limit}); ; {
				list, reach, err := w.Latest(t.Context(), row.in, false, page)
				must(t, err)
				parts = append(parts, len(list))
				for _, one := range list {
					got, page.After = append(got, one.ID), one.Spot
				}
				if reach != (Reach{}) && !before.IsZero() && !reach.Reported.Before(before) {
					t.Errorf("%q came to %v after %v", row.in.Text, reach.Reported, before)
				}
				before = reach.Reported
				if len(list) == row.limit {
					continue
				}
				if reach == (Reach{}) {
					break
				}
				page.After = reach.Spot
			}
			if row.in.Text == "nowhere" && got != nil || row.in.Text != "nowhere" && !slices.Equal(got, want) || !slices.Equal(parts, row.parts) {
				t.Errorf("%q, %d a page: %v in parts of %v, want %v in %v", row.in.Text, row.limit, got, parts, want, row.parts)
			}
		}
		// What picks others than the text is not counted: no case is at its end.
		if list, reach, err := w.Latest(t.Context(), Inbox{Text: "gate", Filter: Filter{States: []cases.State{cases.Closed}}}, false, Page{}); len(list) > 0 || reach != (Reach{}) || err != nil {
			t.Errorf("%v %v %v", list, reach, err)
		}
	})
}

const stagesFile = limitsFile + `
stages:
  send_verify: {minutes: 10}
  accept: {minutes: 100}
  file: {minutes: 30, working: true}
`

// TestInboxLights compares the filter by light with the light of each case, all through
// some days, of steps that count day and night and of one that counts working time.
func TestInboxLights(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		book, err := limits.Load(fmt.Appendf(nil, stagesFile, limits.AtFiling, limits.Anew))
		must(t, err)
		w := openTown(t, dsn, func(o *Options) { o.Limits = book })
		public := report(1)
		public.Report.Source = cases.SourceHotline
		w.act("", public)
		w.new(2)
		w.through(w.new(3), cases.ActAccept)
		w.through(w.new(4), toHandling...)
		for _, after := range []time.Duration{0, 7 * time.Minute, 2 * time.Minute, time.Minute, 70 * time.Minute, 20 * time.Minute, 2 * time.Hour, 12 * time.Hour, 90 * time.Hour} {
			w.clock.add(after)
			for _, task := range []Task{{State: cases.Reported}, {State: cases.Accepted}, {State: cases.Handling}} {
				w.lightsOf(book, task)
			}
		}
	})
}

// lightsOf wants each light to find the cases that show it, and Tally those that are
// red.
func (w *town) lightsOf(book *limits.Book, task Task) {
	w.tb.Helper()
	places, err := w.Waiting(context.Background(), Inbox{}, task, Page{})
	must(w.tb, err)
	ids := make([]cases.CaseID, len(places))
	for n, p := range places {
		ids[n] = p.ID
	}
	all, err := w.Look(context.Background(), ids)
	must(w.tb, err)
	shown := map[limits.Light][]cases.CaseID{}
	for _, one := range all {
		light := one.Light
		if s, ok := Stage(one.State, one.Source); ok {
			light, _ = StageLight(book, s, one.Began, w.clock.now())
		}
		shown[light] = append(shown[light], one.ID)
	}
	for _, light := range []limits.Light{limits.None, limits.Green, limits.Yellow, limits.Red} {
		if got := w.waits(Inbox{Light: light}, task, 50); !slices.Equal(got, shown[light]) {
			w.tb.Errorf("%s, %s at %s: %v, want %v", task.State, light, w.clock.now(), got, shown[light])
		}
	}
	n, err := w.Tally(context.Background(), Inbox{}, []Task{task})
	must(w.tb, err)
	if int(n[0].Late) != len(shown[limits.Red]) || len(all) == 0 {
		w.tb.Errorf("%s: %d late of %d, want %d", task.State, n[0].Late, n[0].N, len(shown[limits.Red]))
	}
}

// TestBeganIsWhenTheHubKnew: what an inspector answered offline counts early, but the
// step that follows begins when the hub had it.
func TestBeganIsWhenTheHubKnew(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		id := w.new(1)
		w.through(id, slices.Concat(toHandling, toClosed[:2])...)
		w.clock.add(time.Hour)
		e := entry(cases.ActAnswerCheck, by(cases.Inspector))
		e.At = w.clock.now().Add(-30 * time.Minute)
		w.act(id, e)
		received := w.clock.now()
		w.clock.add(time.Minute)
		w.act(id, entry(cases.ActNote, by(cases.Acceptor)))
		list, err := w.Waiting(t.Context(), Inbox{}, Task{State: cases.Checked}, Page{})
		must(t, err)
		if len(list) != 1 || !list[0].Began.Equal(received) || list[0].Spot.Key != received.UnixMilli() {
			t.Errorf("%+v, want to begin at %v", list, received)
		}
		seen, err := w.Look(t.Context(), []cases.CaseID{list[0].ID, "none"})
		must(t, err)
		if len(seen) != 1 || seen[0].Case == nil || seen[0].Case.State != cases.Checked || !seen[0].Began.Equal(received) || !seen[0].Since.Equal(e.At) {
			t.Errorf("case %+v", seen)
		}
	})
}

// TestEventsOf: a case tells its events, the first and those that joined.
func TestEventsOf(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 9, 0)
		w.send(opened("leak", "M1", w.clock.now()))
		id := w.list(Filter{Source: cases.SourceSensor})[0]
		list, err := w.EventsOf(t.Context(), id)
		must(t, err)
		if len(list) != 1 || list[0].Meter != "M1" || list[0].Case != id || list[0].Kind != "leak" {
			t.Errorf("events %+v", list)
		}
		if list, err = w.EventsOf(t.Context(), "nobody"); err != nil || len(list) != 0 {
			t.Errorf("of no case: %v %v", list, err)
		}
	})
}
