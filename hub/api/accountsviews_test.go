package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/accounts"
	"citygrid/hub/ledger"
)

// openDeskHub is a hub with accounts and a desk.
func openDeskHub(t *testing.T) (*guardedHub, *memoryDesk) {
	m := &memoryDesk{maker: "zhang"}
	return openHub(t, func(o *Options) {
		o.Ledger.Desk = &Desk{Days: m, Work: m, Rows: m, Files: m, Today: func() ledger.Day { return deskToday }}
	}), m
}

// told are the entries of the log after the given number, oldest first, as
// "actor act detail".
func (h *guardedHub) told(t *testing.T, since int64) (list []string, last int64) {
	t.Helper()
	log, err := h.book.Audit(t.Context(), 0, accounts.MaxEntries)
	noError(t, err)
	for _, e := range slices.Backward(log) {
		if e.Seq > since {
			list = append(list, fmt.Sprintf("%d %s %s", e.Actor, e.Act, e.Detail))
		}
	}
	return list, log[0].Seq
}

// TestLooksAtCardsAreWrittenDown: once for a person, a subject and five minutes, however
// often a page asks; the words of a search, which may name somebody, are not.
func TestLooksAtCardsAreWrittenDown(t *testing.T) {
	h, _ := openDeskHub(t)
	ann, bo := h.person(t, "ann", accounts.Clerk), h.person(t, "bo", accounts.Clerk)
	b := h.browser().signIn(t, "ann", otherPassword)
	other := h.browser().signIn(t, "bo", otherPassword)
	_, seq := h.told(t, 0)
	look := func(b *browser, path string) { b.want(t, "GET", "/api/v1/ledger/"+path, "", 200, "") }
	want := func(entries ...string) {
		t.Helper()
		var got []string
		if got, seq = h.told(t, seq); !slices.Equal(got, entries) {
			t.Errorf("written down\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(entries, "\n"))
		}
	}
	entry := func(p accounts.Person, what string) string { return fmt.Sprintf("%d read_card_data %s", p.Key, what) }
	for range 20 { // a page that asks every few seconds
		look(b, "dossier?key=a")
		look(b, "work?text=Zhang+San&class=SALE_NO_PAY")
		h.pass(10 * time.Second)
	}
	want(entry(ann, "ledger/dossier key a"), entry(ann, "ledger/work"))
	look(b, "work?meter=W-1")
	look(b, "rows?ledger=sales&meter=W-1")
	look(b, "rows?ledger=entries&meter=W-1")
	look(b, "rows?ledger=entries&meter=W-1&offset=50")
	look(b, "source?ledger=sales&row=5")
	look(b, "search?text=Zhang+San")
	look(b, "difference?key="+url.QueryEscape(oneKey))
	look(b, "differences?state=open")
	want(entry(ann, "ledger/work meter W-1"), entry(ann, "ledger/rows ledger sales meter W-1"), entry(ann, "ledger/rows ledger entries meter W-1"),
		entry(ann, "ledger/source ledger sales row 5"), entry(ann, "ledger/search"), entry(ann, "ledger/difference key "+oneKey), entry(ann, "ledger/differences"))
	look(other, "dossier?key=a")
	b.from = "192.0.2.8:999"
	look(b, "dossier?key=a")
	want(entry(bo, "ledger/dossier key a"), entry(ann, "ledger/dossier key a"))
	h.pass(viewTime - time.Second)
	look(b, "dossier?key=a")
	want()
	h.pass(time.Second)
	look(b, "dossier?key=a")
	want(entry(ann, "ledger/dossier key a"))
	look(b, "me") // no cards
	look(b, "day?utility=water&day="+deskToday.String())
	want()
	if _, err := h.book.CheckAudit(t.Context(), accounts.Head{}); err != nil {
		t.Error(err)
	}
}

// TestNoCardsWithoutTheLog: what cannot be written down is not shown, not even when it
// was refused just before.
func TestNoCardsWithoutTheLog(t *testing.T) {
	v, now, fault := newViews(func() time.Time { return epoch }), view{person: 1, what: "a"}, errors.New("disk full")
	for range 2 {
		if err := v.once(t.Context(), now, func() error { return fault }); !errors.Is(err, fault) {
			t.Errorf("shown although the log failed: %v", err)
		}
	}
	v.writing <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.once(gone, now, func() error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("shown before it was written down: %v", err)
	}
}

// TestManyLooks: questions that come together make one entry, and what is remembered is
// bounded.
func TestManyLooks(t *testing.T) {
	at := epoch
	v, count := newViews(func() time.Time { return at }), 0
	write := func() error { count++; return nil }
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { noError(t, v.once(t.Context(), view{what: "a"}, write)) })
	}
	if all.Wait(); count != 1 {
		t.Errorf("%d entries for one look", count)
	}
	for n := range accounts.PersonKey(3 * maxViews) {
		at = at.Add(time.Millisecond)
		noError(t, v.once(t.Context(), view{person: n}, write))
		if len(v.seen) > maxViews {
			t.Fatalf("%d looks are remembered", len(v.seen))
		}
	}
	if count = 0; v.once(t.Context(), view{person: 3*maxViews - 1}, write) != nil || count != 0 {
		t.Error("the newest look is forgotten")
	}
	at = at.Add(-time.Hour) // the clock was set back
	if noError(t, v.once(t.Context(), view{person: 3*maxViews - 1}, write)); count != 1 {
		t.Error("a look in what was the future counts")
	}
}

// TestClosedDaysAreWrittenDown: who closed which day; one that is refused is none.
func TestClosedDaysAreWrittenDown(t *testing.T) {
	h, m := openDeskHub(t)
	gu := h.person(t, "gu", accounts.Approver)
	b := h.browser().signIn(t, "gu", otherPassword)
	_, seq := h.told(t, 0)
	body := jsonOf(t, map[string]string{"utility": "gas", "day": deskToday.String()})
	m.err = &ledger.NotClosedError{Why: ledger.SameMaker}
	b.want(t, "POST", "/api/v1/ledger/day-closings", body, 409, codePerson)
	m.err = nil
	b.want(t, "POST", "/api/v1/ledger/day-closings", body, 201, "")
	got, _ := h.told(t, seq)
	if want := fmt.Sprintf("%d close_day ledger/day-closings gas %s, run 0", gu.Key, deskToday); !slices.Equal(got, []string{want}) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestEveryAnswerWithCardsIsWrittenDown: no operation of the contract answers with cards
// and is forgotten here.
func TestEveryAnswerWithCardsIsWrittenDown(t *testing.T) {
	type schema struct {
		Ref        string `json:"$ref"`
		Items      *schema
		Properties map[string]*schema
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema *schema }
			}
		}
		Components struct{ Schemas map[string]*schema }
	}
	noError(t, json.Unmarshal(ask(newHandler(t, nil), "GET", "/api/v1/openapi.json").Body.Bytes(), &doc))
	var cards func(s *schema, depth int) bool
	cards = func(s *schema, depth int) bool {
		if s == nil || depth > 12 {
			return false
		}
		for name, p := range s.Properties {
			if name == "card" || cards(p, depth+1) {
				return true
			}
		}
		return cards(s.Items, depth+1) || cards(doc.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], depth+1)
	}
	found := 0
	for path, methods := range doc.Paths {
		for _, content := range methods["get"].Responses["200"].Content {
			if !cards(content.Schema, 0) {
				continue
			}
			if found++; toldOf("GET", path, "") == "" {
				t.Errorf("%s answers with cards, and the audit log does not have it", path)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d answers with cards found", found)
	}
	for _, path := range cardPaths() {
		if doc.Paths[path] == nil {
			t.Errorf("there is no %s", path)
		}
	}
	if got := toldOf("GET", "/api/v1/ledger/clearing/files/{name}", ""); got != accounts.ActExport || doc.Paths["/api/v1/ledger/clearing/files/{name}"] == nil {
		t.Errorf("a clearing file leaves the hub as %q", got)
	}
}
