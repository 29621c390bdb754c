package api

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases/desk"
)

// inbox asks for an inbox as somebody.
func (tn *town) inbox(t *testing.T, person, query string) (p InboxPage) {
	t.Helper()
	tn.do(t, person, "GET", "/api/v1/inbox"+query, "", 200, &p)
	return p
}

func inboxIDs(p InboxPage) (ids []string) {
	for _, r := range p.Rows {
		ids = append(ids, r.ID)
	}
	return ids
}

func inboxTabs(p InboxPage) string {
	var list []string
	for _, tab := range p.Tabs {
		list = append(list, fmt.Sprintf("%s %d/%d", tab.Key, tab.Count, tab.Late))
	}
	return strings.Join(list, ", ")
}

// TestInboxOfEachRole: a case goes from inbox to inbox, and is in one at a time.
func TestInboxOfEachRole(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	waiting := func(want ...string) {
		t.Helper()
		var got []string
		for _, person := range []string{"acc", "lead", "dis", "wat", "gas", "ins", "ins2"} {
			p := tn.inbox(t, person, "")
			if len(p.Rows) > 0 {
				got = append(got, person)
			}
			for _, r := range p.Rows {
				if r.ID != id || len(r.Acts) == 0 {
					t.Errorf("%s: %s with acts %v", person, r.ID, r.Acts)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the case waits for %v, want %v", got, want)
		}
	}
	waiting("acc")
	for n, want := range [][]string{{"lead"}, {"dis"}, {"wat", "gas"}, {"wat"}, {"dis", "wat"}, {"wat"}, {"acc"}, {"ins"}, {"lead"}, nil} {
		s := life()[n]
		tn.act(t, s.person, id, s.body)
		waiting(want...)
	}
	if p := tn.inbox(t, "acc", "?tab=open"); len(p.Rows) != 0 {
		t.Errorf("open: %v", inboxIDs(p))
	}
	if p := tn.inbox(t, "acc", "?tab=all"); !slices.Equal(inboxIDs(p), []string{id}) || len(p.Rows[0].Acts) != 0 {
		t.Errorf("all: %+v", p.Rows)
	}
}

// TestInboxOrder: all that waits, the earliest due first, each case once, whatever the
// page.
func TestInboxOrder(t *testing.T) {
	tn := openTown(t, nil)
	var ids []string
	for range 4 {
		ids = append(ids, tn.report(t))
		tn.pass(time.Minute)
	}
	all := func(person, query string) (got []string) {
		for _, limit := range []string{"1", "2", "50"} {
			var list []string
			for cursor := ""; ; {
				p := tn.inbox(t, person, "?limit="+limit+query+"&cursor="+cursor)
				list = append(list, inboxIDs(p)...)
				if cursor = p.Next; cursor == "" {
					break
				}
				if len(list) > 1000 {
					t.Fatalf("%s: the pages have no end", query)
				}
			}
			if got != nil && !slices.Equal(got, list) {
				t.Errorf("%s: pages of %s: %v, before %v", query, limit, list, got)
			}
			got = list
		}
		return got
	}
	// 3 and then 0 are fed back, with 10 minutes to be sent out; 1 and 2 have 10 minutes to be accepted
	for _, s := range life()[:7] {
		tn.act(t, s.person, ids[3], s.body)
	}
	tn.pass(time.Minute)
	for _, s := range life()[:7] {
		tn.act(t, s.person, ids[0], s.body)
	}
	if got, want := all("acc", ""), []string{ids[1], ids[2], ids[3], ids[0]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := all("acc", "&tab=fed_back"), []string{ids[3], ids[0]}; !slices.Equal(got, want) {
		t.Errorf("fed back: %v, want %v", got, want)
	}
	if got, want := all("acc", "&tab=open"), []string{ids[3], ids[2], ids[1], ids[0]}; !slices.Equal(got, want) {
		t.Errorf("open: %v, want %v", got, want)
	}
	tn.pass(390 * time.Second) // 10.5 and 9.5 minutes after the reports, 7.5 and 6.5 after the feed-backs
	p := tn.inbox(t, "acc", "")
	if got, want := inboxTabs(p), "reported 2/1, verified 0/0, fed_back 2/0, checked 0/0"; got != want {
		t.Errorf("tabs %s, want %s", got, want)
	}
	for light, want := range map[string][]string{"red": {ids[1]}, "yellow": {ids[2]}, "green": {ids[3], ids[0]}, "none": nil} {
		if got := inboxIDs(tn.inbox(t, "acc", "?light="+light)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", light, got, want)
		}
	}
	if r := p.Rows[0]; r.Step == nil || r.Step.Light != "red" || r.Step.LeftMs >= 0 || r.Handling != nil {
		t.Errorf("the first row: %+v %+v", r.Step, r.Handling)
	}
}

// TestInboxSaysNo: another's role, an unknown tab, a cursor of another list.
func TestInboxSaysNo(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for query, want := range map[string]int{
		"?role=dispatcher": 403, "?role=public": 422, "?tab=handling": 422, "?tab=Filed": 422, "?cursor=1.2": 400, "?cursor=x": 422, "?cursor=1.2~3.4~5.6~7": 400,
		"?light=blue": 422, "?q=" + url.QueryEscape("a\x00b"): 422, "?limit=201": 422, "?class=" + url.QueryEscape("a\nb"): 422, "?": 200, "?role=acceptor&tab=checked": 200,
	} {
		tn.do(t, "acc", "GET", "/api/v1/inbox"+query, "", want, nil)
	}
	tn.do(t, "", "GET", "/api/v1/inbox", "", 401, nil)
	if p := tn.inbox(t, "wu", "?role=acceptor"); p.Role != "acceptor" || !slices.Equal(inboxIDs(p), []string{id}) {
		t.Errorf("one of two roles: %+v", p)
	}
	if p := tn.inbox(t, "wu", ""); p.Role != "inspector" || len(p.Rows) != 0 {
		t.Errorf("the first of two roles: %s %v", p.Role, inboxIDs(p))
	}
	p := tn.inbox(t, "adm", "?role=acceptor") // an administrator looks on
	if !slices.Equal(inboxIDs(p), []string{id}) || len(p.Rows[0].Acts) != 0 {
		t.Errorf("as administrator: %+v", p.Rows)
	}
	for _, q := range []string{id[len(id)-4:], "井盖", "C-1", "人民路"} {
		if p := tn.inbox(t, "acc", "?q="+url.QueryEscape(q)); len(p.Rows) != 1 {
			t.Errorf("search for %s: %d rows", q, len(p.Rows))
		}
	}
	for _, query := range []string{"?cell=330107", "?source=web", "?department=gas", "?class=" + url.QueryEscape(gasClass), "?q=nothing"} {
		if p := tn.inbox(t, "acc", query); len(p.Rows) != 0 || p.Tabs[0].Count != 0 {
			t.Errorf("%s: %d rows, %+v", query, len(p.Rows), p.Tabs)
		}
	}
}

func TestSpots(t *testing.T) {
	spots := []desk.Spot{{Key: 5, Seq: 7}, {}, {Key: 1 << 62, Seq: 1}}
	got, bad := parseSpots(formatSpots(spots), 3)
	if bad != nil || !slices.Equal(got, spots) {
		t.Errorf("%v %v", got, bad)
	}
}
