package store

import (
	"strings"
	"testing"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

func TestAppendRun(t *testing.T) {
	got := string(appendRun(nil, &RunPoint{Utility: schemas.Gas, Day: at(1700000000000), Run: 7, Version: 2, SetAside: true, Sales: 5, Refused: 1,
		Unloaded: RunTally{Count: 3, Fen: -4500, Volume: 9}, Installations: 10, Fresh: 8, Stale: 2,
		Classes: []RunClass{{Class: "STALE", Closing: RunTally{Count: 2}, Found: RunTally{Count: 1, Fen: 70}}}}))
	want := "reconciliation,utility=gas run=7i,set_aside=1i,version=2i,entries=0i,payments=0i,refused=1i,sales=5i,fresh=8i,installations=10i,stale=2i," +
		"overdraft_count=0i,overdraft_fen=0i,overdraft_volume=0i,residual_count=0i,residual_fen=0i,residual_volume=0i," +
		"unloaded_count=3i,unloaded_fen=-4500i,unloaded_volume=9i 1700000000000\n" +
		"reconciliation_class,class=STALE,utility=gas run=7i,set_aside=1i,cleared_count=0i,cleared_fen=0i,cleared_volume=0i," +
		"closing_count=2i,closing_fen=0i,closing_volume=0i,decided_count=0i,decided_fen=0i,decided_volume=0i," +
		"found_count=1i,found_fen=70i,found_volume=0i,opening_count=0i,opening_fen=0i,opening_volume=0i 1700000000000\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// A day that is made again has the figures of the later run alone.
func TestLaterRunReplacesTheDay(t *testing.T) {
	s := openAt(t, Config{URL: influxtest.Start(t, influxd.Options{}).URL()})
	for _, p := range []RunPoint{{Run: 1, Refused: 4}, {Run: 2}} {
		p.Utility, p.Day = schemas.Water, at(1700000000000)
		if err := s.StoreRuns(t.Context(), []RunPoint{p}); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	err := s.query(t.Context(), `SELECT "run", "refused" FROM "reconciliation"`, func(r *series) error { got += string(r.Values); return nil })
	if err != nil || !strings.HasSuffix(got, ",2,0]]") || strings.Count(got, "],[") != 0 {
		t.Errorf("%s, %v, want run 2 alone", got, err)
	}
}
