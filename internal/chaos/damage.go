package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"citygrid/collector/spool"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// envelope names one for ever: its session and its number in it.
type envelope struct {
	context seal.Context
	seq     uint32
}

// envelopeOf reads the name off a sealed message.
func envelopeOf(data []byte) (envelope, error) {
	h, err := seal.ParseHeader(data)
	return envelope{h.Context, h.Seq}, err
}

// damage lets readings gather in the spool, kills the collector, spoils a file of its
// spool, and starts it again.
func (t *trial) damage(ctx context.Context, f Fault) error {
	back := t.links[city.Collector].leave()
	sleep(ctx, f.For)
	err := t.crash(city.Collector)
	back()
	if err != nil {
		return err
	}
	if err := t.spoilSpool(f); err != nil {
		return err
	}
	return t.comeBack(ctx, city.Collector)
}

// spoilSpool spoils the newest segment that holds records, or the one before. The
// archive keeps the sound one.
func (t *trial) spoilSpool(f Fault) error {
	names, err := filepath.Glob(filepath.Join(t.own.of, "spool", "*.seg"))
	if err != nil {
		return err
	}
	for n := len(names) - 1; n >= 0; n-- {
		data, err := os.ReadFile(names[n])
		if err != nil {
			return err
		}
		list, _ := parseSegment(data)
		if len(list) == 0 {
			continue
		}
		spoilt, hit := spoil(f, data, list)
		if err := t.writeOffRecords(f.Kind, hit); err != nil {
			return err
		}
		return replaceFile(names[n], spoilt)
	}
	return nil // nothing waits: there is nothing to spoil
}

// spoil returns what is left of a segment, and the records that are hit.
func spoil(f Fault, data []byte, list []record) (spoilt []byte, hit []record) {
	if f.Kind == Truncate {
		cut := int(f.N % uint64(len(data)))
		for _, r := range list {
			if r.to > cut {
				hit = append(hit, r)
			}
		}
		return data[:cut], hit
	}
	spoilt = append([]byte(nil), data...)
	for n := range f.N%3 + 1 {
		at := int((f.N >> (8 * n)) % uint64(len(data)))
		spoilt[at] ^= 1 << (f.N >> (60 - n) & 7)
		for _, r := range list {
			if r.from <= at && at < r.to {
				hit = append(hit, r)
			}
		}
	}
	return spoilt, hit
}

// replaceFile gives a path another file, so that links to the old one keep theirs.
func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// writeOff notes what goes with the data folder when the image takes its place, and so may
// be lost: what waits in it for a receipt, and is not in the image.
func (t *trial) writeOff(ctx context.Context, image string) error {
	kept := make(map[envelope]bool)
	brings := &archive{dir: image}
	err := brings.each(func(_ schemas.Stream, r record) error {
		e, err := envelopeOf(r.data)
		kept[e] = true
		return err
	})
	if err != nil {
		return err
	}
	for folder := range streams() {
		var gone []record
		_, err := spool.Inspect(ctx, filepath.Join(t.own.of, folder), func(r spool.Inspected) error {
			e, err := envelopeOf(r.Data)
			if r.Waiting && !kept[e] {
				gone = append(gone, record{seq: r.Seq, data: slices.Clone(r.Data)})
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := t.writeOffRecords(RestoredOld, gone); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) writeOffRecords(by Kind, list []record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range list {
		e, err := envelopeOf(r.data)
		if err != nil {
			return fmt.Errorf("record %d of the spool: %w", r.seq, err)
		}
		t.damaged[e] = by
	}
	return nil
}

// autopsy looks at what a killed collector has left, and counts in which windows the kill
// fell: in the middle of a write, and between the point in the store and the release.
func (t *trial) autopsy() error {
	if err := t.sweep(); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(t.own.of, "spool", "*.seg"))
	if err != nil || len(names) == 0 {
		return err
	}
	left := &archive{dir: t.own.of}
	if err := left.each(t.wasFound); err != nil {
		return err
	}
	data, err := os.ReadFile(names[len(names)-1])
	if err != nil {
		return err
	}
	list, torn := parseSegment(data)
	unreleased := 0
	if len(list) > 0 {
		unreleased, err = t.storedUnreleased(list)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if torn {
		t.result.Torn++
	}
	if unreleased > 0 {
		t.result.Unreleased++
	}
	return err
}

// wasFound notes a record that a kill has left sound.
func (t *trial) wasFound(_ schemas.Stream, r record) error {
	e, err := envelopeOf(r.data)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found[e] = true
	return err
}

// storedUnreleased counts the last records of a segment whose points are in the store:
// the collector had not yet freed, or not yet written down as freed, what the hub has.
func (t *trial) storedUnreleased(list []record) (n int, err error) {
	opener, err := t.city.Opener()
	if err != nil {
		return 0, err
	}
	for _, r := range list[max(0, len(list)-20):] {
		readings, err := readingsOf(opener, r.data)
		if err != nil {
			return n, err
		}
		if len(readings) > 0 && t.gate.has(pointOf(readings[0])) {
			n++
		}
	}
	return n, nil
}
