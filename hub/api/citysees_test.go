package api

import (
	"strings"
	"testing"
	"time"

	"citygrid/hub/accounts"
	"citygrid/hub/cases/desk"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// TestRatioIsCut: what lacks one reading in a hundred thousand is not whole.
func TestRatioIsCut(t *testing.T) {
	for _, c := range []struct {
		got, expected int64
		want          Number
	}{{99_999, 100_000, "0.9999"}, {100_000, 100_000, "1.0000"}, {7, 5, "1.0000"}, {1, 1_000_000, "0.0000"}, {2, 3, "0.6666"}, {0, 0, ""}} {
		if got := ratio(c.got, c.expected); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.got, c.expected, got, c.want)
		}
	}
}

// alarmed is a town with an alarm and an open case, and accounts when h is asked.
func alarmed(t *testing.T) (*mapTown, *guardedHub) {
	t.Helper()
	m := newMapTown(t, nil)
	m.cases.events = []desk.EventRecord{{ID: "e1", Kind: "leak", Cell: firstCell, Meter: "W-1", Component: "c1", Opened: epoch, Case: "CASE-7", Note: "at the Li family"}}
	m.cases.cases = []desk.Summary{{ID: "CASE-7", State: "filed"}}
	return m, openHub(t, func(o *Options) {
		o.City, o.Registry, o.Live = m.city, &Registry{Auth: gridPeople{}, Register: m.options.Registry.Register}, m.options.Live
	})
}

// TestNobodySeesCasesThroughTheCity: what the lists of cases and the register refuse,
// the city does not tell: without accounts to nobody, with them to no clerk.
func TestNobodySeesCasesThroughTheCity(t *testing.T) {
	m, h := alarmed(t)
	summary, cell := "/api/v1/city/summary?area="+firstCell, "/api/v1/city/cells/"+firstCell
	for _, path := range []string{summary, cell, "/api/v1/meters/W-1/diagnosis"} {
		body := ask(m, "GET", path).Body.String()
		for _, secret := range []string{"CASE-7", "Li family", `"c1"`, "3205080101000001"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells nobody of %s: %s", path, secret, body)
			}
		}
	}
	if body := ask(m, "GET", summary, "Authorization", "Bearer inspector").Body.String(); !strings.Contains(body, "CASE-7") {
		t.Errorf("an inspector sees %s", body)
	}
	h.person(t, "carl", accounts.Clerk)
	h.person(t, "ivan", accounts.Inspector)
	clerk, inspector := h.browser().signIn(t, "carl", otherPassword), h.browser().signIn(t, "ivan", otherPassword)
	clerk.want(t, "GET", "/api/v1/cases", "", 403, codeRole)
	for _, path := range []string{summary, cell} {
		if body := clerk.want(t, "GET", path, "", 200, "").Body.String(); strings.Contains(body, "CASE-7") || strings.Contains(body, "Li family") || !strings.Contains(body, "W-1") {
			t.Errorf("%s shows a clerk %s", path, body)
		}
		if body := inspector.want(t, "GET", path, "", 200, "").Body.String(); !strings.Contains(body, "CASE-7") {
			t.Errorf("%s shows an inspector %s", path, body)
		}
	}
}

// TestViewersSeeNoHouseholdThatAnswersAlone: of many meters of which one has told
// anything, the sum is what one household used.
func TestViewersSeeNoHouseholdThatAnswersAlone(t *testing.T) {
	m, h := alarmed(t)
	h.person(t, "vera", accounts.Viewer)
	viewer := h.browser().signIn(t, "vera", otherPassword)
	alone := rollup.Figure{Value: schemas.Decimal{Mantissa: 7123}, Known: true, Meters: 50, Counted: 1, Flow: 7123, FlowKnown: true}
	m.figures.cells[schemas.Water] = []rollup.Figure{alone, {}, {}}
	m.figures.hours = func(string, schemas.Medium, time.Time) *rollup.Figure { return &alone }
	for _, path := range []string{"/api/v1/map/values?metric=consumption&medium=water", "/api/v1/city/summary?area=" + firstCell, "/api/v1/city/series?medium=water&area=" + firstCell} {
		if body := viewer.want(t, "GET", path, "", 200, "").Body.String(); strings.Contains(body, "7123") {
			t.Errorf("%s shows a viewer %s", path, body)
		}
	}
}

// TestPagesThatAskByThemselvesKeepNobodyIn: a page that is left open is signed out
// although it asks on; a wall of a viewer is not.
func TestPagesThatAskByThemselvesKeepNobodyIn(t *testing.T) {
	_, h := alarmed(t)
	h.person(t, "dora", accounts.Dispatcher)
	h.person(t, "vera", accounts.Viewer)
	left, used, wall := h.browser().signIn(t, "dora", otherPassword), h.browser().signIn(t, "dora", otherPassword), h.browser().signIn(t, "vera", otherPassword)
	left.header[pollHeader], wall.header[pollHeader] = "1", "1"
	for range 4 {
		h.pass(9 * time.Minute)
		used.want(t, "GET", "/api/v1/map", "", 200, "")
		left.do("GET", "/api/v1/map", "")
	}
	left.want(t, "GET", "/api/v1/map", "", 401, codeNobody)
	for range 30 {
		h.pass(time.Hour)
		wall.want(t, "GET", "/api/v1/map", "", 200, "")
	}
}
