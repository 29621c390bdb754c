package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// damagedSpool is three segments of ten records each (1-10, 11-20, 21-30), every
// record 100 bytes on the disk, for a test to damage.
type damagedSpool struct {
	t    *testing.T
	dir  string
	want map[uint64]string
}

func newDamagedSpool(t *testing.T) *damagedSpool {
	d := &damagedSpool{t, t.TempDir(), map[uint64]string{}}
	for segment := range 3 {
		s := mustOpen(t, d.dir, quick())
		for i := range 10 {
			data := fmt.Sprintf("%083d.", 10*segment+i)
			d.want[mustAppend(t, s, data)] = data
		}
		mustClose(t, s)
	}
	return d
}

func (d *damagedSpool) path(first uint64) string { return filepath.Join(d.dir, segmentName(first)) }

// edit replaces the content of the segment that begins with first.
func (d *damagedSpool) edit(first uint64, change func([]byte) []byte) {
	d.t.Helper()
	content, err := os.ReadFile(d.path(first))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(first), change(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// at is the offset of byte i of the n-th record of a segment, counted from 0.
func at(n, i int) int { return segmentHeader + 100*n + i }

func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[i] ^= 0x40; return b }
}

func cutTo(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func add(tail ...byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, tail...) }
}

// TestRecovery damages a spool in one way a row and says which records are gone,
// what is reported, and how much is set aside.
func TestRecovery(t *testing.T) {
	overwrite := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := from; i < to; i++ {
				b[i] = byte(i * 7)
			}
			return b
		}
	}
	tests := []struct {
		name   string
		damage func(d *damagedSpool)
		gone   []uint64
		kinds  []EventKind
		saved  int64 // bytes in .bad files
		next   uint64
	}{
		{"nothing", func(d *damagedSpool) {}, nil, nil, 0, 31},
		{"torn length", func(d *damagedSpool) { d.edit(21, cutTo(at(9, 3))) }, []uint64{30}, []EventKind{Torn, Missing}, 0, 31},
		{"torn body", func(d *damagedSpool) { d.edit(21, cutTo(at(9, 60))) }, []uint64{30}, []EventKind{Torn, Missing}, 0, 34},
		{"torn between records", func(d *damagedSpool) { d.edit(21, cutTo(at(9, 0))) }, []uint64{30}, []EventKind{Missing}, 0, 31},
		{"flipped byte in the last body", func(d *damagedSpool) { d.edit(21, flip(at(9, 50))) }, []uint64{30}, []EventKind{Damage, Missing}, 100, 36},
		{"flipped byte in the last checksum", func(d *damagedSpool) { d.edit(21, flip(at(9, 5))) }, []uint64{30}, []EventKind{Damage, Missing}, 100, 36},
		{"flipped byte in the last length", func(d *damagedSpool) { d.edit(21, flip(at(9, 2))) }, []uint64{30}, []EventKind{Damage, Missing}, 100, 36},
		{"flipped byte in a middle body", func(d *damagedSpool) { d.edit(11, flip(at(4, 50))) }, []uint64{15}, []EventKind{Damage}, 100, 31},
		{"flipped byte in a middle length", func(d *damagedSpool) { d.edit(11, flip(at(4, 0))) }, []uint64{15}, []EventKind{Damage}, 100, 31},
		{"flipped byte in a middle sequence", func(d *damagedSpool) { d.edit(11, flip(at(4, 8))) }, []uint64{15}, []EventKind{Damage}, 100, 31},
		{"two flipped bytes apart", func(d *damagedSpool) { d.edit(1, flip(at(0, 20))); d.edit(1, flip(at(5, 20))) }, []uint64{1, 6}, []EventKind{Damage, Damage}, 200, 31},
		{"stretch over four records", func(d *damagedSpool) { d.edit(11, overwrite(at(2, 90), at(5, 10))) }, []uint64{13, 14, 15, 16}, []EventKind{Damage}, 400, 31},
		{"bytes inserted", func(d *damagedSpool) {
			d.edit(11, func(b []byte) []byte { return slices.Insert(b, at(3, 0), 1, 2, 3, 4, 5) })
		}, nil, []EventKind{Damage}, 5, 31},
		{"record cut out of the middle", func(d *damagedSpool) {
			d.edit(11, func(b []byte) []byte { return slices.Delete(b, at(3, 0), at(4, 0)) })
		}, []uint64{14}, []EventKind{Damage}, 0, 31},
		{"zeros at the end", func(d *damagedSpool) { d.edit(21, add(make([]byte, 5000)...)) }, nil, []EventKind{Torn}, 0, 31 + 5000/17 + 1},
		{"garbage at the end", func(d *damagedSpool) { d.edit(21, add(bytes.Repeat([]byte{0xFF}, 50)...)) }, nil, []EventKind{Damage}, 50, 31 + 2 + 1},
		{"end of a middle segment damaged", func(d *damagedSpool) { d.edit(11, flip(at(9, 30))) }, []uint64{20}, []EventKind{Damage, Missing}, 100, 31},
		{"missing middle segment", func(d *damagedSpool) { d.remove(11) }, []uint64{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, []EventKind{Missing}, 0, 31},
		{"missing last segment", func(d *damagedSpool) { d.remove(21) }, []uint64{21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, []EventKind{Missing}, 0, 31},
		{"damaged header", func(d *damagedSpool) { d.edit(11, flip(20)) }, nil, []EventKind{Damage}, 36, 31},
		{"damaged header of the first", func(d *damagedSpool) { d.edit(1, overwrite(0, 36)) }, nil, []EventKind{Damage}, 36, 31},
		{"header cut away", func(d *damagedSpool) { d.edit(11, func(b []byte) []byte { return b[36:] }) }, nil, nil, 0, 31},
		{"truncated header", func(d *damagedSpool) { d.edit(21, cutTo(20)) }, []uint64{21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, []EventKind{Damage, Missing}, 20, 31},
		{"segment of no bytes", func(d *damagedSpool) { d.write(31, nil) }, nil, nil, 0, 31},
		{"segment with a header only", func(d *damagedSpool) { d.write(31, d.headerOf(31)) }, nil, nil, 0, 31},
		{"segment of another spool", func(d *damagedSpool) { d.write(31, header{epoch: 5, first: 31}.encode()) }, nil, []EventKind{Foreign}, 36, 31},
		{"segment under a wrong name", func(d *damagedSpool) { d.rename(21, 25) }, []uint64{21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, []EventKind{Foreign, Missing}, 1036, 31},
		{"old record repeated behind the end", func(d *damagedSpool) {
			d.edit(21, func(b []byte) []byte { return append(b, b[at(3, 0):at(4, 0)]...) })
		}, nil, []EventKind{Damage}, 100, 31 + 100/17 + 1},
		{"record far ahead", func(d *damagedSpool) { d.edit(21, add(record(1<<60, "far")...)) }, nil, []EventKind{Damage}, 19, 33},
		{"state lost", func(d *damagedSpool) { os.Remove(filepath.Join(d.dir, stateName)) }, nil, nil, 0, 31 + 1<<32},
		{"state damaged", func(d *damagedSpool) { d.editState(flip(10)) }, nil, []EventKind{StateDamage}, 80 - 32, 31 + 1<<32},
		{"state cut", func(d *damagedSpool) { d.editState(cutTo(7)) }, nil, []EventKind{StateDamage}, 7, 31 + 1<<32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDamagedSpool(t)
			tt.damage(d)
			for _, seq := range tt.gone {
				delete(d.want, seq)
			}
			var events []Event
			s := mustOpen(t, d.dir, Options{CommitRecords: 1, OnEvent: func(e Event) { events = append(events, e) }})
			wantContent(t, s, d.want)
			d.wantEvents(events, tt.kinds, len(tt.gone))
			if saved := d.saved(); saved != tt.saved {
				t.Errorf("%d bytes set aside; want %d", saved, tt.saved)
			}
			if seq := mustAppend(t, s, "goes on"); seq != tt.next {
				t.Errorf("next sequence is %d; want %d", seq, tt.next)
			}
			d.want[tt.next] = "goes on"
			mustClose(t, s)

			s = mustOpen(t, d.dir, quick())
			wantContent(t, s, d.want)
			if saved := d.saved(); saved != tt.saved {
				t.Errorf("second Open: %d bytes set aside; want still %d", saved, tt.saved)
			}
			mustClose(t, s)
		})
	}
}

func record(seq uint64, data string) []byte {
	b := appendRecord(nil, []byte(data))
	number(b, seq)
	return b
}

func (d *damagedSpool) remove(first uint64) { d.must(os.Remove(d.path(first))) }

func (d *damagedSpool) rename(from, to uint64) { d.must(os.Rename(d.path(from), d.path(to))) }

func (d *damagedSpool) write(first uint64, content []byte) {
	d.must(os.WriteFile(d.path(first), content, 0o600))
}

func (d *damagedSpool) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// headerOf is a header as the spool itself would write it.
func (d *damagedSpool) headerOf(first uint64) []byte {
	content, err := os.ReadFile(d.path(1))
	d.must(err)
	return header{epoch: binary.LittleEndian.Uint64(content[8:]), first: first}.encode()
}

func (d *damagedSpool) editState(change func([]byte) []byte) {
	path := filepath.Join(d.dir, stateName)
	content, err := os.ReadFile(path)
	d.must(err)
	d.must(os.WriteFile(path, change(content), 0o600))
}

// saved is the size of all files set aside.
func (d *damagedSpool) saved() (sum int64) {
	paths, err := filepath.Glob(filepath.Join(d.dir, "*"+badSuffix))
	d.must(err)
	for _, path := range paths {
		info, err := os.Stat(path)
		d.must(err)
		sum += info.Size()
	}
	return sum
}

func (d *damagedSpool) wantEvents(events []Event, kinds []EventKind, lost int) {
	d.t.Helper()
	var got []EventKind
	sum := 0
	for _, e := range events {
		got = append(got, e.Kind)
		sum += int(e.Lost)
		if e.Err != nil {
			d.t.Errorf("event %v", e)
		}
	}
	if !slices.Equal(got, kinds) || sum != lost {
		d.t.Errorf("events %v with %d lost; want %v with %d", events, sum, kinds, lost)
	}
}

func TestReleasesSurviveReopenAndCrash(t *testing.T) {
	d := newDamagedSpool(t)
	s := mustOpen(t, d.dir, quick())
	for _, seq := range []uint64{2, 3, 15, 30} {
		if err := s.Release(seq); err != nil {
			t.Fatal(err)
		}
		delete(d.want, seq)
	}
	mustClose(t, s)
	s = mustOpen(t, d.dir, quick())
	wantContent(t, s, d.want)
	if err := s.ReleaseRange(11, 20); err != nil { // the segment goes at once
		t.Fatal(err)
	}
	maps.DeleteFunc(d.want, func(seq uint64, _ string) bool { return seq >= 11 && seq <= 20 })
	copied := copyFolder(t, d.dir) // what a crash here leaves
	mustClose(t, s)
	s = mustOpen(t, copied, Options{OnEvent: func(e Event) { t.Errorf("event %v", e) }})
	wantContent(t, s, d.want)
	mustClose(t, s)
}

func copyFolder(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestNewerVersionIsRefusedNotRepaired(t *testing.T) {
	for _, name := range []string{segmentName(21), stateName} {
		d := newDamagedSpool(t)
		path := filepath.Join(d.dir, name)
		content, err := os.ReadFile(path)
		d.must(err)
		content[4] = 2
		end := len(content) - 4
		if name != stateName {
			end = 32
		}
		binary.LittleEndian.PutUint32(content[end:], checksum(content[:end]))
		d.must(os.WriteFile(path, content, 0o600))
		if _, err := Open(d.dir, quick()); !errors.Is(err, ErrVersion) {
			t.Errorf("%s of version 2: %v; want ErrVersion", name, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

// TestDamageWhileOpen flips a byte under a running spool: the reader passes over
// the record, reports it once, and goes on.
func TestDamageWhileOpen(t *testing.T) {
	for _, where := range []int{0, 5, 8, 50} { // length, checksum, sequence, body
		d := newDamagedSpool(t)
		var events []Event
		s := mustOpen(t, d.dir, Options{CommitRecords: 1, OnEvent: func(e Event) { events = append(events, e) }})
		d.edit(11, flip(at(4, where)))
		d.edit(21, flip(at(9, where)))
		delete(d.want, 15)
		delete(d.want, 30)
		for range 2 {
			wantContent(t, s, d.want)
		}
		d.wantEvents(events, []EventKind{Damage, Damage}, 2)
		if st := s.Stats(); d.saved() != 200 || st.Lost != 2 || st.Damaged != 2 || st.DamagedSize != 200 || st.Records != 28 {
			t.Errorf("byte %d: stats %+v, %d bytes saved", where, st, d.saved())
		}
		mustClose(t, s)
	}
}

func TestStateKeepsManyRangesCoarsely(t *testing.T) {
	st := state{epoch: 1, next: 20000}
	for seq := uint64(1); seq < 20000; seq += 2 {
		st.add(span{seq, seq})
	}
	got, err := decodeState(st.encode())
	if err != nil || len(got.live) != maxRanges || !got.coarse || got.live[maxRanges-1] != (span{8191, 19999}) {
		t.Errorf("%d ranges, coarse %v, %v", len(got.live), got.coarse, err)
	}
}

// TestCoarseRangeReportsNothingMissing: what a coarse range covers may have been
// released, so its absence is no loss.
func TestCoarseRangeReportsNothingMissing(t *testing.T) {
	dir := t.TempDir()
	st := state{epoch: 1, next: 100, live: []span{{5, 6}, {10, 50}}, coarse: true}
	if err := os.WriteFile(filepath.Join(dir, stateName), st.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	var events []Event
	s := mustOpen(t, dir, Options{OnEvent: func(e Event) { events = append(events, e) }})
	if len(events) != 1 || events[0].Kind != Missing || events[0].From != 5 || events[0].To != 6 {
		t.Errorf("events %v; want only 5 to 6 missing", events)
	}
	mustClose(t, s)
}
