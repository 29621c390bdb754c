package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// notes is a taker of dropped records: what Options.Drop returned nil for.
type notes struct {
	mu   sync.Mutex
	told map[uint64]string
	why  map[uint64]Reason
	fail error
}

func newNotes() *notes { return &notes{told: map[uint64]string{}, why: map[uint64]Reason{}} }

func (n *notes) drop(d Drop) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	for r := range d.Records {
		n.told[r.Seq], n.why[r.Seq] = string(r.Data), d.Reason
	}
	return nil
}

func (n *notes) all() map[uint64]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.told)
}

// dropping is small, with the oldest dropped when it is full.
func dropping(n *notes) Options {
	o := small()
	o.DropWhenFull, o.Drop = true, n.drop
	return o
}

func filler(i int) string { return fmt.Sprintf("%04d%s", i, strings.Repeat(".", 400)) }

func TestFullSpoolDropsTheOldest(t *testing.T) {
	dir, n, want := t.TempDir(), newNotes(), map[uint64]string{}
	o := dropping(n)
	var events []Event
	o.OnEvent = func(e Event) { events = append(events, e) }
	s := mustOpen(t, dir, o)
	for i := range 100 {
		want[mustAppend(t, s, filler(i))] = filler(i)
		if st := s.Stats(); st.Bytes > st.Quota || st.Full {
			t.Fatalf("after %d: %+v", i, st)
		}
	}
	told := n.all()
	left := maps.Clone(want)
	for seq, data := range told {
		if want[seq] != data || n.why[seq] != DropFull {
			t.Errorf("told %d %.4q for %s", seq, data, n.why[seq])
		}
		delete(left, seq)
	}
	wantContent(t, s, left)
	newestTold, oldestLeft := slices.Max(slices.Collect(maps.Keys(told))), slices.Min(slices.Collect(maps.Keys(left)))
	if newestTold >= oldestLeft || len(left) < 18 {
		t.Errorf("told up to %d, left from %d: %d records", newestTold, oldestLeft, len(left))
	}
	st := s.Stats()
	if st.Dropped != uint64(len(told)) || st.Lost != 0 || st.Records != len(left) {
		t.Errorf("stats %+v; want %d dropped", st, len(told))
	}
	var sum uint64
	for _, e := range events {
		sum += e.Lost
		if e.Kind != Dropped || e.Reason != DropFull || !strings.Contains(e.String(), "for full: 9 records") {
			t.Errorf("event %v", e)
		}
	}
	if sum != st.Dropped {
		t.Errorf("events tell of %d dropped records, stats of %d", sum, st.Dropped)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, dropping(n))
	wantContent(t, s, left)
	mustClose(t, s)
}

// Without the choice nothing is dropped, and what a taker refuses is kept.
func TestNothingIsDroppedUntold(t *testing.T) {
	n := newNotes()
	n.fail = errors.New("the disk takes no notes")
	inattentive := func(d Drop) error {
		for range d.Records {
			break
		}
		return nil
	}
	tests := map[string]struct {
		edit func(*Options)
		also error
	}{
		"stop":            {func(o *Options) { o.DropWhenFull, o.Drop = false, nil }, ErrFull},
		"stop, age drops": {func(o *Options) { o.DropWhenFull = false }, ErrFull},
		"refused":         {func(o *Options) {}, n.fail},
		"not looked at":   {func(o *Options) { o.Drop = inattentive }, errUnfinished},
		"looked at none":  {func(o *Options) { o.Drop = func(Drop) error { return nil } }, errUnfinished},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := dropping(n)
			tt.edit(&o)
			s := mustOpen(t, t.TempDir(), o)
			want := map[uint64]string{}
			for i := range 100 {
				seq, err := s.Append(t.Context(), []byte(filler(i)))
				if err != nil {
					if !errors.Is(err, ErrFull) || !errors.Is(err, tt.also) {
						t.Fatalf("append: %v; want ErrFull and %v", err, tt.also)
					}
					break
				}
				want[seq] = filler(i)
			}
			if st := s.Stats(); len(want) == 100 || st.Dropped != 0 || !st.Full {
				t.Errorf("%d appended, %+v", len(want), st)
			}
			wantContent(t, s, want)
			mustClose(t, s)
		})
	}
}

func TestDropOptionsAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"drops and tells nobody": {DropWhenFull: true},
		"negative age":           {SegmentAge: -1},
	} {
		if s, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("%s: opened", name)
			mustClose(t, s)
		}
	}
	s := mustOpen(t, t.TempDir(), quick())
	if err := s.DropBefore(t.Context(), time.Now()); !errors.Is(err, errNoDrop) {
		t.Errorf("a spool that tells nobody drops what is old: %v", err)
	}
	mustClose(t, s)
	if err := s.DropBefore(t.Context(), time.Now()); err == nil {
		t.Error("a closed spool drops")
	}
}

// A record is dropped for its age when it is that old and its segment is, never
// sooner, also across a restart.
func TestDropBefore(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dir, n, began := t.TempDir(), newNotes(), map[uint64]time.Time{}
	o := quick()
	o.Drop, o.SegmentAge, o.Now = n.drop, time.Hour, func() time.Time { return clock }
	s := mustOpen(t, dir, o)
	const age = 24 * time.Hour
	check := func() {
		t.Helper()
		if err := s.DropBefore(t.Context(), clock.Add(-age)); err != nil {
			t.Fatal(err)
		}
		told := n.all()
		for seq := range told {
			if n.why[seq] != DropAge || clock.Sub(began[seq]) <= age {
				t.Fatalf("record %d of %s is dropped at %s for %q", seq, began[seq], clock, n.why[seq])
			}
		}
		for seq := range content(t, s) {
			if clock.Sub(began[seq]) > age+2*time.Hour || told[seq] != "" {
				t.Fatalf("record %d of %s is kept at %s (told %v)", seq, began[seq], clock, told[seq] != "")
			}
		}
	}
	for i := range 400 {
		seq := mustAppend(t, s, filler(i))
		began[seq] = clock
		check()
		clock = clock.Add(10 * time.Minute)
		if i == 120 || i == 250 {
			mustClose(t, s)
			s = mustOpen(t, dir, o)
		}
	}
	clock = clock.Add(age) // the active segment grows old with nothing new
	check()
	if st := s.Stats(); st.Records != 0 || st.Dropped == 0 {
		t.Errorf("stats %+v after a quiet day", st)
	}
	if len(n.told) != 400 {
		t.Errorf("%d of 400 records are told", len(n.told))
	}
	mustClose(t, s)
}

// A restored clock, or one that was set back, does not make a record look old.
func TestDropBeforeUnknownAge(t *testing.T) {
	clock := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dir, n := t.TempDir(), newNotes()
	o := quick()
	o.Drop, o.Now = n.drop, func() time.Time { return clock }
	s := mustOpen(t, dir, o)
	mustAppend(t, s, "first")
	clock = clock.Add(100 * time.Hour)
	mustAppend(t, s, "of today, in the same segment")
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	clock = clock.Add(time.Hour)
	if err := s.DropBefore(t.Context(), clock.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, s); len(got) != 2 || len(n.told) != 0 {
		t.Errorf("%d left, %d told; want 2, 0", len(got), len(n.told))
	}
	mustClose(t, s)
}

// Damage in what is dropped is reported as damage, and keeps nothing from going.
func TestDropPastDamage(t *testing.T) {
	n, faulty := newNotes(), &faultyDisk{}
	o := dropping(n)
	o.disk = faulty
	s := mustOpen(t, t.TempDir(), o)
	for i := range 18 {
		mustAppend(t, s, filler(i))
	}
	faulty.spoil(segmentName(1), 1000, 1100) // one block of the first segment: all of it
	for i := range 50 {
		mustAppend(t, s, filler(100+i))
	}
	st := s.Stats()
	if st.Lost == 0 || st.Dropped == 0 || st.Dropped+st.Lost+uint64(st.Records) != 68 {
		t.Errorf("stats %+v: dropped, lost and kept are not the 68 appended", st)
	}
	mustClose(t, s)
}

// A file that cannot be removed holds its room; the next segments are not dropped
// in vain.
func TestDropWhenRemovalFails(t *testing.T) {
	n, faulty := newNotes(), &faultyDisk{}
	o := dropping(n)
	o.disk = faulty
	s := mustOpen(t, t.TempDir(), o)
	var err error
	for i := 0; len(n.told) == 0; i++ {
		mustAppend(t, s, filler(i))
	}
	first := len(n.told)
	faulty.remove = syscall.EROFS
	for i := 0; err == nil && i < 100; i++ {
		_, err = s.Append(t.Context(), []byte(filler(i)))
	}
	for range 5 {
		if _, err = s.Append(t.Context(), []byte(filler(1))); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.EROFS) {
			t.Fatalf("append: %v", err)
		}
	}
	if got := len(n.all()); got > 2*first {
		t.Errorf("%d records dropped while nothing can be removed; a segment holds %d", got, first)
	}
	faulty.remove = nil
	mustAppend(t, s, filler(2))
	mustClose(t, s)
}

// A full disk is not the quota: nothing is dropped for it.
func TestFullDiskDropsNothing(t *testing.T) {
	n, faulty := newNotes(), &faultyDisk{}
	o := dropping(n)
	o.disk = faulty
	s := mustOpen(t, t.TempDir(), o)
	mustAppend(t, s, "before")
	faulty.write = syscall.ENOSPC
	if _, err := s.Append(t.Context(), []byte("no room")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("append: %v", err)
	}
	mustAppend(t, s, "after")
	if len(n.told) != 0 {
		t.Errorf("told %v", n.told)
	}
	mustClose(t, s)
}

// watchedDisk calls before with the name of every step that changes the disk.
type watchedDisk struct {
	hastyDisk
	before func(step string)
}

type watchedFile struct {
	file
	d *watchedDisk
}

func (d *watchedDisk) Open(path string, flag int) (file, error) {
	if flag&os.O_CREATE != 0 {
		d.before("create")
	}
	f, err := d.hastyDisk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, d}, nil
}

func (d *watchedDisk) Remove(path string) error {
	d.before("remove")
	return d.hastyDisk.Remove(path)
}

func (d *watchedDisk) SyncDir(dir string) error {
	d.before("sync folder")
	return d.hastyDisk.SyncDir(dir)
}

func (f *watchedFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.before("write")
	n, err := f.file.WriteAt(p[:len(p)/2], off)
	if err != nil {
		return n, err
	}
	f.d.before("second half of a write")
	m, err := f.file.WriteAt(p[n:], off+int64(n))
	return n + m, err
}

func (f *watchedFile) Sync() error {
	f.d.before("sync")
	return f.file.Sync()
}

// TestKillAtEveryStep runs random appends, receipts and drops, and looks before every
// step that changes the disk, and while records are handed over, at what a kill at
// that moment leaves: every acknowledged record is there, was released, or was told
// to the taker, who had finished.
func TestKillAtEveryStep(t *testing.T) {
	steps, twice, drops := map[string]int{}, 0, uint64(0)
	for seed := range uint64(3) {
		k := &killer{t: t, dir: t.TempDir(), n: newNotes(), acked: map[uint64]string{}, steps: steps}
		k.run(rand.New(rand.NewPCG(seed, 11)))
		twice += k.twice
		drops += k.dropped
	}
	t.Logf("kills %v; %d records dropped, %d found again after they were told", steps, drops, twice)
	for _, step := range []string{"write", "sync", "remove", "state", "handing over", "told"} {
		if steps[step] == 0 {
			t.Errorf("no kill at step %q", step)
		}
	}
	if drops == 0 || twice == 0 {
		t.Error("nothing was dropped, or no kill came between the telling and the freeing")
	}
}

// killer is the model beside one spool.
type killer struct {
	t        *testing.T
	dir      string
	n        *notes
	mu       sync.Mutex        // what follows, and the folder while it is looked at
	acked    map[uint64]string // and not released
	watching bool
	steps    map[string]int
	twice    int
	dropped  uint64
}

func (k *killer) options() Options {
	clock := time.Unix(1_800_000_000, 0)
	o := dropping(k.n)
	o.StateEvery, o.SegmentAge = time.Millisecond, time.Minute
	o.Now = func() time.Time { clock = clock.Add(5 * time.Second); return clock }
	return o
}

func (k *killer) run(rng *rand.Rand) {
	t, o := k.t, k.options()
	var mu sync.Mutex // options' clock is used by the committer and the test
	now := o.Now
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now() }
	o.disk = &watchedDisk{before: k.kill}
	o.writeState = func(path string, data []byte, perm os.FileMode) error {
		k.kill("state")
		k.mu.Lock() // whole or not at all is durable's business
		defer k.mu.Unlock()
		return os.WriteFile(path, data, perm)
	}
	o.Drop = func(d Drop) error {
		k.kill("handing over")
		err := k.n.drop(d)
		k.kill("told")
		return err
	}
	s := mustOpen(t, k.dir, o)
	k.watch(true)
	for i := range 70 {
		data := strings.Repeat(string(rune('a'+i%26)), 1+rng.IntN(900))
		seq := mustAppend(t, s, data)
		k.mu.Lock()
		k.acked[seq] = data
		k.mu.Unlock()
		switch {
		case rng.IntN(4) == 0:
			k.mu.Lock()
			delete(k.acked, seq)
			k.mu.Unlock()
			if err := s.Release(seq); err != nil {
				t.Fatal(err)
			}
		case rng.IntN(20) == 0:
			if err := s.DropBefore(context.Background(), o.Now().Add(-20*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.dropped = s.Stats().Dropped
	k.watch(false)
	mustClose(t, s)
}

func (k *killer) watch(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watching = on
}

// hastyDisk waits for nothing; it is for folders that are looked at once.
type hastyDisk struct{ osDisk }

type hastyFile struct{ file }

func (d hastyDisk) Open(path string, flag int) (file, error) {
	f, err := d.osDisk.Open(path, flag)
	return hastyFile{f}, err
}

func (hastyDisk) SyncDir(string) error { return nil }

func (hastyFile) Sync() error { return nil }

// kill looks at what a kill at this moment leaves. The disk is held, or no commit is
// under way, when it is called; the committer may save the state meanwhile.
func (k *killer) kill(step string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.watching {
		return
	}
	k.steps[step]++
	told := k.n.all()
	o := small()
	o.disk, o.writeState = hastyDisk{}, os.WriteFile
	s := mustOpen(k.t, copyFolder(k.t, k.dir), o)
	got := content(k.t, s)
	mustClose(k.t, s)
	for seq, data := range k.acked {
		_, known := told[seq]
		switch {
		case got[seq] == data && known:
			k.twice++
		case got[seq] != data && !known:
			k.t.Fatalf("killed before %q: record %d is gone, and nobody was told", step, seq)
		case got[seq] != data && told[seq] != data:
			k.t.Fatalf("killed before %q: record %d was told as another", step, seq)
		}
	}
}
