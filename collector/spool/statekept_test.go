package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citygrid/internal/durable"
)

// TestStateFollowsAppends: what was appended is in the state before long, without a
// release and without Close, so that an end of the log that a kill or a disk takes away is
// told as missing and not forgotten.
func TestStateFollowsAppends(t *testing.T) {
	dir := t.TempDir()
	saved := make(chan state, 1000)
	o := Options{CommitRecords: 1, StateEvery: time.Millisecond}
	o.writeState = func(path string, data []byte, perm os.FileMode) error {
		err := durable.WriteFile(path, data, perm)
		if st, bad := decodeState(data); bad == nil {
			saved <- st
		}
		return err
	}
	s := mustOpen(t, dir, o)
	var last uint64
	for i := range 3 {
		var err error
		if last, err = s.Append(t.Context(), fmt.Appendf(nil, "record %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, known := time.After(10*time.Second), uint64(0); known <= last; {
		select {
		case st := <-saved:
			known = st.next
		case <-limit:
			t.Fatalf("the state knows of nothing from %d on; %d was appended", known, last)
		}
	}
	lost := t.TempDir() // the disk as it is now, without its log
	data, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lost, stateName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var events []Event
	mustClose(t, mustOpen(t, lost, Options{OnEvent: func(e Event) { events = append(events, e) }}))
	if len(events) != 1 || events[0].Kind != Missing || events[0].From != 1 || events[0].To != last {
		t.Errorf("events %v, want 1 to %d missing", events, last)
	}
	mustClose(t, s)
}
