package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"citygrid/schemas/seal"
)

// deadLetters keeps every refused message, as it came, with the reason: one
// JSON object a line, in two files that take turns. Messages that opened are
// kept sealed too, so the files hold no plain readings.
type deadLetters struct {
	path string
	max  int64

	mu    sync.Mutex
	size  int64
	heard map[seal.Code]time.Time
}

// deadLetterMax is the size at which the current file becomes the previous
// one; the one before that is overwritten. Two files of 64 MiB hold some ten
// thousand messages, and a flood of garbage cannot fill the disk.
const deadLetterMax = 64 << 20

// loudEvery is how often one code of refusal is logged.
const loudEvery = time.Minute

// deadLetter is a line of the file.
type deadLetter struct {
	ReceivedAt time.Time `json:"received_at"`
	Code       seal.Code `json:"code"`
	Reason     string    `json:"reason"`
	Topic      string    `json:"topic"`
	Payload    []byte    `json:"payload"` // base64 of the message
}

func openDeadLetters(dir string) (*deadLetters, error) {
	d := &deadLetters{path: filepath.Join(dir, "dead-letters.jsonl"), max: deadLetterMax, heard: make(map[seal.Code]time.Time)}
	info, err := os.Stat(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err == nil {
		d.size = info.Size()
	}
	return d, nil
}

// add writes one letter and returns when it is on disk.
func (d *deadLetters) add(at time.Time, topic string, payload []byte, code seal.Code, reason error) error {
	line, err := json.Marshal(deadLetter{ReceivedAt: at.UTC(), Code: code, Reason: reason.Error(), Topic: topic, Payload: payload})
	if err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	line = append(line, '\n')
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.size > 0 && d.size+int64(len(line)) > d.max {
		if err := os.Rename(d.path, d.path+".1"); err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		d.size = 0
	}
	return d.append(line)
}

func (d *deadLetters) append(line []byte) error {
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	n, err := f.Write(line)
	d.size += int64(n)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// loud reports whether a refusal with this code should be logged now.
func (d *deadLetters) loud(code seal.Code, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.heard[code]; ok && now.Sub(last) < loudEvery {
		return false
	}
	d.heard[code] = now
	return true
}
