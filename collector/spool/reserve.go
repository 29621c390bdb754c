package spool

import (
	"bytes"
	"os"
	"path/filepath"
)

const (
	reserveName = "reserve"
	// reserveSize is more than the largest state file takes.
	reserveSize = 128 << 10
)

// keepReserve keeps a file that holds room for one more state file. On a disk
// that is full to the last block the newest segment could otherwise never go:
// it alone tells the next sequence until the state is saved, and the state can
// only be saved when something goes. Without the room for it there is none,
// which is no worse than before.
func (s *Spool) keepReserve() {
	path := filepath.Join(s.dir, reserveName)
	if info, err := os.Stat(path); err == nil && info.Size() == reserveSize {
		return
	}
	if os.WriteFile(path, bytes.Repeat([]byte{0xA5}, reserveSize), 0o600) != nil {
		_ = os.Remove(path) // a part of it is of no use, and its room is wanted
	}
}

// spendReserve gives the reserved room back to the disk; it reports whether
// there was any.
func (s *Spool) spendReserve() bool {
	return os.Remove(filepath.Join(s.dir, reserveName)) == nil
}
