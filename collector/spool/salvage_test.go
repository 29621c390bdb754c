package spool

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// newWideSpool is two segments of 30 records (1-30, 31-60), every record 1016
// bytes on the disk, so that each segment is seven blocks of 4 KiB and a part.
func newWideSpool(t *testing.T) *damagedSpool {
	d := &damagedSpool{t, t.TempDir(), map[uint64]string{}}
	for range 2 {
		s := mustOpen(t, d.dir, quick())
		for range 30 {
			data := fmt.Sprintf("%01000d", len(d.want))
			d.want[mustAppend(t, s, data)] = data
		}
		mustClose(t, s)
	}
	return d
}

// TestUnreadableSector makes a few bytes of one segment unreadable, before Open
// or behind it: only the records of their block are lost, and the events name
// them.
func TestUnreadableSector(t *testing.T) {
	tests := []struct {
		name     string
		first    uint64 // of the segment
		from, to int64
		lost     span
		tail     bool // at Open the end of the segment is damaged
	}{
		{"middle", 1, 8292, 8804, span{9, 13}, false},
		{"header", 31, 0, 100, span{31, 34}, false},
		{"two blocks", 1, 12287, 12289, span{9, 17}, false},
		{"all but the last block", 1, 0, 28672, span{1, 29}, false},
		{"end", 31, 30000, 30516, span{59, 60}, true},
	}
	original := newWideSpool(t)
	for _, tt := range tests {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, running %v", tt.name, running), func(t *testing.T) {
				d := &damagedSpool{t, copyFolder(t, original.dir), maps.Clone(original.want)}
				faulty := &faultyDisk{}
				whole, err := os.ReadFile(d.path(tt.first))
				d.must(err)
				var events []Event
				o := Options{CommitRecords: 1, disk: faulty, OnEvent: func(e Event) { events = append(events, e) }}
				spoil := func() { faulty.spoil(segmentName(tt.first), tt.from, tt.to) }
				if !running {
					spoil()
				}
				s := mustOpen(t, d.dir, o)
				spoil()
				maps.DeleteFunc(d.want, func(seq uint64, _ string) bool { return seq >= tt.lost.first && seq <= tt.lost.last })
				for range 2 {
					wantContent(t, s, d.want)
				}
				wantUnread(t, events, tt.lost, tt.tail && !running)
				mustClose(t, s)
				s = mustOpen(t, d.dir, o)
				wantContent(t, s, d.want)
				if seq := mustAppend(t, s, "goes on"); seq < 61 {
					t.Errorf("sequence %d is given again", seq)
				}
				// What other tools may yet read is kept.
				d.must(s.ReleaseRange(tt.first, tt.first+29))
				mustClose(t, s)
				kept, err := os.ReadFile(d.path(tt.first) + badSuffix)
				if err != nil || !bytes.Equal(kept, whole) {
					t.Errorf("the segment was not kept whole: %d bytes, %v", len(kept), err)
				}
			})
		}
	}
}

// TestUnreadableStart: more than a read-ahead is unreadable at the start of a long
// segment, and no state vouches for the disk.
func TestUnreadableStart(t *testing.T) {
	for _, running := range []bool{false, true} {
		d, faulty := &damagedSpool{t, t.TempDir(), map[uint64]string{}}, &faultyDisk{}
		s := mustOpen(t, d.dir, Options{disk: faulty})
		for i := range 100 {
			data := fmt.Sprintf("%01484d", i) // 1500 bytes on the disk
			p, err := s.AppendAsync(t.Context(), []byte(data))
			d.must(err)
			if i == 99 {
				_, err = p.Wait(t.Context())
				d.must(err)
			}
			if i > 49 { // 36 + 1500 * 50 = 75036 is in the block of 73728 to 77824
				d.want[uint64(i+1)] = data
			}
		}
		delete(d.want, 51)
		delete(d.want, 52)
		faulty.spoil(segmentName(1), 0, 73729)
		if !running {
			mustClose(t, s)
			d.must(os.Remove(filepath.Join(d.dir, stateName)))
			s = mustOpen(t, d.dir, Options{disk: faulty})
		}
		wantContent(t, s, d.want)
		mustClose(t, s)
	}
}

// wantUnread checks that the events name the records in lost as damaged by a
// failed read, or, at a damaged tail, as missing.
func wantUnread(t *testing.T, events []Event, lost span, tail bool) {
	t.Helper()
	kinds := []EventKind{Damage}
	if tail {
		kinds = append(kinds, Missing)
	}
	var got []EventKind
	for _, e := range events {
		got = append(got, e.Kind)
	}
	if !slices.Equal(got, kinds) {
		t.Fatalf("events %v; want %v", events, kinds)
	}
	if e := events[0]; !errors.Is(e.Err, syscall.EIO) || e.Saved == "" {
		t.Errorf("event %v; want EIO and a copy", e)
	}
	if e := events[len(events)-1]; e.From != lost.first || e.To != lost.last || e.Lost != lost.last-lost.first+1 {
		t.Errorf("event %v; want %v", e, lost)
	}
}

// TestUnreadableSegment: a short segment can lie in a single sector. With a sound
// state the disk is known to work, so Open goes on without it; without one, Open
// refuses, for the disk may just be away.
func TestUnreadableSegment(t *testing.T) {
	d, faulty := newDamagedSpool(t), &faultyDisk{}
	o := Options{CommitRecords: 1, disk: faulty}
	faulty.spoil(segmentName(11), 0, 1036)
	stateless := copyFolder(t, d.dir)
	d.must(os.Remove(filepath.Join(stateless, stateName)))
	if _, err := Open(stateless, o); err != nil {
		t.Logf("without a state: %v", err)
	} else {
		t.Error("Open took a disk that gives nothing for damage")
	}
	var events []Event
	o.OnEvent = func(e Event) { events = append(events, e) }
	s := mustOpen(t, d.dir, o)
	maps.DeleteFunc(d.want, func(seq uint64, _ string) bool { return seq > 10 && seq < 21 })
	wantContent(t, s, d.want)
	wantUnread(t, events, span{11, 20}, true)
	mustClose(t, s)
}

// TestUnreadableState: the state is as good as damaged, and nothing is lost.
func TestUnreadableState(t *testing.T) {
	d, faulty := newDamagedSpool(t), &faultyDisk{}
	faulty.spoil(stateName, 0, 1)
	var events []Event
	s := mustOpen(t, d.dir, Options{CommitRecords: 1, disk: faulty, OnEvent: func(e Event) { events = append(events, e) }})
	wantContent(t, s, d.want)
	if len(events) != 1 || events[0].Kind != StateDamage || !errors.Is(events[0].Err, syscall.EIO) {
		t.Errorf("events %v; want the state damaged", events)
	}
	mustClose(t, s)
}

// TestLostStateGivesNoSequenceAgain: the segment with the highest sequence was
// released and removed, so only the state told that it was given.
func TestLostStateGivesNoSequenceAgain(t *testing.T) {
	for name, lose := range map[string]func(d *damagedSpool){
		"damaged": func(d *damagedSpool) { d.editState(flip(20)) },
		"absent":  func(d *damagedSpool) { d.must(os.Remove(filepath.Join(d.dir, stateName))) },
	} {
		d := newDamagedSpool(t)
		s := mustOpen(t, d.dir, quick())
		epoch := s.Stats().Epoch
		d.must(s.ReleaseRange(21, 30))
		mustClose(t, s)
		lose(d)
		s = mustOpen(t, d.dir, quick())
		if seq := mustAppend(t, s, "x"); seq != 21+1<<32 || s.Stats().Epoch != epoch {
			t.Errorf("%s: sequence %d, epoch %x after %x; want 2^32 above 21", name, seq, s.Stats().Epoch, epoch)
		}
		mustClose(t, s)
	}
}

// TestReleaseBetweenFindAndEnter releases a segment, and so removes its file,
// just as a reader is about to open it.
func TestReleaseBetweenFindAndEnter(t *testing.T) {
	d, faulty := newDamagedSpool(t), &faultyDisk{}
	s := mustOpen(t, d.dir, Options{CommitRecords: 1, disk: faulty})
	faulty.opening = func(path string) {
		faulty.opening = nil
		if path != d.path(1) {
			t.Errorf("opens %s", path)
		}
		d.must(s.ReleaseRange(1, 10))
	}
	r := s.Reader(0)
	wantNext(t, r, 11, 12)
	// A file that went by itself is not passed over in silence.
	d.remove(21)
	r.Seek(21)
	if _, err := r.Next(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("next in a segment that has vanished: %v", err)
	}
	d.must(r.Close())
	mustClose(t, s)
}

// TestQuotaCountsTheCommitUnderWay: what the committer has in hand is in no
// segment yet, and must not be promised a second time.
func TestQuotaCountsTheCommitUnderWay(t *testing.T) {
	faulty := &faultyDisk{}
	s := mustOpen(t, t.TempDir(), Options{SegmentBytes: 4 << 10, Quota: 8 << 10, CommitRecords: 1, disk: faulty})
	half := strings.Repeat("x", 2<<10) // half a segment, so each gets one of its own
	mustAppend(t, s, half)
	mustAppend(t, s, half)
	faulty.stall = make(chan struct{})
	third, err := s.AppendAsync(t.Context(), []byte(half))
	if err != nil {
		t.Fatal(err)
	}
	<-third.b.taken
	if _, err := s.AppendAsync(t.Context(), []byte(half)); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth beside the third: %v; want ErrFull", err)
	}
	close(faulty.stall)
	if _, err := third.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, s) // whatever was accepted is on the disk now
	if st := s.Stats(); st.Bytes > st.Quota || st.Records != 3 {
		t.Errorf("stats %+v; want Bytes never above Quota", st)
	}
}

// TestUnsavedReleasesAreNotCalledLost: segments were removed while the state
// could not be saved, then the power went.
func TestUnsavedReleasesAreNotCalledLost(t *testing.T) {
	d := newDamagedSpool(t)
	s := mustOpen(t, d.dir, quick())
	state := filepath.Join(d.dir, stateName)
	before, err := os.ReadFile(state)
	d.must(err)
	d.must(os.Remove(state))
	d.must(os.MkdirAll(filepath.Join(state, "in the way"), 0o700))
	if err := s.ReleaseRange(1, 10); err == nil {
		t.Error("a state that cannot be saved was not reported")
	}
	d.must(os.RemoveAll(state))
	d.must(os.WriteFile(state, before, 0o600))
	crashed := copyFolder(t, d.dir)
	mustClose(t, s)

	var events []Event
	s = mustOpen(t, crashed, Options{OnEvent: func(e Event) { events = append(events, e) }})
	mustClose(t, s)
	const want = "spool records missing, or released before a state that could not be saved, sequences 1 to 10, at most 10 records lost"
	if len(events) != 1 || events[0].String() != want {
		t.Errorf("events %v; want %q", events, want)
	}
}
