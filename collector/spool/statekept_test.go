package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"citygrid/internal/durable"
)

// savesState opens a spool that saves its state at once. known waits for a saved state that
// knows of every sequence before next.
func savesState(t *testing.T, dir string, disk disk) (s *Spool, known func(next uint64)) {
	t.Helper()
	saved := make(chan state, 1000)
	o := Options{CommitRecords: 1, StateEvery: time.Millisecond, disk: disk}
	o.writeState = func(path string, data []byte, perm os.FileMode) error {
		err := durable.WriteFile(path, data, perm)
		if st, bad := decodeState(data); bad == nil {
			saved <- st
		}
		return err
	}
	return mustOpen(t, dir, o), func(next uint64) {
		t.Helper()
		for limit, knows := time.After(10*time.Second), uint64(0); knows < next; {
			select {
			case st := <-saved:
				knows = st.next
			case <-limit:
				t.Fatalf("the state knows of nothing from %d on, want %d", knows, next)
			}
		}
	}
}

// TestStateFollowsFailedAppends: the sequence of a record that could not be written is in
// the state before long, and a kill gives it to no other: part of it may be on the disk.
func TestStateFollowsFailedAppends(t *testing.T) {
	dir, faulty := t.TempDir(), &faultyDisk{}
	s, known := savesState(t, dir, faulty)
	last := mustAppend(t, s, "record")
	known(last + 1)
	faulty.mu.Lock()
	faulty.sync = syscall.EIO
	faulty.mu.Unlock()
	if _, err := s.Append(t.Context(), []byte("doomed")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v, want %v", err, syscall.EIO)
	}
	known(last + 2)
	killed := mustOpen(t, copyFolder(t, dir), quick())
	if seq := mustAppend(t, killed, "after"); seq <= last+1 {
		t.Errorf("sequence %d after a kill; %d was given to a record that failed", seq, last+1)
	}
	mustClose(t, killed)
	mustClose(t, s)
}

// TestStateFollowsAppends: what was appended is in the state before long, without a
// release and without Close, so that an end of the log that a kill or a disk takes away is
// told as missing and not forgotten.
func TestStateFollowsAppends(t *testing.T) {
	dir := t.TempDir()
	s, known := savesState(t, dir, &faultyDisk{})
	var last uint64
	for i := range 3 {
		last = mustAppend(t, s, fmt.Sprint("record ", i))
	}
	known(last + 1)
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
