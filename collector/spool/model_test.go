package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestModel runs random operations against the spool and a map side by side.
func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { runModel(t, seed) })
	}
}

func runModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	dir, model := t.TempDir(), map[uint64]string{}
	o := Options{SegmentBytes: 4 << 10, Quota: 40 << 10, CommitRecords: 1 + rng.IntN(4), CommitEvery: 1, StateEvery: 1}
	o.OnEvent = func(e Event) { t.Errorf("event %v", e) }
	s := mustOpen(t, dir, o)
	reader, position := s.Reader(0), uint64(0)
	highest := uint64(0)
	for range 400 {
		switch op := rng.IntN(100); {
		case op < 45:
			data := strings.Repeat(string(rune('a'+rng.IntN(26))), 1+rng.IntN(600))
			seq, err := s.Append(t.Context(), []byte(data))
			if errors.Is(err, ErrFull) {
				if st := s.Stats(); st.Bytes+int64(len(data))+recordHeader+2*segmentHeader <= st.Quota {
					t.Fatalf("refused %d bytes at %+v", len(data), st)
				}
				continue
			}
			if err != nil || seq <= highest {
				t.Fatalf("append: %d, %v after %d", seq, err, highest)
			}
			highest, model[seq] = seq, data
		case op < 60:
			mustRelease(t, s, model, 1+rng.Uint64N(highest+1), 0)
		case op < 68:
			mustRelease(t, s, model, 1+rng.Uint64N(highest+1), rng.Uint64N(30))
		case op < 85:
			position = wantFollowing(t, reader, position, model)
		case op < 90:
			position = rng.Uint64N(highest + 2)
			reader.Seek(position)
		case op < 96:
			wantContent(t, s, model)
		default:
			if err := errors.Join(reader.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, o)
			reader = s.Reader(position)
		}
		if st := s.Stats(); st.Records != len(model) || st.Bytes > st.Quota {
			t.Fatalf("stats %+v; want %d records", st, len(model))
		}
	}
	if err := errors.Join(reader.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func mustRelease(t *testing.T, s *Spool, model map[uint64]string, first, more uint64) {
	t.Helper()
	var err error
	if more == 0 {
		err = s.Release(first)
	} else {
		err = s.ReleaseRange(first, first+more)
	}
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(model, func(seq uint64, _ string) bool { return seq >= first && seq <= first+more })
}

// wantFollowing reads one record at or behind position, if the model has one, and
// returns the position behind it.
func wantFollowing(t *testing.T, r *Reader, position uint64, model map[uint64]string) uint64 {
	t.Helper()
	for _, seq := range slices.Sorted(maps.Keys(model)) {
		if seq < position {
			continue
		}
		rec, err := r.Next(t.Context())
		if err != nil || rec.Seq != seq || string(rec.Data) != model[seq] {
			t.Fatalf("next is %d, %v; want %d", rec.Seq, err, seq)
		}
		return seq + 1
	}
	if rec, wait, err := r.try(); wait == nil || err != nil {
		t.Fatalf("next is %d, %v; want nothing", rec.Seq, err)
	}
	return position
}

// TestConcurrentUse has appenders, two readers and releases at the same time.
func TestConcurrentUse(t *testing.T) {
	const appenders, each = 4, 300
	s := mustOpen(t, t.TempDir(), Options{SegmentBytes: 16 << 10, Quota: 64 << 10, CommitRecords: 8, CommitEvery: 1})
	ctx, cancel := context.WithCancel(t.Context())
	var appending, reading sync.WaitGroup
	for worker := range appenders {
		appending.Go(func() {
			for n := range each {
				for { // a full spool empties as the first reader releases
					_, err := s.Append(ctx, fmt.Appendf(nil, "%d/%d %0200d", worker, n, 0))
					if err == nil {
						break
					}
					if !errors.Is(err, ErrFull) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	reading.Go(func() { // a second reader, which may miss what is released before
		r := s.Reader(0)
		for {
			if _, err := r.Next(ctx); err != nil {
				if err := r.Close(); err != nil || ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			s.Stats()
		}
	})
	seen := map[string]bool{}
	r := s.Reader(0)
	for range appenders * each {
		rec, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(rec.Data)] = true
		if err := s.Release(rec.Seq); err != nil {
			t.Fatal(err)
		}
	}
	appending.Wait()
	cancel()
	reading.Wait()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); len(seen) != appenders*each || st.Records != 0 || st.Damaged != 0 {
		t.Errorf("%d different records, stats %+v", len(seen), st)
	}
	mustClose(t, s)
}
