package ingest

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"citygrid/schemas"
)

// rejectedFile holds envelopes that were answered with a receipt although the store does
// not hold them whole: they may exist nowhere else.
const rejectedFile = "rejected.jsonl"

// rejectedParts is into how many parts the file is divided: one collector may fill one of
// them. A box that sends nothing but rubbish under its own key thereby leaves room for
// the others' bad points.
const rejectedParts = 8

// errLettersFull says why an envelope is not in the file.
var errLettersFull = errors.New("the file, or this collector's part of it, is full; look into it and move it away")

// rejectedLetters is the file of the rejected envelopes.
type rejectedLetters struct {
	letterFile
	filled map[schemas.CollectorID]int64 // bytes of each collector
	// holds are the envelopes in the file: one that comes again takes no more room.
	holds map[[sha256.Size]byte]bool
}

func openRejected(dir string) (*rejectedLetters, error) {
	r := &rejectedLetters{filled: make(map[schemas.CollectorID]int64), holds: make(map[[sha256.Size]byte]bool)}
	if err := r.open(dir, rejectedFile); err != nil {
		return nil, err
	}
	return r, r.count()
}

// forget is for a file that is not there any more.
func (r *rejectedLetters) forget() {
	clear(r.filled)
	clear(r.holds)
}

// count finds out what each collector has in the file. A line that a crash has cut short
// is nobody's.
func (r *rejectedLetters) count() error {
	r.forget()
	f, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rejected letters: %w", err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		var l deadLetter
		if json.Unmarshal(line, &l) == nil {
			if topic, err := schemas.ParseTopic(l.Topic); err == nil {
				r.filled[topic.Collector] += int64(len(line))
				r.holds[sha256.Sum256(l.Payload)] = true
			}
		}
		if err != nil { // the end; what cannot be read now is found full later
			return nil
		}
	}
}

// keep writes the deliveries' letters, all with one write to the disk's platter, and says
// which of them are in the file. On an error the file is as it was.
func (r *rejectedLetters) keep(at time.Time, group []*delivery) (kept []bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch info, err := os.Stat(r.path); {
	case errors.Is(err, fs.ErrNotExist): // the operator moved it away
		r.size = 0
		r.forget()
	case err != nil:
		return nil, fmt.Errorf("rejected letters: %w", err)
	case info.Size() < r.size: // emptied, or moved away and made anew
		if err := r.count(); err != nil {
			return nil, err
		}
		r.size = info.Size()
	default:
		r.size = info.Size()
	}
	kept = make([]bool, len(group))
	more, fresh := make(map[schemas.CollectorID]int64), make(map[[sha256.Size]byte]bool)
	var lines []byte
	for i, d := range group {
		sum := sha256.Sum256(d.message.Payload)
		if kept[i] = r.holds[sum] || fresh[sum]; kept[i] {
			continue
		}
		line, err := letterLine(at, d.message, d.code, d.rejected)
		if err != nil {
			return nil, err
		}
		n, id := int64(len(line)), d.key.collector
		all, own := r.size+int64(len(lines)), r.filled[id]+more[id]
		if all > 0 && all+n > r.max || own > 0 && own+n > r.max/rejectedParts {
			continue
		}
		lines, kept[i], fresh[sum] = append(lines, line...), true, true
		more[id] += n
	}
	if len(lines) == 0 {
		return kept, nil
	}
	if err := r.append(at, lines, 0); err != nil {
		return nil, fmt.Errorf("rejected letters %s: %w", r.path, err)
	}
	for id, n := range more {
		r.filled[id] += n
	}
	maps.Copy(r.holds, fresh)
	return kept, nil
}
