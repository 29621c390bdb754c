package spool

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// look inspects dir and returns what waits.
func look(t *testing.T, dir string, d disk) (*Inspection, map[uint64]string) {
	t.Helper()
	got := map[uint64]string{}
	in, err := inspect(t.Context(), dir, d, func(r Inspected) error {
		if r.Waiting {
			got[r.Seq] = string(r.Data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, size := in.Waiting(); n != len(got) || size != sumOf(got) {
		t.Errorf("%d records of %d bytes wait; shown were %d of %d", n, size, len(got), sumOf(got))
	}
	return in, got
}

func sumOf(records map[uint64]string) (n int64) {
	for _, data := range records {
		n += int64(len(data))
	}
	return n
}

// snapshot reads all files of dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// A closed spool is shown as Open would find it, and nothing is changed.
func TestInspectShowsWhatWaits(t *testing.T) {
	dir, want := t.TempDir(), map[uint64]string{}
	o := small()
	o.Quota = 64 << 10
	s := mustOpen(t, dir, o)
	for i := range 60 {
		want[mustAppend(t, s, filler(i))] = filler(i)
	}
	for seq := uint64(2); seq < 40; seq += 3 {
		if err := s.Release(seq); err != nil {
			t.Fatal(err)
		}
		delete(want, seq)
	}
	mustClose(t, s)
	before := snapshot(t, dir)
	in, got := look(t, dir, osDisk{})
	if !maps.Equal(got, want) || !in.Sound() || in.State != "sound" || in.StateAt.IsZero() || in.Next != 61 {
		t.Errorf("%d records, want %d: %+v", len(got), len(want), in)
	}
	records := 0
	for _, g := range in.Segments {
		records += g.Records
		if g.Begun.IsZero() || g.Written.IsZero() || g.From+uint64(g.Records) != g.To+1 {
			t.Errorf("segment %+v", g)
		}
	}
	if records != 60 {
		t.Errorf("%d records in the segments, want 60", records)
	}
	if !maps.Equal(before, snapshot(t, dir)) {
		t.Error("looking changed the folder")
	}
	if _, err := Inspect(t.Context(), filepath.Join(dir, "nowhere"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent folder: %v", err)
	}
	enough := errors.New("enough")
	if _, err := Inspect(t.Context(), dir, func(Inspected) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a visitor's error: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ended, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// Damage is told with its place, and everything else is shown.
func TestInspectPastDamage(t *testing.T) {
	tests := map[string]struct {
		harm    func(t *testing.T, dir string, d *faultyDisk)
		lost    int // records that are not shown
		says    func(*Inspection) bool
		unsound bool
	}{
		"a flipped bit": {func(t *testing.T, dir string, _ *faultyDisk) {
			spoilByte(t, dir, segmentName(1), 1000)
		}, 1, func(in *Inspection) bool {
			d := in.Segments[0].Damage
			return len(d) == 1 && d[0].From == 3 && d[0].To == 3 && d[0].Waited == 1 && d[0].Offset == 876
		}, true},
		"a segment cut short": {func(t *testing.T, dir string, _ *faultyDisk) {
			if err := os.Truncate(filepath.Join(dir, segmentName(1)), 1000); err != nil {
				t.Fatal(err)
			}
		}, 7, func(in *Inspection) bool {
			return len(in.Missing) == 1 && in.Missing[0] == SequenceRange{3, 9} && in.Segments[0].Unfinished == 124
		}, true},
		"a segment gone": {func(t *testing.T, dir string, _ *faultyDisk) {
			if err := os.Remove(filepath.Join(dir, segmentName(10))); err != nil {
				t.Fatal(err)
			}
		}, 9, func(in *Inspection) bool {
			return len(in.Missing) == 1 && in.Missing[0] == SequenceRange{10, 18}
		}, true},
		"a header": {func(t *testing.T, dir string, _ *faultyDisk) {
			spoilByte(t, dir, segmentName(10), 5)
		}, 0, func(in *Inspection) bool {
			return in.Segments[1].Damage[0].Offset == 0 && in.Segments[1].Records == 9
		}, true},
		"the state": {func(t *testing.T, dir string, _ *faultyDisk) {
			spoilByte(t, dir, stateName, 20)
		}, 0, func(in *Inspection) bool { return in.State == "damaged" }, true},
		"no state": {func(t *testing.T, dir string, _ *faultyDisk) {
			if err := os.Remove(filepath.Join(dir, stateName)); err != nil {
				t.Fatal(err)
			}
		}, 0, func(in *Inspection) bool { return in.State == "absent" }, false},
		"an unreadable block": {func(t *testing.T, dir string, d *faultyDisk) {
			d.spoil(segmentName(10), 0, 4096)
		}, 9, func(in *Inspection) bool {
			return in.Segments[1].Damage[0].Problem != ""
		}, true},
		"a file that does not open": {func(t *testing.T, dir string, d *faultyDisk) {
			if err := os.Remove(filepath.Join(dir, segmentName(10))); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("itself", filepath.Join(dir, "itself")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("itself", filepath.Join(dir, segmentName(10))); err != nil {
				t.Fatal(err)
			}
		}, 9, func(in *Inspection) bool { return len(in.Faults) > 0 }, true},
		"a segment of another spool": {func(t *testing.T, dir string, _ *faultyDisk) {
			other := header{epoch: 7, first: 100, created: time.Now()}
			buf := appendRecord(other.encode(), []byte("foreign"))
			number(buf[segmentHeader:], 100)
			if err := os.WriteFile(filepath.Join(dir, segmentName(100)), buf, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 0, func(in *Inspection) bool {
			g := in.Segments[len(in.Segments)-1]
			return g.Foreign && g.Records == 1 && g.Waiting == 0
		}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, want, faulty := t.TempDir(), map[uint64]string{}, &faultyDisk{}
			o := small()
			o.Quota = 64 << 10
			s := mustOpen(t, dir, o)
			for i := range 30 {
				want[mustAppend(t, s, filler(i))] = filler(i)
			}
			mustClose(t, s)
			tt.harm(t, dir, faulty)
			before := 0
			if entries, err := os.ReadDir(dir); err == nil {
				before = len(entries)
			}
			in, got := look(t, dir, faulty)
			for seq, data := range got {
				if want[seq] != data {
					t.Errorf("record %d is %.6q", seq, data)
				}
			}
			if len(want)-len(got) != tt.lost || !tt.says(in) || in.Sound() == tt.unsound {
				t.Errorf("%d records not shown, want %d; sound %v: %+v", len(want)-len(got), tt.lost, in.Sound(), in)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != before {
				t.Errorf("%d files after the look, %d before", len(entries), before)
			}
		})
	}
}

func spoilByte(t *testing.T, dir, name string, at int) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x40
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A spool in use is never called damaged, and everything that is durable and not
// released is shown.
func TestInspectWhileRunning(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentBytes: 16 << 10, Quota: 128 << 10, CommitRecords: 4, CommitEvery: time.Millisecond, StateEvery: time.Millisecond}
	s := mustOpen(t, dir, o)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	held := mustAppend(t, s, "never released")
	work.Go(func() {
		rng := rand.New(rand.NewPCG(3, 4))
		for ctx.Err() == nil {
			seq, err := s.Append(t.Context(), []byte(strings.Repeat("x", 1+rng.IntN(3000))))
			if err == nil {
				err = s.Release(seq)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 60 {
		in, got := look(t, dir, osDisk{})
		if !in.Sound() || got[held] != "never released" {
			t.Errorf("sound %v, held record %q: %+v", in.Sound(), got[held], in)
			break
		}
	}
	cancel()
	work.Wait()
	mustClose(t, s)
}

func TestExportRoundTrip(t *testing.T) {
	sections := []Section{
		{Name: "readings", Epoch: 1 << 63, At: time.UnixMilli(1_800_000_000_123)},
		{Name: "cards", Epoch: 5, At: time.UnixMilli(0)},
	}
	want := map[string]string{}
	var file bytes.Buffer
	e := NewExporter(&file)
	for _, s := range sections {
		if err := e.Begin(s); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			r := Record{uint64(10 * (i + 1)), []byte(s.Name + filler(i))}
			want[s.Name+string(rune('0'+i))] = string(r.Data)
			if err := e.Add(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	got := map[string]string{}
	n, err := ReadExport(bytes.NewReader(whole), func(s Section, r Record) error {
		if s != sections[0] && s != sections[1] {
			t.Errorf("section %+v", s)
		}
		got[s.Name+string(rune('0'+r.Seq/10-1))] = string(r.Data)
		return nil
	})
	if err != nil || n != 6 || !maps.Equal(got, want) {
		t.Errorf("%d records, %v: %v", n, err, got)
	}
	ignore := func(Section, Record) error { return nil }
	for cut := range whole {
		if _, err := ReadExport(bytes.NewReader(whole[:cut]), ignore); !errors.Is(err, ErrExport) {
			t.Fatalf("cut to %d: %v", cut, err)
		}
	}
	if _, err := ReadExport(bytes.NewReader(append(bytes.Clone(whole), whole...)), ignore); !errors.Is(err, ErrExport) {
		t.Errorf("twice the file: %v", err)
	}
	for at := range whole {
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= 1
		if _, err := ReadExport(bytes.NewReader(spoilt), ignore); !errors.Is(err, ErrExport) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	e := NewExporter(&bytes.Buffer{})
	if err := e.Add(Record{1, []byte("x")}); err == nil {
		t.Error("a record without a section is taken")
	}
	for _, name := range []string{"", "Readings", "a/b", "seventeenletterss"} {
		if err := e.Begin(Section{Name: name}); err == nil {
			t.Errorf("section %q is taken", name)
		}
	}
	if err := e.Begin(Section{Name: "cards"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Add(Record{1, nil}); !errors.Is(err, ErrSize) {
		t.Errorf("an empty record: %v", err)
	}
	later := Section{Name: "cards"}.encode()
	later[4] = 2
	copy(later[40:], appendChecksum(later[:40]))
	if _, err := ReadExport(bytes.NewReader(later), nil); !errors.Is(err, ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
}

func appendChecksum(b []byte) []byte {
	c := checksum(b)
	return []byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)}
}
