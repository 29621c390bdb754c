package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Sizes of FORMAT.md.
const (
	formatVersion = 1
	segmentHeader = 36
	recordHeader  = 16
	smallest      = recordHeader + 1 // the least room a record takes

	// MaxRecord is the largest record in bytes; a spool with small segments
	// takes less (half a segment).
	MaxRecord = 1 << 20

	segmentMagic  = "CGSP"
	segmentSuffix = ".seg"
)

// errHeader reports bytes that are no segment header; the records behind it may
// still be sound.
var errHeader = errors.New("damaged segment header")

// checksum is CRC-32C, which current processors compute in hardware.
func checksum(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// header is the fixed start of a segment.
type header struct {
	epoch   uint64
	first   uint64
	created time.Time
}

func (h header) encode() []byte {
	b := make([]byte, 0, segmentHeader)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint16(b, formatVersion)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.created.UnixMilli()))
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// decodeHeader reads the first 36 bytes of a segment. The error is errHeader for
// damage, and wraps ErrVersion for a sound header of another version.
func decodeHeader(b []byte) (header, error) {
	if len(b) < segmentHeader || string(b[:4]) != segmentMagic ||
		binary.LittleEndian.Uint32(b[32:]) != checksum(b[:32]) {
		return header{}, errHeader
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != formatVersion {
		return header{}, fmt.Errorf("%w: found %d, this program knows %d", ErrVersion, v, formatVersion)
	}
	return header{
		epoch:   binary.LittleEndian.Uint64(b[8:]),
		first:   binary.LittleEndian.Uint64(b[16:]),
		created: time.UnixMilli(int64(binary.LittleEndian.Uint64(b[24:]))),
	}, nil
}

// appendRecord reserves a record in buf; number completes it.
func appendRecord(buf, data []byte) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(data)))
	buf = append(buf, make([]byte, recordHeader-4)...)
	return append(buf, data...)
}

// number gives the records in buf the sequences from first on, and their checksums.
func number(buf []byte, first uint64) {
	for seq := first; len(buf) > 0; seq++ {
		end := recordHeader + int(binary.LittleEndian.Uint32(buf))
		binary.LittleEndian.PutUint64(buf[8:], seq)
		binary.LittleEndian.PutUint32(buf[4:], checksum(buf[8:end]))
		buf = buf[end:]
	}
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// parseSegmentName is strict: a name that segmentName would not write is not ours.
func parseSegmentName(name string) (first uint64, ok bool) {
	digits, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && segmentName(first) == name
}

// span is a range of sequences, both ends included.
type span struct{ first, last uint64 }

// hole is a stretch of a segment that holds no readable record.
type hole struct {
	off, size int64
	lost      span // the sequences that stood there; empty when last < first
}

// segment is what the spool remembers of a segment file.
type segment struct {
	path    string
	first   uint64
	created time.Time // zero when the header is damaged

	start int64 // of the first record: behind the header, or 0 when that is damaged

	// Written with Spool.disk and Spool.mu held, so either is enough to read.
	open  bool      // it is the active segment
	last  time.Time // by when every record had been appended
	size  int64     // durable bytes; readers go no further
	stale int64     // bytes behind size that could not be cut off; they cost quota
	count uint64    // sequences covered, damaged ones included

	// Guarded by Spool.mu.
	live  []uint64 // one bit a sequence: still to be delivered
	alive int      // number of bits set in live
	holes []hole   // ascending; replaced, never changed in place
	// unread: part of the file could not be read, so its removal keeps it as evidence.
	unread bool
}

// end is the first sequence behind the segment.
func (g *segment) end() uint64 { return g.first + g.count }

func (g *segment) name() string { return filepath.Base(g.path) }

// cover extends the segment to the sequences below end; the new ones are not live.
func (g *segment) cover(end uint64) {
	g.count = end - g.first
	for uint64(len(g.live))*64 < g.count {
		g.live = append(g.live, 0)
	}
}

// mark sets the sequences of r that the segment covers to live or not, and
// returns how many changed.
func (g *segment) mark(r span, live bool) int {
	changed := 0
	for seq := max(r.first, g.first); seq < g.end() && seq <= r.last; seq++ {
		word, bit := &g.live[(seq-g.first)/64], uint64(1)<<((seq-g.first)%64)
		if (*word&bit != 0) != live {
			*word ^= bit
			changed++
		}
	}
	if live {
		g.alive += changed
	} else {
		g.alive -= changed
	}
	return changed
}

// next returns the first live (or first not live) sequence at or after seq, or
// end when there is none.
func (g *segment) next(seq uint64, live bool) uint64 {
	for i := max(seq, g.first) - g.first; i < g.count; i = (i/64 + 1) * 64 {
		word := g.live[i/64]
		if !live {
			word = ^word
		}
		if word >>= i % 64; word != 0 {
			return g.first + min(i+uint64(bits.TrailingZeros64(word)), g.count)
		}
	}
	return g.end()
}
