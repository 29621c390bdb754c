package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/internal/durable"
)

// quick commits each record at once.
func quick() Options { return Options{CommitRecords: 1} }

// small has segments of 4 KiB and room for four.
func small() Options {
	return Options{SegmentBytes: 4 << 10, Quota: 16 << 10, CommitRecords: 1}
}

func mustOpen(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, s *Spool, data string) uint64 {
	t.Helper()
	seq, err := s.Append(t.Context(), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// content reads all that is to be delivered.
func content(t testing.TB, s *Spool) map[uint64]string {
	t.Helper()
	got := map[uint64]string{}
	last := uint64(0)
	err := s.Scan(t.Context(), func(r Record) error {
		if r.Seq <= last {
			t.Errorf("sequence %d after %d", r.Seq, last)
		}
		last = r.Seq
		got[r.Seq] = string(r.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantContent(t testing.TB, s *Spool, want map[uint64]string) {
	t.Helper()
	if got := content(t, s); !maps.Equal(got, want) {
		t.Errorf("spool holds %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func TestRecordsSurviveReopen(t *testing.T) {
	dir := t.TempDir()
	want := map[uint64]string{}
	var epoch uint64
	for round := range 4 {
		s := mustOpen(t, dir, quick())
		wantContent(t, s, want)
		for i := range 3 {
			data := fmt.Sprintf("round %d record %d", round, i)
			want[mustAppend(t, s, data)] = data
		}
		st := s.Stats()
		if round > 0 && st.Epoch != epoch {
			t.Errorf("epoch changed from %x to %x", epoch, st.Epoch)
		}
		epoch = st.Epoch
		if st.Records != len(want) || st.OldestSeq != 1 || st.Next != uint64(len(want)+1) {
			t.Errorf("stats %+v after %d records", st, len(want))
		}
		mustClose(t, s)
	}
}

func TestSequenceGoesOnAfterEverythingWasReleased(t *testing.T) {
	dir := t.TempDir()
	for round := range uint64(3) {
		s := mustOpen(t, dir, quick())
		if seq := mustAppend(t, s, "x"); seq != round+1 {
			t.Fatalf("sequence %d in round %d", seq, round)
		}
		if err := s.Release(round + 1); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
	}
	s := mustOpen(t, dir, quick())
	defer mustClose(t, s)
	if st := s.Stats(); st.Segments != 0 || st.Bytes != 0 || st.Next != 4 {
		t.Errorf("stats %+v; want no segment and next 4", st)
	}
}

func TestCommitWindow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, dir, Options{CommitEvery: 100 * time.Millisecond, CommitRecords: 3})
		begun := time.Now()
		mustAppend(t, s, "alone")
		if took := time.Since(begun); took != 100*time.Millisecond {
			t.Errorf("a single append took %v; want the commit window of 100ms", took)
		}
		var last Pending
		for range 3 {
			p, err := s.AppendAsync(t.Context(), []byte("one of three"))
			if err != nil {
				t.Fatal(err)
			}
			last = p
		}
		begun = time.Now()
		if seq, err := last.Wait(t.Context()); err != nil || seq != 4 {
			t.Errorf("wait: %d, %v; want 4", seq, err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("a full batch waited %v", took)
		}
		if st := s.Stats(); st.Fsyncs != 2 || st.Committed != 4 {
			t.Errorf("%d fsyncs for %d records; want 2 for 4", st.Fsyncs, st.Committed)
		}
		p, err := s.AppendAsync(t.Context(), []byte("committed by Close"))
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		if seq, err := p.Wait(t.Context()); err != nil || seq != 5 {
			t.Errorf("after Close: %d, %v; want 5", seq, err)
		}
	})
}

func TestReleasesAreSavedAtABoundedRate(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, dir, Options{CommitRecords: 1, StateEvery: 5 * time.Second})
		before, _ := os.ReadFile(filepath.Join(dir, stateName))
		for range 10 {
			if err := s.Release(mustAppend(t, s, "x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(400 * time.Millisecond) // of the bubble's clock
		}
		early, _ := os.ReadFile(filepath.Join(dir, stateName))
		time.Sleep(time.Second)
		synctest.Wait()
		s.disk.Lock() // a save under way ends
		late, _ := os.ReadFile(filepath.Join(dir, stateName))
		s.disk.Unlock()
		if !bytes.Equal(before, early) || bytes.Equal(early, late) {
			t.Errorf("state unchanged after 4s: %v (want true), after 5s: %v (want false)",
				bytes.Equal(before, early), bytes.Equal(early, late))
		}
		mustClose(t, s)
	})
}

func TestReaderWaitsSeeksAndSkipsReleased(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, dir, quick())
		r := s.Reader(0)
		got := make(chan Record, 1)
		go func() {
			rec, err := r.Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- rec
		}()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("a record out of an empty spool")
		}
		mustAppend(t, s, "one")
		if rec := <-got; rec.Seq != 1 || string(rec.Data) != "one" {
			t.Fatalf("got %+v", rec)
		}
		for i := range 5 {
			mustAppend(t, s, fmt.Sprint("more ", i)) // 2..6
		}
		if err := s.Release(2, 4, 99, 4); err != nil {
			t.Fatal(err)
		}
		wantNext(t, r, 3, 5, 6)
		r.Seek(1)
		wantNext(t, r, 1, 3)
		r.Seek(6)
		wantNext(t, r, 6)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the end: %v; want the context's error", err)
		}
		cancel()
		ended := make(chan error, 1)
		go func() { _, err := r.Next(t.Context()); ended <- err }()
		synctest.Wait()
		mustClose(t, s)
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("reader of a closed spool: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func wantNext(t *testing.T, r *Reader, seqs ...uint64) {
	t.Helper()
	for _, want := range seqs {
		rec, err := r.Next(t.Context())
		if err != nil || rec.Seq != want {
			t.Fatalf("next is %d, %v; want %d", rec.Seq, err, want)
		}
	}
}

func TestQuotaRefusesAndReleaseGivesRoomBack(t *testing.T) {
	s := mustOpen(t, t.TempDir(), small())
	defer mustClose(t, s)
	data := string(make([]byte, 300))
	want := map[uint64]string{}
	fill := func() {
		for {
			seq, err := s.Append(t.Context(), []byte(data))
			if errors.Is(err, ErrFull) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want[seq] = data
		}
	}
	fill()
	full := s.Stats()
	if !full.Full || full.Bytes > full.Quota || full.Bytes < full.Quota-500 || full.Segments != 5 {
		t.Errorf("at the quota: %+v", full)
	}
	wantContent(t, s, want) // nothing older was dropped
	// The second segment alone, last record first.
	for seq := uint64(24); seq > 12; seq-- {
		if err := s.Release(seq); err != nil {
			t.Fatal(err)
		}
		delete(want, seq)
	}
	if st := s.Stats(); st.Segments != 4 || st.Full || full.Bytes-st.Bytes < 3000 {
		t.Errorf("after the release: %+v; want the room of one segment back", st)
	}
	fill()
	wantContent(t, s, want)
	if err := s.ReleaseRange(0, s.Stats().Next); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Records != 0 || st.Segments > 1 || st.Released != st.Committed {
		t.Errorf("after releasing all: %+v", st)
	}
	mustAppend(t, s, string(make([]byte, s.opts.maxRecord())))
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, quick())
	for _, size := range []int{0, MaxRecord + 1} {
		if _, err := s.Append(t.Context(), make([]byte, size)); !errors.Is(err, ErrSize) {
			t.Errorf("append of %d bytes: %v; want ErrSize", size, err)
		}
	}
	big := string(bytes.Repeat([]byte{7}, MaxRecord))
	mustAppend(t, s, big)
	wantContent(t, s, map[uint64]string{1: big})
	if _, err := Open(dir, quick()); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("second Open: %v; want ErrLocked", err)
	}
	mustClose(t, s)
	if _, err := s.Append(t.Context(), []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("append after Close: %v", err)
	}
	if err := s.Release(1); !errors.Is(err, ErrClosed) {
		t.Errorf("release after Close: %v", err)
	}
	mustClose(t, s)
	for name, o := range map[string]Options{
		"segment too small": {SegmentBytes: 100},
		"segment too large": {SegmentBytes: 2 << 30},
		"quota too small":   {SegmentBytes: 8 << 20, Quota: 9 << 20},
		"negative window":   {CommitEvery: -1},
	} {
		if _, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAppendersWaitForASlowDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		faulty := &faultyDisk{}
		s := mustOpen(t, dir, Options{SegmentBytes: 4 << 10, CommitBytes: 512, disk: faulty})
		faulty.stall = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		accepted := 0
		var err error
		for ; err == nil; accepted++ {
			_, err = s.AppendAsync(ctx, make([]byte, 84))
		}
		// 2048 bytes wait behind a batch that fills within its window.
		if !errors.Is(err, context.DeadlineExceeded) || accepted < 20 || accepted > 45 {
			t.Errorf("%d accepted, then %v", accepted, err)
		}
		close(faulty.stall)
		mustClose(t, s)
	})
}
