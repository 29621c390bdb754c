// Package spool is a durable queue of opaque bytes: the collector puts every
// sealed envelope into it before publishing, and takes it out only on the hub's
// receipt. What Append has acknowledged survives kill -9 and power cuts, and is
// handed out again after each start until it is released.
//
// It is a log of segments with group commit; FORMAT.md describes the files and
// the rules of recovery.
//
//	Append ──┐                       ┌──> Reader ──> publish
//	Append ──┼─> batch ─(committer)─> segments
//	Append ──┘    write, fsync,      └──< Release <── receipt
//	              then acknowledge
//
// One goroutine, the committer, writes records; it is started by Open and ended
// by Close.
package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"citygrid/internal/durable"
)

// Errors that callers tell apart.
var (
	// ErrFull: the quota, or the disk under it, has no room. Nothing was kept
	// and, unless Options say so, nothing older was dropped; room comes back as
	// records are released.
	ErrFull = errors.New("spool is full: let the hub confirm what is waiting, or raise the quota")
	// ErrClosed: the spool was closed.
	ErrClosed = errors.New("spool is closed")
	// ErrSize: the record is empty or larger than a spool record may be.
	ErrSize = errors.New("record size is outside the limits of the spool")
	// ErrVersion: the files were written by a newer program.
	ErrVersion = errors.New("unknown spool format version: install the program that wrote it, or a newer one")
)

// Options configure a spool. The zero value is usable.
type Options struct {
	// SegmentBytes is the size at which a new segment is begun; 8 MiB when 0,
	// from 4 KiB to 1 GiB.
	SegmentBytes int64
	// Quota bounds the size of all segments together; 512 MiB when 0, at least
	// two segments.
	Quota int64
	// CommitEvery is how long a record waits for company before an fsync; 100 ms
	// when 0.
	CommitEvery time.Duration
	// CommitRecords and CommitBytes start the fsync earlier; 256 records and
	// 256 KiB when 0, at most an eighth of a segment. Four times CommitBytes may
	// wait in memory, then appenders wait.
	CommitRecords, CommitBytes int
	// StateEvery bounds how often releases are written down; 5 s when 0. What a
	// crash forgets is delivered again.
	StateEvery time.Duration
	// SegmentAge is how long a segment is written to at most; 0: until it is full.
	// DropBefore is as exact as this.
	SegmentAge time.Duration
	// Drop takes note of records that are about to be dropped, durably: what it
	// has returned nil for is freed. After an error nothing of it is, and it is
	// asked again later, as it is after a crash. It must look at every record, and
	// must not append to this spool. Nil: nothing is ever dropped.
	Drop func(Drop) error
	// DropWhenFull has an append that finds the quota reached drop the oldest
	// segment, in place of ErrFull; it needs Drop. A disk without room is not the
	// quota: nothing is dropped for it, since others may take the room.
	DropWhenFull bool
	// OnEvent is told of damage and of failed housekeeping. It must return soon
	// and must not call the spool, but for Stats and Holds. Nil drops the events; Stats still counts them.
	OnEvent func(Event)
	// Now is the clock for the age of records; time.Now when nil.
	Now func() time.Time

	disk disk // osDisk when nil
	// writeState replaces the state file; durable.WriteFile when nil.
	writeState func(path string, data []byte, perm os.FileMode) error
}

// settle fills in the defaults and checks the limits.
func (o Options) settle() (Options, error) {
	setDefault(&o.SegmentBytes, 8<<20)
	setDefault(&o.Quota, max(512<<20, 2*o.SegmentBytes))
	setDefault(&o.CommitEvery, 100*time.Millisecond)
	setDefault(&o.CommitRecords, 256)
	setDefault(&o.CommitBytes, 256<<10)
	setDefault(&o.StateEvery, 5*time.Second)
	// A batch must fit a segment, for it is not split.
	o.CommitBytes = int(min(int64(o.CommitBytes), o.SegmentBytes/8))
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	if o.writeState == nil {
		o.writeState = durable.WriteFile
	}
	switch {
	case o.SegmentBytes < 4<<10 || o.SegmentBytes > 1<<30:
		return o, fmt.Errorf("segment size %d: must be 4 KiB to 1 GiB", o.SegmentBytes)
	case o.Quota < 2*o.SegmentBytes:
		return o, fmt.Errorf("quota %d: must be at least two segments of %d", o.Quota, o.SegmentBytes)
	case o.CommitEvery < 0 || o.CommitRecords < 0 || o.CommitBytes < 0 || o.StateEvery < 0 || o.SegmentAge < 0:
		return o, errors.New("a commit limit is negative")
	case o.DropWhenFull && o.Drop == nil:
		return o, errors.New("a spool that drops must tell somebody (Drop)")
	}
	return o, nil
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// maxRecord is the largest record this spool takes: half a segment, so that two
// segments of quota always have room for one when nothing waits for delivery.
func (o Options) maxRecord() int {
	return int(min(MaxRecord, o.SegmentBytes/2))
}

// Spool is an open spool. Its methods may be called concurrently.
type Spool struct {
	dir    string
	opts   Options
	unlock func() error

	wake    chan struct{} // a batch has its first record
	tidy    chan struct{} // the state has changed
	closing chan struct{}
	stopped chan struct{} // the committer has ended

	// dropping is held while records are handed over and dropped; it is taken
	// before disk and mu, never after.
	dropping sync.Mutex

	// disk is held to change files; it is taken before mu, never after.
	disk   sync.Mutex
	active *active // guarded by disk
	ended  bool    // guarded by disk; no file is to be touched any more

	mu       sync.Mutex // held for memory only, never across a disk operation
	closed   bool
	epoch    uint64
	next     uint64     // the sequence of the next record to be committed
	segments []*segment // ascending
	filling  *batch
	inflight int           // bytes of the batch being committed
	spare    []byte        // buffer of the last batch, for the next one
	grown    chan struct{} // closed and replaced when readers may go on
	dirty    bool          // the state file is out of date
	stats    Stats         // the counters only
	evidence int64         // bytes of .bad files
}

// Stats is a snapshot of a spool. Counters start at Open.
type Stats struct {
	Epoch       uint64    // random identity of this spool, fixed at its creation
	Records     int       // committed and not yet released
	Bytes       int64     // size of all segments
	Quota       int64     // bound of Bytes
	Next        uint64    // sequence of the next record
	OldestSeq   uint64    // first sequence not yet released; 0 when there is none
	OldestTime  time.Time // when its segment was begun, so at most its age; zero when unknown
	Segments    int
	Appended    uint64 // records accepted by Append and AppendAsync
	Committed   uint64 // of these, made durable
	Failed      uint64 // of these, refused because the commit failed
	Released    uint64
	Fsyncs      uint64 // of segments
	Damaged     uint64 // stretches of unreadable bytes
	DamagedSize int64  // their bytes
	Lost        uint64 // records that were to be delivered and cannot be read or are Missing
	Dropped     uint64 // records dropped by the operator's choice
	Full        bool   // the last append found no room and none has come back since
}

// Open opens the spool in folder dir, creating it when absent, and recovers what
// the last process left. It returns an error when another process has the spool,
// when the files are of a newer version, or when the disk fails; damage is no
// error but an Event.
func Open(dir string, o Options) (*Spool, error) {
	opts, err := o.settle()
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	unlock, err := durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	s := &Spool{
		dir: dir, opts: opts, unlock: unlock,
		wake: make(chan struct{}, 1), tidy: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}),
		filling: newBatch(nil), grown: make(chan struct{}),
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", dir, err), unlock())
	}
	go s.commitLoop()
	return s, nil
}

// makeDir creates dir durably; its parent must exist.
func makeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(filepath.Clean(dir)))
}

// Close commits what is waiting, saves the state and gives the folder free.
// Blocked readers and later calls get ErrClosed. The error says what could not be
// saved; appends that failed are told so themselves.
func (s *Spool) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		<-s.stopped
		return nil
	}
	close(s.closing)
	<-s.stopped

	s.disk.Lock()
	defer s.disk.Unlock()
	s.ended = true
	s.mu.Lock()
	close(s.grown)
	s.mu.Unlock()
	return errors.Join(s.saveState(), s.active.close(), s.unlock())
}

// Stats returns a snapshot.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Epoch, st.Next, st.Quota = s.epoch, s.next, s.opts.Quota
	st.Segments, st.Bytes = len(s.segments), s.used()
	for _, g := range s.segments {
		if st.Records == 0 && g.alive > 0 {
			st.OldestSeq, st.OldestTime = g.next(g.first, true), g.created
		}
		st.Records += g.alive
	}
	return st
}

// Holds reports whether record seq is in the spool and not yet released or dropped.
func (s *Spool) Holds(seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.indexOf(seq)
	return i < len(s.segments) && s.segments[i].next(seq, true) == seq
}

// used is the size of all segments. The caller holds mu.
func (s *Spool) used() int64 {
	var sum int64
	for _, g := range s.segments {
		sum += g.size + g.stale
	}
	return sum
}

// report counts an event and hands it on. The caller does not hold mu; it may hold disk
// or dropping, which is why OnEvent may call Stats and Holds alone.
func (s *Spool) report(e Event) {
	s.mu.Lock()
	if e.Kind == Damage || e.Kind == StateDamage || e.Kind == Foreign {
		s.stats.Damaged++
		s.stats.DamagedSize += e.Size
	}
	if e.Kind != Dropped { // which Stats.Dropped counts
		s.stats.Lost += e.Lost
	}
	s.mu.Unlock()
	s.opts.OnEvent(e)
}

// expired turns the end of a context into an error that names the act.
func expired(ctx context.Context, act string) error {
	return fmt.Errorf("%s: %w", act, context.Cause(ctx))
}
