package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"citygrid/internal/durable"
)

// TestFaults breaks the disk in one way a row, during one append, and says what
// the appender hears. In every row the records acknowledged before and after
// must be there, in the running spool and after a reopen.
func TestFaults(t *testing.T) {
	eio := syscall.EIO
	tests := []struct {
		name    string
		fresh   bool // the failing append begins a segment
		fault   func(d *faultyDisk)
		want    error
		full    bool
		surface bool // the failed record may turn up at the next Open
	}{
		{"failed write", false, func(d *faultyDisk) { d.write = eio }, eio, false, false},
		{"failed first write", true, func(d *faultyDisk) { d.write = eio }, eio, false, false},
		{"short write", false, func(d *faultyDisk) { d.short = true }, nil, false, false},
		{"short first write", true, func(d *faultyDisk) { d.short = true }, nil, false, false},
		{"failed fsync", false, func(d *faultyDisk) { d.sync = eio }, eio, false, false},
		{"failed first fsync", true, func(d *faultyDisk) { d.sync = eio }, eio, false, false},
		{"failed fsync, cut fails too", false, func(d *faultyDisk) { d.sync, d.truncate = eio, eio }, eio, false, true},
		{"failed write, cut fails too", false, func(d *faultyDisk) { d.write, d.truncate = eio, eio }, eio, false, false},
		{"disk full", false, func(d *faultyDisk) { d.write = syscall.ENOSPC }, syscall.ENOSPC, true, false},
		{"disk full for a new segment", true, func(d *faultyDisk) { d.create = syscall.ENOSPC }, syscall.ENOSPC, true, false},
		{"disk full found by fsync", false, func(d *faultyDisk) { d.sync = syscall.EDQUOT }, syscall.EDQUOT, true, false},
		{"failed folder fsync", true, func(d *faultyDisk) { d.dirSync = eio }, eio, false, false},
		{"failed folder fsync, removal fails too", true, func(d *faultyDisk) { d.dirSync, d.remove = eio, eio }, eio, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, want, faulty := t.TempDir(), map[uint64]string{}, &faultyDisk{}
			o := quick()
			o.disk = faulty
			s := mustOpen(t, dir, o)
			if !tt.fresh {
				want[mustAppend(t, s, "before")] = "before"
			}
			tt.fault(faulty)
			if _, err := s.Append(t.Context(), []byte("doomed")); err == nil || !errors.Is(err, tt.want) && tt.want != nil || errors.Is(err, ErrFull) != tt.full {
				t.Fatalf("append: %v; want %v, full %v", err, tt.want, tt.full)
			}
			if st := s.Stats(); st.Failed != 1 || st.Full != tt.full || st.Records != len(want) {
				t.Errorf("stats %+v", st)
			}
			wantContent(t, s, want)
			faulty.truncate, faulty.remove = nil, nil
			for _, data := range []string{"after", "and on"} {
				want[mustAppend(t, s, data)] = data
			}
			if st := s.Stats(); st.Full {
				t.Errorf("still full: %+v", st)
			}
			wantContent(t, s, want)
			crashed := copyFolder(t, dir)
			mustClose(t, s)
			for _, dir := range []string{dir, crashed} {
				s = mustOpen(t, dir, quick())
				got := content(t, s)
				mustClose(t, s)
				wantSurvivors(t, got, want, tt.surface)
			}
		})
	}
}

// wantSurvivors checks got against want; one more record, the doomed one, is
// allowed when surface is set.
func wantSurvivors(t *testing.T, got, want map[uint64]string, surface bool) {
	t.Helper()
	for seq, data := range want {
		if got[seq] != data {
			t.Errorf("record %d is %q; want %q", seq, got[seq], data)
		}
	}
	for seq, data := range got {
		if want[seq] == "" && !(surface && data == "doomed") {
			t.Errorf("record %d, %q, came from nowhere", seq, data)
		}
	}
}

// TestNothingIsWrittenOverAFailedFsync: the file that failed is left alone.
func TestNothingIsWrittenOverAFailedFsync(t *testing.T) {
	faulty := &faultyDisk{}
	o := quick()
	o.disk = faulty
	s := mustOpen(t, t.TempDir(), o)
	mustAppend(t, s, "one")
	faulty.sync = syscall.EIO
	if _, err := s.Append(t.Context(), []byte("two")); err == nil {
		t.Fatal("failed fsync was not reported")
	}
	if seq := mustAppend(t, s, "three"); seq != 3 {
		t.Errorf("sequence %d; want 3, for 2 is used up", seq)
	}
	if st := s.Stats(); st.Segments != 2 {
		t.Errorf("%d segments; want a new one after the failure", st.Segments)
	}
	mustClose(t, s)
}

func TestFullDiskDoesNotKeepReleasesFromFreeingIt(t *testing.T) {
	dir := t.TempDir()
	o := small()
	s := mustOpen(t, dir, o)
	for range 20 {
		mustAppend(t, s, strings.Repeat("x", 300))
	}
	mustClose(t, s)

	var events []Event
	faulty := &faultyDisk{remove: syscall.EBUSY}
	o.disk, o.OnEvent = faulty, func(e Event) { events = append(events, e) }
	s = mustOpen(t, dir, o)
	if err := s.ReleaseRange(1, 12); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("release with a failing removal: %v", err)
	}
	if got := content(t, s); len(got) != 8 {
		t.Errorf("%d records to deliver; want the 8 not released", len(got))
	}
	before := s.Stats().Bytes
	faulty.remove = nil
	mustAppend(t, s, "x") // the committer tries again
	mustClose(t, s)
	if st := s.Stats(); st.Bytes >= before || st.Segments != 2 || len(events) != 0 {
		t.Errorf("stats %+v, events %v; want the segment gone", st, events)
	}
}

func TestReadErrorIsReportedAndNotTakenForDamage(t *testing.T) {
	faulty := &faultyDisk{}
	o := quick()
	o.disk = faulty
	s := mustOpen(t, t.TempDir(), o)
	mustAppend(t, s, "one")
	r := s.Reader(0)
	faulty.mu.Lock()
	faulty.read = syscall.EIO
	faulty.mu.Unlock()
	if _, err := r.Next(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("next: %v; want EIO", err)
	}
	faulty.mu.Lock()
	faulty.read = nil
	faulty.mu.Unlock()
	if rec, err := r.Next(t.Context()); err != nil || string(rec.Data) != "one" {
		t.Errorf("next: %+v, %v", rec, err)
	}
	if st := s.Stats(); st.Damaged != 0 || st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, s)
}

// TestUnsavedStateKeepsTheNewestSegment: while the state cannot be saved, only
// the newest segment tells the next sequence, so it alone must stay.
func TestUnsavedStateKeepsTheNewestSegment(t *testing.T) {
	d := newDamagedSpool(t)
	s := mustOpen(t, d.dir, quick())
	state := filepath.Join(d.dir, stateName)
	d.must(os.Remove(state))
	d.must(os.MkdirAll(filepath.Join(state, "in the way"), 0o700))
	if err := s.ReleaseRange(1, 30); err == nil {
		t.Error("a state that cannot be saved was not reported")
	}
	if st := s.Stats(); st.Segments != 1 || st.Records != 0 {
		t.Errorf("stats %+v; want the newest segment only", st)
	}
	d.must(os.RemoveAll(state))
	crashed := copyFolder(t, d.dir)
	mustClose(t, s)
	s = mustOpen(t, crashed, quick())
	if seq := mustAppend(t, s, "x"); seq != 31+1<<32 {
		t.Errorf("sequence %d; want 2^32 above 31, for the state is lost", seq)
	}
	mustClose(t, s)
}

// TestFullDiskIsEmptiedToTheLastSegment: the disk takes not one more byte, all
// records are released, and the room of the last segment must come back.
func TestFullDiskIsEmptiedToTheLastSegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	reserve := filepath.Join(dir, reserveName)
	full := false
	o := quick()
	o.writeState = func(path string, data []byte, perm os.FileMode) error {
		if _, err := os.Stat(reserve); full && err == nil {
			return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return durable.WriteFile(path, data, perm)
	}
	disk := &faultyDisk{}
	o.disk = disk
	s := mustOpen(t, dir, o)
	last := mustAppend(t, s, "one")
	full = true
	disk.write = syscall.ENOSPC
	if _, err := s.Append(t.Context(), []byte("two")); !errors.Is(err, ErrFull) {
		t.Fatalf("append on a full disk: %v", err)
	}
	if err := s.Release(last); err != nil {
		t.Errorf("release: %v", err)
	}
	if st := s.Stats(); st.Segments != 0 || st.Records != 0 {
		t.Errorf("stats %+v; want no segment", st)
	}
	full = false
	if seq := mustAppend(t, s, "three"); seq <= last {
		t.Errorf("sequence %d after %d", seq, last)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	if info, err := os.Stat(reserve); err != nil || info.Size() != reserveSize {
		t.Errorf("the reserve is not made anew: %v", err)
	}
	mustClose(t, s)
}
