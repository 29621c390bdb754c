package books

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
)

// spool holds what a run has found, in a temporary file, until it is written to
// the books. It needs no durability: a run that is cut short is made again.
type spool struct {
	f     *os.File
	w     *bufio.Writer
	buf   []byte
	count int64
}

// The kinds of record.
const (
	accountRecord = 'a' // a closing balance
	orderRecord   = 'o' // likewise; without a body the order is settled
	foundRecord   = 'f'
	clearedRecord = 'c'
	markRecord    = 'm'
	refusedRecord = 'r'
)

// record is one thing that a run found. What it means depends on kind.
type record struct {
	kind  byte
	place int64
	order orderKey
	wake  ledger.Day
	body  []byte // a balance, or JSON
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "citygrid-run-")
	if err != nil {
		return nil, fmt.Errorf("temporary file for what the run finds: %w", err)
	}
	// Nameless from here on where the system allows it, so that a run that is killed
	// leaves no file behind.
	_ = os.Remove(f.Name())
	return &spool{f: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

// remove ends the use of the spool. It may be called at any time.
func (s *spool) remove() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name()) // for systems that remove no open file; elsewhere it is gone
}

// add adds a record; its body is copied.
func (s *spool) add(r record) error {
	b := append(s.buf[:0], r.kind)
	b = binary.AppendVarint(b, r.place)
	b = binary.AppendVarint(b, int64(r.wake))
	for _, text := range [...]string{r.order.channel, r.order.order} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	b = append(binary.AppendUvarint(b, uint64(len(r.body))), r.body...)
	s.buf = b
	s.count++
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("temporary file for what the run finds: %w", err)
	}
	return nil
}

func (s *spool) mark(m reconcile.DuplicateMark) error {
	return s.add(record{kind: markRecord, body: jsonOf(m)})
}

func (s *spool) results(place int64, found []reconcile.Finding, cleared []reconcile.Clearing, refused []reconcile.Refusal) error {
	for n := range found {
		row := rowOfFinding(place, &found[n])
		if err := s.add(record{kind: foundRecord, place: place, body: jsonOf(&row)}); err != nil {
			return err
		}
	}
	for n := range cleared {
		if err := s.add(record{kind: clearedRecord, place: place, body: jsonOf(&cleared[n])}); err != nil {
			return err
		}
	}
	for n := range refused {
		if err := s.add(record{kind: refusedRecord, place: place, body: jsonOf(&refused[n])}); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) flush() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("temporary file for what the run finds: %w", err)
	}
	return nil
}

// each calls do with every record, in the order of their writing. The record's
// body is overwritten by the next.
func (s *spool) each(do func(*record) error) error {
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.f, 1<<18)
	var r record
	for {
		kind, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			r.kind = kind
			err = r.read(in)
		}
		if err != nil {
			return fmt.Errorf("temporary file of the run: %w", err)
		}
		if err := do(&r); err != nil {
			return err
		}
	}
}

func (r *record) read(in *bufio.Reader) (err error) {
	if r.place, err = binary.ReadVarint(in); err != nil {
		return err
	}
	wake, err := binary.ReadVarint(in)
	if err != nil {
		return err
	}
	r.wake = ledger.Day(wake)
	for _, text := range [...]*string{&r.order.channel, &r.order.order} {
		if r.body, err = sized(in, r.body); err != nil {
			return err
		}
		*text = string(r.body)
	}
	r.body, err = sized(in, r.body)
	return err
}

func sized(in *bufio.Reader, into []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	if uint64(cap(into)) < n {
		into = make([]byte, n)
	}
	into = into[:n]
	_, err = io.ReadFull(in, into)
	return into, err
}

// parsed reads the JSON of a record.
func parsed[T any](r *record) (v T, err error) {
	if err = json.Unmarshal(r.body, &v); err != nil {
		err = fmt.Errorf("temporary file of the run: %w", err)
	}
	return v, err
}
