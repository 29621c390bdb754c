package store

import (
	"fmt"
	"strings"
	"testing"

	"citygrid/internal/influxd"
)

func TestAppendTransition(t *testing.T) {
	got := string(appendTransition([]byte("x"), &Transition{Seq: 35, Case: `2026"1`, Act: "close", State: "closed", Source: "sensor",
		Class: "CJ/T 214-2007:event:0402", Area: "110101001001", At: at(1700000000000)}))
	want := `xcase_transition,act=close,area=110101001001,class=CJ/T\ 214-2007:event:0402,slot=3,source=sensor,state=closed ` +
		`case="2026\"1",n=1i,seq=35i 1700000000000` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// Sixteen equal acts of one millisecond are sixteen points, twice written or not.
func TestStoredTransitionsAreCounted(t *testing.T) {
	s := openAt(t, Config{URL: startInflux(t, influxd.Options{}).URL()})
	var list []Transition
	for n := range slots {
		list = append(list, Transition{Seq: int64(1000 + n), Case: fmt.Sprint(n), Act: "report", State: "reported", Source: "inspector", At: at(1700000000000)})
	}
	for range 2 {
		if err := s.StoreTransitions(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	err := s.query(t.Context(), `SELECT COUNT("n") FROM "case_transition" WHERE "act" = 'report'`, func(r *series) error { got = string(r.Values); return nil })
	if err != nil || !strings.HasSuffix(got, ",16]]") {
		t.Errorf("%s, %v, want a count of 16", got, err)
	}
}
