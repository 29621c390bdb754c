package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// leakOf is an event with every field.
func leakOf(n int, ms int64) schemas.ComponentEvent {
	return schemas.ComponentEvent{
		ID: schemas.EventID(fmt.Sprintf("%032x", n)), Kind: schemas.EventLeak, Phase: schemas.EventOpened, Meter: "W-1",
		Component: "1101010010010101", Line: "riser 3", Since: at(ms - 1000), TakenAt: at(ms), Quantity: "water.flow",
		Value: schemas.Decimal{Mantissa: 35, Exponent: -2}, Limit: schemas.Decimal{Mantissa: 1, Exponent: -2}, Affected: 1, Note: `a "b" \c`,
	}
}

func TestAppendEventLine(t *testing.T) {
	gone := schemas.ComponentEvent{ID: "0123456789abcdef0123456789abcdef", Kind: schemas.EventGatewayGone, Phase: schemas.EventCleared,
		Line: `竖井 3,1=a\`, Since: at(1), TakenAt: at(1700000000001), Affected: 7}
	for name, tt := range map[string]struct {
		e    schemas.ComponentEvent
		want string
	}{
		"every field": {leakOf(1, 1700000000000), `component_event,collector=c1,component=1101010010010101,kind=leak,line=riser\ 3,meter=W-1,phase=opened ` +
			`affected=1i,id="00000000000000000000000000000001",limit=0.01,note="a \"b\" \\c",open=1i,quantity="water.flow",since=1699999999000i,value=0.35 1700000000000` + "\n"},
		"the least": {gone, `component_event,collector=c1,kind=gateway_offline,line=竖井\ 3\,1\=a/,phase=cleared ` +
			`affected=7i,id="0123456789abcdef0123456789abcdef",open=0i,since=1i 1700000000001` + "\n"},
	} {
		if got := string(AppendEventLine([]byte("x"), "c1", &tt.e)); got != "x"+tt.want {
			t.Errorf("%s\ngot  %swant x%s", name, got, tt.want)
		}
	}
}

// What is written reads back, and a repeat is the same point.
func TestStoredEventsReadBack(t *testing.T) {
	s := openAt(t, Config{URL: influxtest.Start(t, influxd.Options{}).URL()})
	over := leakOf(1, 1700000001000)
	over.Phase = schemas.EventCleared
	gone := schemas.ComponentEvent{ID: "0123456789abcdef0123456789abcdef", Kind: schemas.EventLineOffline, Phase: schemas.EventOpened,
		Line: `竖井 3\`, Since: at(1700000000000), TakenAt: at(1700000000000), Affected: 7}
	other := gone
	other.Line, other.ID = "riser 4", "0123456789abcdef0123456789abcdee" // one moment, two events
	events := []schemas.ComponentEvent{leakOf(1, 1700000000000), over, gone, other}
	for range 2 {
		if err := s.StoreEvents(t.Context(), "c1", events); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.StoreEvents(t.Context(), "c2", events[2:3]); err != nil { // a line of that name of another
		t.Fatal(err)
	}
	got := make(map[string]string)
	err := s.query(t.Context(), `SELECT "id", "open", "value", "affected", "note" FROM "component_event" GROUP BY *`, func(r *series) error {
		var rows [][]any
		if err := json.Unmarshal(r.Values, &rows); err != nil {
			return err
		}
		for _, row := range rows {
			got[fmt.Sprint(r.Tags["collector"], " ", r.Tags["kind"], " ", r.Tags["phase"], " ", r.Tags["meter"], r.Tags["line"])] = fmt.Sprint(row[1:])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"c1 leak opened W-1riser 3":      `[00000000000000000000000000000001 1 0.35 1 a "b" \c]`,
		"c1 leak cleared W-1riser 3":     `[00000000000000000000000000000001 0 0.35 1 a "b" \c]`,
		"c1 line_offline opened 竖井 3/":   "[0123456789abcdef0123456789abcdef 1 <nil> 7 <nil>]",
		"c1 line_offline opened riser 4": "[0123456789abcdef0123456789abcdee 1 <nil> 7 <nil>]",
		"c2 line_offline opened 竖井 3/":   "[0123456789abcdef0123456789abcdef 1 <nil> 7 <nil>]",
	} {
		if g := got[key]; g != want {
			t.Errorf("%s: %q, want %q", key, g, want)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("and %v", got)
	}
	mustCount(t, s, 0) // no readings
}

// A server that blames one event gets the others, and the one is named.
func TestRejectedEvents(t *testing.T) {
	var stored []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "0000bad") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code":"invalid","message":"partial write: points beyond retention policy dropped=1"}`)
			return
		}
		stored = append(stored, string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	s := openAt(t, Config{URL: srv.URL})
	events := []schemas.ComponentEvent{leakOf(1, 1700000000000), leakOf(0xbad, 1700000000001), leakOf(3, 1700000000002)}
	err := s.StoreEvents(t.Context(), "c1", events)
	var rejected *RejectedEventsError
	if !errors.As(err, &rejected) || !rejected.Permanent() || len(rejected.IDs) != 1 || rejected.IDs[0] != events[1].ID || !strings.Contains(err.Error(), "beyond retention") {
		t.Errorf("error %v", err)
	}
	if len(stored) != 2 {
		t.Errorf("stored %q", stored)
	}
	if err := s.StoreEvents(t.Context(), "c1", nil); err != nil {
		t.Error(err)
	}
}

func TestEventsWhileTheStoreIsAway(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	s := openAt(t, Config{URL: srv.URL, Timeout: time.Second})
	err := s.StoreEvents(t.Context(), "c1", []schemas.ComponentEvent{leakOf(1, 1700000000000)})
	var retry *RetryableError
	if !errors.As(err, &retry) {
		t.Errorf("error %v, want a *RetryableError", err)
	}
}
