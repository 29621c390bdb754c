package spool

import (
	"errors"
	"io"
)

// block is how much is given up for one unreadable place: the page in which
// Linux reads files, and the physical sector of most disks.
const block = 4 << 10

// salvage reads a file past the places that the disk cannot read any more: they
// are zeros, so that the checksums make of them the same damage as of any other
// wrong byte. Only while the disk gives nothing of the file is its error returned,
// for a disk that has gone away has not damaged its records.
type salvage struct {
	r       io.ReaderAt
	size    int64           // of the file
	answers bool            // the disk has given something
	lost    map[int64]error // why a block was given up, by its number
}

// ReadAt is that of io.ReaderAt.
func (s *salvage) ReadAt(p []byte, off int64) (n int, err error) {
	n, err = s.r.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) {
		s.answers = s.answers || n > 0
		return n, err
	}
	lost := map[int64]error{}
	n, end := s.blocks(p, off, lost)
	if !s.probe() {
		return 0, err
	}
	if s.lost == nil {
		s.lost = map[int64]error{}
	}
	for number, err := range lost {
		s.lost[number] = err
	}
	return n, end
}

// blocks is ReadAt block by block, with zeros for those that it puts into lost.
func (s *salvage) blocks(p []byte, off int64, lost map[int64]error) (n int, end error) {
	for n < len(p) {
		at := off + int64(n)
		part := p[n:min(len(p), n+int(block-at%block))]
		got, err := s.r.ReadAt(part, at)
		s.answers = s.answers || got > 0
		switch {
		case got == len(part):
		case errors.Is(err, io.EOF):
			return n + got, err
		default:
			clear(part)
			lost[at/block] = err
		}
		n += len(part)
	}
	return n, nil
}

// probe reports whether the disk gives anything of the file, looked for once in
// each read-ahead.
func (s *salvage) probe() bool {
	for at := int64(0); at < s.size && !s.answers; at += readAhead {
		n, _ := s.r.ReadAt(make([]byte, 1), at)
		s.answers = n > 0
	}
	return s.answers
}

// unread returns why some of the size bytes at off were given up, or nil.
func (s *salvage) unread(off, size int64) error {
	for number, err := range s.lost {
		if number*block < off+size && (number+1)*block > off {
			return err
		}
	}
	return nil
}
