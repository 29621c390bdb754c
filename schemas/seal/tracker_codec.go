package seal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The form of a stored Tracker, all numbers big-endian:
//
//	"CGRT" 01                      magic, version
//	floor u32, boots u8            then for each boot, rising:
//	  number u32, random 8 bytes, low u32, lost u32
//	  intervals u16, (from u32, to u32) each, rising
//	  tags u16, (seq u32, first 4 bytes of the tag) each, oldest first
//	CRC-32C u32 of everything before it
const trackerMagic = "CGRT\x01"

// MarshalBinary writes the tracker for durable keeping. Equal trackers give
// equal bytes. It never fails.
func (t *Tracker) MarshalBinary() ([]byte, error) {
	be := binary.BigEndian
	b := be.AppendUint32([]byte(trackerMagic), t.floor)
	b = append(b, byte(len(t.boots)))
	for _, s := range t.boots {
		b = s.append(b)
	}
	return appendChecksum(b), nil
}

func appendChecksum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (b *boot) append(out []byte) []byte {
	be := binary.BigEndian
	out = be.AppendUint32(out, b.number)
	out = append(out, b.random[:]...)
	out = be.AppendUint32(out, b.low)
	out = be.AppendUint32(out, b.lost)
	out = be.AppendUint16(out, uint16(len(b.intervals)))
	for _, iv := range b.intervals {
		out = be.AppendUint32(be.AppendUint32(out, iv.from), iv.to)
	}
	out = be.AppendUint16(out, uint16(len(b.tags)))
	for i := range b.tags {
		m := b.tags[(b.oldest+i)%len(b.tags)]
		out = append(be.AppendUint32(out, m.seq), m.tag[:]...)
	}
	return out
}

// UnmarshalBinary reads what MarshalBinary wrote and nothing else. On an error
// (*Error with FileBad) the tracker is unchanged.
func (t *Tracker) UnmarshalBinary(data []byte) error {
	r := trackerReader{b: data}
	if string(r.take(len(trackerMagic))) != trackerMagic {
		return errorf(FileBad, "replay state: not version 1 of the format")
	}
	if len(r.b) < 4 || crc32.Checksum(data[:len(data)-4], castagnoli()) != binary.BigEndian.Uint32(data[len(data)-4:]) {
		return errorf(FileBad, "replay state: checksum wrong, the bytes are damaged")
	}
	r.b = r.b[:len(r.b)-4]
	fresh := Tracker{floor: r.uint32()}
	n := int(r.uint8())
	for i := 0; i < n && !r.short; i++ {
		fresh.boots = append(fresh.boots, r.boot())
	}
	if r.short || len(r.b) != 0 {
		return errorf(FileBad, "replay state: the length does not fit the counts")
	}
	if err := fresh.validate(); err != nil {
		return &Error{Code: FileBad, Problem: "replay state", Err: err}
	}
	*t = fresh
	return nil
}

// trackerReader reads big-endian fields; once data runs short, all else is 0.
type trackerReader struct {
	b     []byte
	short bool
}

func (r *trackerReader) take(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return make([]byte, n)
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *trackerReader) uint8() uint8   { return r.take(1)[0] }
func (r *trackerReader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *trackerReader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *trackerReader) boot() *boot {
	b := &boot{number: r.uint32(), random: [8]byte(r.take(8)), low: r.uint32(), lost: r.uint32()}
	for n := r.uint16(); n > 0 && !r.short; n-- {
		b.intervals = append(b.intervals, interval{r.uint32(), r.uint32()})
	}
	for n := r.uint16(); n > 0 && !r.short; n-- {
		b.tags = append(b.tags, tagMark{r.uint32(), [4]byte(r.take(4))})
	}
	return b
}

func (t *Tracker) validate() error {
	if len(t.boots) > MaxBoots || t.floor > 0 && len(t.boots) < MaxBoots {
		return fmt.Errorf("%d boots with floor %d", len(t.boots), t.floor)
	}
	least := uint64(t.floor)
	for _, b := range t.boots {
		if uint64(b.number) < least {
			return fmt.Errorf("boot %d out of order", b.number)
		}
		least = uint64(b.number) + 1
		if err := b.validate(); err != nil {
			return fmt.Errorf("boot %d: %w", b.number, err)
		}
	}
	return nil
}

func (b *boot) validate() error {
	if n := len(b.intervals); n == 0 || n > MaxIntervals {
		return fmt.Errorf("%d intervals", n)
	}
	if b.low == 0 && b.lost > 0 || b.lost >= b.low && b.low > 0 {
		return fmt.Errorf("%d numbers lost below %d", b.lost, b.low)
	}
	least := uint64(b.low)
	for _, iv := range b.intervals {
		if uint64(iv.from) < least || iv.to < iv.from {
			return fmt.Errorf("interval %d to %d out of order", iv.from, iv.to)
		}
		least = uint64(iv.to) + 2 // touching intervals would be one
	}
	return b.validateTags()
}

func (b *boot) validateTags() error {
	if n := len(b.tags); n == 0 || n > MaxTags {
		return fmt.Errorf("%d tags", n)
	}
	seen := make(map[uint32]bool, len(b.tags))
	for _, m := range b.tags {
		if _, in := b.find(m.seq); !in && m.seq >= b.low || seen[m.seq] {
			return fmt.Errorf("tag of message %d, which was not accepted once", m.seq)
		}
		seen[m.seq] = true
	}
	return nil
}
