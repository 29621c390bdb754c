package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"citygrid/internal/durable"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// replayBook remembers which envelopes of every source are in the store: one
// tracker a source in memory, one small file a source on disk.
type replayBook struct {
	dir      string
	mu       sync.Mutex
	trackers map[source]*seal.Tracker
}

// The names of the files: c1.replay, c1.cards.replay, c1.events.replay. A dot is in
// no collector id.
const replaySuffix = ".replay"

// file is the name of the source's file.
func (s source) file() string { return s.name() + replaySuffix }

// name is what files call the source: the readings' bear the collector's name
// alone.
func (s source) name() string {
	if s.stream == schemas.Readings {
		return string(s.collector)
	}
	return string(s.collector) + "." + string(s.stream)
}

// sourceOf reads what file writes; ok is false for any other file.
func sourceOf(file string) (s source, ok bool) {
	name, ok := strings.CutSuffix(file, replaySuffix)
	for _, beside := range []schemas.Stream{schemas.Cards, schemas.Events} {
		if id, found := strings.CutSuffix(name, "."+string(beside)); found {
			return source{schemas.CollectorID(id), beside}, ok
		}
	}
	return source{schemas.CollectorID(name), schemas.Readings}, ok
}

// openReplayBook loads every source's state from dir/replay. A file that is
// damaged is an error: going on without it would forget what was stored.
func openReplayBook(dir string) (*replayBook, error) {
	b := &replayBook{dir: filepath.Join(dir, "replay"), trackers: make(map[source]*seal.Tracker)}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("replay state: %w", err)
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, fmt.Errorf("replay state: %w", err)
	}
	for _, e := range entries {
		from, ok := sourceOf(e.Name())
		if !ok {
			continue
		}
		path := filepath.Join(b.dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("replay state: %w", err)
		}
		t := new(seal.Tracker)
		if err := t.UnmarshalBinary(data); err != nil {
			return nil, fmt.Errorf("replay state %s is damaged: %w. Restore it from a backup, or move it away: "+
				"what the collector sends again is then stored again, to the same points", path, err)
		}
		b.trackers[from] = t
	}
	return b, nil
}

// check says whether the envelope is new, without changing anything.
func (b *replayBook) check(k deliveryKey, tag [16]byte) seal.Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.trackers[k.source]
	if !ok {
		return seal.New
	}
	return t.Check(k.context, k.seq, tag)
}

// commit remembers the deliveries, and returns when that is on disk. Calling
// it again with the same deliveries is harmless.
func (b *replayBook) commit(group []*delivery) error {
	touched := b.mark(group)
	var errs []error
	for from, data := range touched {
		path := filepath.Join(b.dir, from.file())
		if err := durable.WriteFile(path, data, 0o600); err != nil {
			errs = append(errs, fmt.Errorf("replay state of %s: %w", from.name(), err))
		}
	}
	return errors.Join(errs...)
}

// mark commits the deliveries in memory and returns the new state of each source
// that they change.
func (b *replayBook) mark(group []*delivery) map[source][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	touched := make(map[source][]byte)
	for _, d := range group {
		if d.again || d.repeated || d.withheld {
			continue
		}
		t, ok := b.trackers[d.key.source]
		if !ok {
			t = new(seal.Tracker)
			b.trackers[d.key.source] = t
		}
		t.Commit(d.key.context, d.key.seq, d.tag)
		touched[d.key.source] = nil
	}
	for from := range touched {
		data, err := b.trackers[from].MarshalBinary()
		if err == nil { // MarshalBinary of a live tracker does not fail
			touched[from] = data
		}
	}
	return touched
}

// missing returns how many envelopes each collector has sealed, as the numbers
// after the gap show, and the hub has not stored.
func (b *replayBook) missing() map[schemas.CollectorID]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	gaps := make(map[schemas.CollectorID]uint64, len(b.trackers))
	for from, t := range b.trackers {
		n := t.Lost()
		for _, g := range t.Gaps() {
			n += uint64(g.To-g.From) + 1
		}
		gaps[from.collector] += n
	}
	return gaps
}

// total adds up what missing returns.
func total(missing map[schemas.CollectorID]uint64) (sum uint64) {
	for _, n := range missing {
		sum += n
	}
	return sum
}

// codeOf maps a verdict that refuses to its code.
func codeOf(v seal.Verdict) seal.Code {
	switch v {
	case seal.NonceReuse:
		return codeNonceReuse
	case seal.Late:
		return codeLate
	default:
		return codeBootConflict
	}
}

// explain says to the operator what a verdict means.
func explain(v seal.Verdict) string {
	switch v {
	case seal.NonceReuse:
		return "two different messages under one number: a copy of the collector is running, or its machine was restored from a snapshot; stop one and enrol it anew"
	case seal.Late:
		return "older than what the hub remembers; admit it by hand if it is wanted"
	default:
		return "the boot number belongs to another session: the collector's storage was replaced or restored; enrol it anew"
	}
}
