package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"citygrid/collector/verdict"
	"citygrid/internal/counters"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// The file meters.state is what a collector remembers of its meters across
// restarts: the baselines of their verdicts, and how far their own records have
// been read. It is one line of text and a JSON object:
//
//	citygrid meters 1 <CRC-32C of all that follows the line, 8 hex digits>
//	{"<meter id>": {"verdict": {...}, "records": {"daily_freeze": {...}}}}
//
// It may be older than what has been read, never newer than what is durable in
// the spool: a record that is read again is the same record, one that is
// forgotten would be a hole in a bill.
const stateHead = "citygrid meters 1 %08x\n"

// stateEvery is the least time between two writes of the file, which are for
// the day on which the collector does not stop in order.
const stateEvery = 10 * time.Minute

// meterMemory is what is remembered of one meter.
type meterMemory struct {
	Verdict verdict.State                  `json:"verdict"`
	Records map[schemas.Origin]recordState `json:"records,omitempty"`
}

// recordState is what is remembered of an archive.
type recordState struct {
	// Last is the moment of the newest record before which none is missing.
	Last time.Time `json:"last,omitzero"`
	// Holes are the times of which the records of a load profile are still to
	// be read.
	Holes []hole `json:"holes,omitempty"`
}

// memory is the file and what it held at the start.
type memory struct {
	path   string
	log    *slog.Logger
	meters map[schemas.MeterID]meterMemory // also those that are not configured now
	saved  []byte
	failed bool // the last write
}

// errState is a file that is not what this program wrote.
var errState = errors.New("not a state file of this version, or damaged")

// encodeState returns the file's content. The same meters give the same bytes.
func encodeState(meters map[schemas.MeterID]meterMemory) ([]byte, error) {
	body, err := json.Marshal(meters)
	if err != nil {
		return nil, fmt.Errorf("encode the state of the meters: %w", err)
	}
	return stateOf(append(body, '\n')), nil
}

// stateOf puts the line before a body.
func stateOf(body []byte) []byte { return checked(stateHead, body) }

// checked puts a line with the checksum of the body before it.
func checked(head string, body []byte) []byte {
	return append(fmt.Appendf(nil, head, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))), body...)
}

// unchecked returns the body of what checked wrote, and refuses anything else.
func unchecked(head string, data []byte) (body []byte, err error) {
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		return nil, errState
	}
	body = data[end+1:]
	if !bytes.Equal(data, checked(head, body)) {
		return nil, errState
	}
	return body, nil
}

// decodeState reads what encodeState wrote, and refuses anything else.
func decodeState(data []byte) (map[schemas.MeterID]meterMemory, error) {
	body, err := unchecked(stateHead, data)
	if err != nil {
		return nil, err
	}
	meters := make(map[schemas.MeterID]meterMemory)
	if err := json.Unmarshal(body, &meters); err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	return meters, nil
}

// openMemory reads the file at path. One that cannot be read is set aside and
// reported: the meters are then judged as new ones, and all their records are
// read again.
func openMemory(path string, log *slog.Logger, now time.Time) *memory {
	m := &memory{path: path, log: log, meters: make(map[schemas.MeterID]meterMemory)}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return m
	}
	if err == nil {
		var meters map[schemas.MeterID]meterMemory
		if meters, err = decodeState(data); err == nil {
			m.meters, m.saved = meters, data
			return m
		}
	}
	log.Error("the state of the meters cannot be read and is set aside; baselines begin anew and the meters' records are read again. Look at the disk",
		"file", path, "kept_as", asideName(path, now), "error", errors.Join(err, setAside(path, now)))
	return m
}

// asideName is where a file that cannot be read is kept as evidence.
func asideName(path string, now time.Time) string {
	return path + ".damaged-" + now.UTC().Format("20060102T150405.000Z")
}

func setAside(path string, now time.Time) error { return os.Rename(path, asideName(path, now)) }

// recall gives the meters of l what is remembered of them.
func (m *memory) recall(l *lineLoop) {
	for _, s := range l.meters {
		known, ok := m.meters[s.ID]
		if !ok {
			continue
		}
		s.valid = verdict.New(s.Rules, known.Verdict)
		for _, r := range s.records {
			if k, ok := known.Records[r.series.origin]; ok && !k.Last.After(l.started.Add(recordSkew)) {
				r.last = k.Last
				r.due = r.last.Add(max(r.series.soonest, r.step()) + recordMargin)
			}
		}
		if b := s.load; b != nil && !known.Verdict.LiveAt.After(l.started.Add(recordSkew)) {
			b.live, b.holes = known.Verdict.LiveAt, slices.Clone(known.Records[schemas.LoadRecord].Holes)
		}
	}
}

// snapshot returns the state of all meters at one moment, and how many readings
// have been handed to the sealer before it.
func (m *memory) snapshot(loops []*lineLoop) (meters map[schemas.MeterID]meterMemory, handed uint64) {
	meters = maps.Clone(m.meters)
	for _, l := range loops {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	for _, l := range loops {
		handed += l.handed
		for _, s := range l.meters {
			meters[s.ID] = s.memory()
		}
	}
	return meters, handed
}

// memory returns what is to be remembered of s. The line's mu is held.
func (s *meterState) memory() meterMemory {
	mem := meterMemory{Verdict: s.valid.State()}
	keep := func(o schemas.Origin, r recordState) {
		if mem.Records == nil {
			mem.Records = make(map[schemas.Origin]recordState)
		}
		mem.Records[o] = r
	}
	for _, r := range s.records {
		if !r.last.IsZero() {
			keep(r.series.origin, recordState{Last: r.last.UTC()})
		}
	}
	if b := s.load; b != nil && len(b.holes) > 0 {
		keep(schemas.LoadRecord, recordState{Holes: slices.Clone(b.holes)})
	}
	return mem
}

// save writes the file when there is something new and every reading that it
// knows of is durable. durableValues counts those; wait ends the wait for them.
func (m *memory) save(wait context.Context, loops []*lineLoop, durableValues func() uint64) {
	meters, handed := m.snapshot(loops)
	if !reached(wait, handed, durableValues) {
		return
	}
	data, err := encodeState(meters)
	if err == nil && bytes.Equal(data, m.saved) {
		return
	}
	if err == nil {
		err = durable.WriteFile(m.path, data, 0o600)
	}
	if err != nil {
		if !m.failed {
			m.log.Error("the state of the meters cannot be written; after a restart some records are read twice", "file", m.path, "error", err)
		}
		m.failed = true
		return
	}
	m.saved, m.failed = data, false
}

// reached waits until count is at least want, and reports whether it is.
func reached(ctx context.Context, want uint64, count func() uint64) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for count() < want {
		select {
		case <-ctx.Done():
			return count() >= want
		case <-tick.C:
		}
	}
	return true
}

// keep saves the state again and again until ctx is done.
func (m *memory) keep(ctx context.Context, loops []*lineLoop, durableValues func() uint64) {
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.save(ctx, loops, durableValues)
		}
	}
}

// durableValues counts the readings that are on disk.
func (c *Collector) durableValues() uint64 { return counters.Count(c.metrics.values) }
