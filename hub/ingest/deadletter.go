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

// deadLetterFile holds messages that were refused. Who sent one in good faith has it
// still.
const deadLetterFile = "dead-letters.jsonl"

// letterFile keeps messages, as they came, with the reason: one JSON object a line.
// Messages that opened are kept sealed too, so the files hold no plain readings.
type letterFile struct {
	path string
	// max bounds the file.
	max int64
	// sync makes what was written last, syncDir the name of the file.
	sync    func(*os.File) error
	syncDir func(string) error

	mu     sync.Mutex
	size   int64
	synced time.Time
}

// deadLetters is the file of the refused messages. A full one becomes the previous one,
// and the one before that is overwritten.
type deadLetters struct {
	letterFile
	heard map[seal.Code]time.Time
}

// deadLetterMax bounds a file. Two files of 64 MiB hold some ten thousand
// messages, and a flood of garbage cannot fill the disk.
const deadLetterMax = 64 << 20

// syncEvery is how often dead letters are made to outlast a power cut. Their senders
// have the messages still, so the last ones may be lost, and a flood of garbage does
// not hold up the readings behind it by one write to the disk's platter each.
const syncEvery = time.Second

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
	d := &deadLetters{heard: make(map[seal.Code]time.Time)}
	return d, d.open(dir, deadLetterFile)
}

// open finds out what a file of letters holds; there need not be one.
func (l *letterFile) open(dir, name string) error {
	l.path, l.max, l.syncDir = filepath.Join(dir, name), deadLetterMax, durable.SyncDir
	if l.sync == nil {
		l.sync = (*os.File).Sync
	}
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("letters: %w; see to that file, then start the hub again", err)
	}
	defer f.Close()
	if l.size, err = endLine(f); err == nil && l.size > 0 {
		// The last process may have been killed before its sync.
		err = l.sync(f)
	}
	if err != nil {
		return fmt.Errorf("letters %s: %w; see to that file and its disk, then start the hub again", l.path, err)
	}
	return nil
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

// letterLine writes a letter as a line of a file.
func letterLine(at time.Time, m mqttlink.Message, code seal.Code, reason error) ([]byte, error) {
	line, err := json.Marshal(deadLetter{ReceivedAt: at.UTC(), Code: code, Reason: reason.Error(), Topic: m.Topic, Payload: m.Payload})
	if err != nil {
		return nil, fmt.Errorf("dead letter: %w", err)
	}
	return append(line, '\n'), nil
}

// add writes one letter. When it returns the letter outlasts this process and, within
// syncEvery, a power cut.
func (d *deadLetters) add(at time.Time, m mqttlink.Message, code seal.Code, reason error) error {
	line, err := letterLine(at, m, code, reason)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.makeRoom(int64(len(line))); err != nil {
		return fmt.Errorf("dead letters %s: %w", d.path, err)
	}
	if err := d.append(at, line, syncEvery); err != nil {
		return fmt.Errorf("dead letters %s: %w", d.path, err)
	}
	return nil
}

// makeRoom sees to it that n bytes more fit into the file.
func (d *deadLetters) makeRoom(n int64) error {
	if d.size == 0 || d.size+n <= d.max {
		return nil
	}
	// Not there: the operator moved it away.
	if err := os.Rename(d.path, d.path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.size = 0
	return nil
}

// append writes lines, or, on an error, leaves the file as it was. They outlast a power cut
// within a time.
func (l *letterFile) append(at time.Time, lines []byte, within time.Duration) error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Size() == 0 { // new: its name must last too
		err = l.syncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	if age := at.Sub(l.synced); err == nil && (age < 0 || age >= within) {
		err, l.synced = l.sync(f), at
	}
	if err != nil {
		// Half a line would spoil the next one.
		return errors.Join(err, f.Truncate(info.Size()))
	}
	l.size = info.Size() + int64(len(lines))
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
