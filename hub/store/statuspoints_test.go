package store

import (
	"testing"
	"time"
)

func TestAppendCollector(t *testing.T) {
	c := CollectorCounts{Age: 1500 * time.Millisecond, Uptime: time.Minute, ReadsPlanned: 1, ReadsDone: 2, ReadsFailed: 3, ReadsMissed: 4,
		ValuesRead: 5, Sealed: 6, Published: 7, Freed: 8, SpoolRecords: 9, SpoolBytes: 10, SpoolQuota: 11, SpoolFull: true, Failing: 12}
	got := string(appendCollector(nil, &CollectorPoint{Collector: "a 1", Area: "310115", At: at(1700000000000), Online: true, Status: &c}))
	want := `collector_status,area=310115,collector=a\ 1 online=1i,age_ms=1500i,uptime_s=60i,failing=12i,freed=8i,published=7i,` +
		"reads_done=2i,reads_failed=3i,reads_missed=4i,reads_planned=1i,sealed=6i,spool_bytes=10i,spool_full=1i,spool_quota=11i,spool_records=9i,values_read=5i 1700000000000\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	got = string(appendCollector(nil, &CollectorPoint{Collector: "b", At: at(1700000000000)}))
	if want := "collector_status,collector=b online=0i 1700000000000\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestAppendCaseGauge(t *testing.T) {
	got := string(appendCaseGauge(nil, &CaseGauge{Class: "CJ/T 214-2007:event:0402", Area: "110101001001", None: 1, Green: 2, Yellow: 4, Red: 8, At: at(1700000000000)}))
	want := `case_open,area=110101001001,class=CJ/T\ 214-2007:event:0402 green=2i,none=1i,open=15i,overdue=8i,yellow=4i 1700000000000` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestNoPointsAreNotSent(t *testing.T) {
	s := openAt(t, Config{URL: "http://127.0.0.1:1"})
	if err := s.StoreCollectors(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
