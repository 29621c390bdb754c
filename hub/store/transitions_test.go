package store

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
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
	s := openAt(t, Config{URL: influxtest.Start(t, influxd.Options{}).URL()})
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

// An act that is older than the series keeps anything stops no other.
func TestRejectedTransitions(t *testing.T) {
	stored := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "seq=2i") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code":"invalid","message":"partial write: points beyond retention policy dropped=1"}`)
			return
		}
		stored++
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	s := openAt(t, Config{URL: srv.URL})
	list := []Transition{{Seq: 1, At: at(1700000000000)}, {Seq: 2, At: at(1)}, {Seq: 3, At: at(1700000000000)}}
	err := s.StoreTransitions(t.Context(), list)
	var rejected *RejectedTransitionsError
	if !errors.As(err, &rejected) || len(rejected.Seqs) != 1 || rejected.Seqs[0] != 2 || !strings.Contains(err.Error(), "beyond retention") || stored != 2 {
		t.Errorf("%v, %d stored", err, stored)
	}
}
