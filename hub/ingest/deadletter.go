package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"citygrid/internal/durable"
	"citygrid/internal/mqttlink"
	"citygrid/schemas/seal"
)

const (
	// deadLetterFile holds messages that were refused. Who sent one in good
	// faith has it still.
	deadLetterFile = "dead-letters.jsonl"
	// rejectedFile holds envelopes that were answered with a receipt although
	// the store does not hold them whole: they may exist nowhere else.
	rejectedFile = "rejected.jsonl"
)

// deadLetters keeps messages, as they came, with the reason: one JSON object a
// line. Messages that opened are kept sealed too, so the files hold no plain
// readings.
type deadLetters struct {
	path string
	max  int64
	// keepAll makes a full file an error. Otherwise it becomes the previous
	// one, and the one before that is overwritten.
	keepAll bool
	// sync makes what was written last; os.File.Sync.
	sync func(*os.File) error

	mu     sync.Mutex
	size   int64
	synced time.Time
	heard  map[seal.Code]time.Time
}

// deadLetterMax bounds a file. Two files of 64 MiB hold some ten thousand
// messages, and a flood of garbage cannot fill the disk.
const deadLetterMax = 64 << 20

// syncEvery is how often dead letters are made to outlast a power cut. Their senders
// have the messages still, so the last ones may be lost, and a flood of garbage does
// not hold up the readings behind it by one write to the disk's platter each. Letters
// of a file with keepAll last before add returns.
const syncEvery = time.Second

// loudEvery is how often one code of refusal is logged.
const loudEvery = time.Minute

// errLettersFull is wrapped by add when a file that keeps everything is full.
var errLettersFull = errors.New("the file is full; look into it and move it away")

// deadLetter is a line of the file.
type deadLetter struct {
	ReceivedAt time.Time `json:"received_at"`
	Code       seal.Code `json:"code"`
	Reason     string    `json:"reason"`
	Topic      string    `json:"topic"`
	Payload    []byte    `json:"payload"` // base64 of the message
}

func openDeadLetters(dir, name string) (*deadLetters, error) {
	d := &deadLetters{path: filepath.Join(dir, name), max: deadLetterMax, sync: (*os.File).Sync, heard: make(map[seal.Code]time.Time)}
	f, err := os.OpenFile(d.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	defer f.Close()
	if d.size, err = endLine(f); err != nil {
		return nil, fmt.Errorf("dead letters %s: %w", d.path, err)
	}
	return d, nil
}

// endLine ends the last line of f, which a crash may have cut short, and
// returns the size. The piece stays: it is evidence too.
func endLine(f *os.File) (size int64, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil || size == 0 {
		return size, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil || last[0] == '\n' {
		return size, err
	}
	n, err := f.WriteString("\n")
	return size + int64(n), err
}

// add writes one letter. When it returns the letter outlasts this process and, within
// syncEvery or at once with keepAll, a power cut.
func (d *deadLetters) add(at time.Time, m mqttlink.Message, code seal.Code, reason error) error {
	line, err := json.Marshal(deadLetter{ReceivedAt: at.UTC(), Code: code, Reason: reason.Error(), Topic: m.Topic, Payload: m.Payload})
	if err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	line = append(line, '\n')
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.makeRoom(int64(len(line))); err != nil {
		return fmt.Errorf("dead letters %s: %w", d.path, err)
	}
	if err := d.append(at, line); err != nil {
		return fmt.Errorf("dead letters %s: %w", d.path, err)
	}
	return nil
}

// makeRoom sees to it that n bytes more fit into the file.
func (d *deadLetters) makeRoom(n int64) error {
	if d.size == 0 || d.size+n <= d.max {
		return nil
	}
	info, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the operator moved it away
	case err != nil:
		return err
	case d.keepAll && info.Size()+n > d.max:
		return errLettersFull
	case !d.keepAll:
		if err := os.Rename(d.path, d.path+".1"); err != nil {
			return err
		}
	}
	d.size = 0
	return nil
}

// append writes a line, or, on an error, leaves the file as it was.
func (d *deadLetters) append(at time.Time, line []byte) error {
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if age := at.Sub(d.synced); err == nil && (d.keepAll || age < 0 || age >= syncEvery) {
		err, d.synced = d.sync(f), at
	}
	if err != nil {
		// Half a line would spoil the next one.
		return errors.Join(err, f.Truncate(info.Size()))
	}
	d.size = info.Size() + int64(len(line))
	if info.Size() == 0 { // new: its name must last too
		return durable.SyncDir(filepath.Dir(d.path))
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
