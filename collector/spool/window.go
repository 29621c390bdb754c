package spool

import (
	"encoding/binary"
	"errors"
	"io"
)

// readAhead is what a reader takes from the disk at a time.
const readAhead = 64 << 10

// window is a read buffer that slides over a file of known size.
type window struct {
	r   *salvage
	end int64 // no byte from here on is looked at
	off int64 // of buf[0] in the file
	buf []byte
}

// peek returns the n bytes at off, valid until the next call. Bytes behind the
// end are io.ErrUnexpectedEOF; other errors are those of a disk that gives nothing.
func (w *window) peek(off int64, n int) ([]byte, error) {
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		if off+int64(n) > w.end {
			return nil, io.ErrUnexpectedEOF
		}
		if err := w.fill(off, n); err != nil {
			return nil, err
		}
	}
	at := int(off - w.off)
	return w.buf[at : at+n], nil
}

// fill moves the window to off and reads at least n bytes.
func (w *window) fill(off int64, n int) error {
	want := int(min(int64(max(n, readAhead)), w.end-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, 0, want)
	}
	w.off = off
	got, err := w.r.ReadAt(w.buf[:want], off)
	w.buf = w.buf[:got]
	if got >= n {
		return nil
	}
	if errors.Is(err, io.EOF) { // the file is shorter than it was
		err = io.ErrUnexpectedEOF
	}
	return err
}

// verdict says what stands at an offset.
type verdict int

const (
	sound  verdict = iota // a whole record with a right checksum
	short                 // the start of a record that runs past the end
	broken                // anything else
)

// record reads the record at off. data is valid until the next call.
func (w *window) record(off int64) (seq uint64, data []byte, v verdict, err error) {
	head, err := w.peek(off, recordHeader)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil, short, nil
	}
	if err != nil {
		return 0, nil, broken, err
	}
	n := binary.LittleEndian.Uint32(head)
	if n == 0 || n > MaxRecord {
		return 0, nil, broken, nil
	}
	all, err := w.peek(off, recordHeader+int(n))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil, short, nil
	}
	if err != nil {
		return 0, nil, broken, err
	}
	if checksum(all[8:]) != binary.LittleEndian.Uint32(all[4:]) {
		return 0, nil, broken, nil
	}
	return binary.LittleEndian.Uint64(all[8:]), all[recordHeader:], sound, nil
}

// resync looks at every offset from off on for a sound record with a sequence in
// allowed. found is false when there is none.
func (w *window) resync(off int64, allowed span) (at int64, seq uint64, found bool, err error) {
	for at = off; at+smallest <= w.end; at++ {
		head, err := w.peek(at, recordHeader)
		if err != nil {
			return 0, 0, false, err
		}
		// The sequence rules out nearly every offset, so the checksum of up to
		// a megabyte is computed for few.
		if s := binary.LittleEndian.Uint64(head[8:]); s < allowed.first || s > allowed.last {
			continue
		}
		seq, _, v, err := w.record(at)
		if err != nil || v == sound {
			return at, seq, err == nil, err
		}
	}
	return 0, 0, false, nil
}

// survey is what a walk over a segment found.
type survey struct {
	first, end uint64 // sequences covered: from first to before end
	holes      []hole
	tail       int64 // offset behind the last record; the file's size when all is sound
	torn       bool  // the tail is what an interrupted write leaves
}

// walk reads every record from off, where the sequence first is expected. No
// sequence above last is believed.
func (w *window) walk(off int64, first, last uint64) (survey, error) {
	return w.visit(off, first, last, func(int64, uint64, []byte) error { return nil })
}

// visit is walk that shows each sound record, with its offset; data is valid during
// the call only. It ends with the first error of each.
func (w *window) visit(off int64, first, last uint64, each func(off int64, seq uint64, data []byte) error) (survey, error) {
	found := survey{first: first, end: first}
	for off < w.end {
		seq, data, v, err := w.record(off)
		if err != nil {
			return found, err
		}
		if v == sound && seq == found.end && seq <= last {
			if err := each(off, seq, data); err != nil {
				return found, err
			}
			off += int64(recordHeader + len(data))
			found.end++
			continue
		}
		at, seq, ok, err := w.resync(off, span{found.end, last})
		if err != nil {
			return found, err
		}
		if !ok {
			found.tail = off
			found.torn, err = w.tornAt(off, v)
			return found, err
		}
		found.holes = append(found.holes, hole{off, at - off, span{found.end, seq - 1}})
		off, found.end = at, seq
	}
	found.tail = off
	return found, nil
}

// tornAt tells a tail left by an interrupted write from a damaged one. v is what
// stands at its start. Zeros in place of what cannot be read are damage: what was
// there may have been acknowledged.
func (w *window) tornAt(off int64, v verdict) (bool, error) {
	if v == short {
		return true, nil
	}
	for off < w.end {
		part, err := w.peek(off, int(min(readAhead, w.end-off)))
		if err != nil {
			return false, err
		}
		for _, b := range part {
			if b != 0 {
				return false, nil
			}
		}
		if w.r.unread(off, int64(len(part))) != nil {
			return false, nil
		}
		off += int64(len(part))
	}
	return true, nil
}
