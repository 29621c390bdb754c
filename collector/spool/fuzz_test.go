package spool

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// FuzzOpen opens a spool over arbitrary bytes: it must not panic, must hand out
// only bytes that stand in the file with a right checksum, in ascending order,
// and must find the same again after its own repairs.
func FuzzOpen(f *testing.F) {
	sound := header{epoch: 1, first: 1, created: time.UnixMilli(0)}.encode()
	for seq, data := range []string{"one", "two", "three"} {
		sound = append(sound, record(uint64(seq+1), data)...)
	}
	saved := state{epoch: 1, next: 3, live: []span{{1, 1}}}.encode()
	for _, lie := range []bool{false, true} {
		f.Add(sound, []byte(nil), []byte(nil), lie)
		f.Add(sound, append(header{epoch: 1, first: 9}.encode(), record(9, "nine")...), saved, lie)
		f.Add(sound[:50], sound[40:], saved[:20], lie)
		f.Add(append(sound[:60:60], sound[64:]...), append(sound[:36:36], make([]byte, 100)...), saved, lie)
	}
	f.Fuzz(func(t *testing.T, one, nine, saved []byte, lie bool) {
		if lie {
			one, nine, saved = certify(one), certify(nine), certifyState(saved)
		}
		dir := t.TempDir()
		for name, content := range map[string][]byte{segmentName(1): one, segmentName(9): nine, stateName: saved} {
			if len(content) > 0 {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		s, err := Open(dir, Options{SegmentBytes: 4 << 10, CommitRecords: 1})
		if err != nil {
			return
		}
		first := content(t, s)
		for seq, data := range first {
			if !holds(one, seq, data) && !holds(nine, seq, data) {
				t.Errorf("record %d, %q, is in no file", seq, data)
			}
		}
		if next := s.Stats().Next; next < 1<<62 {
			first[mustAppend(t, s, "more")] = "more"
		}
		mustClose(t, s)
		s, err = Open(dir, Options{SegmentBytes: 4 << 10, CommitRecords: 1})
		if err != nil {
			t.Fatal(err)
		}
		if second := content(t, s); !maps.Equal(first, second) {
			t.Errorf("second Open finds %v, the first found %v", second, first)
		}
		mustClose(t, s)
	})
}

// certify gives the records in a copy of b right checksums, so that lengths and
// sequences that lie get past them.
func certify(b []byte) []byte {
	b = slices.Clone(b)
	if len(b) >= segmentHeader {
		binary.LittleEndian.PutUint32(b[32:], checksum(b[:32]))
	}
	for off := segmentHeader; off+smallest <= len(b); {
		end := off + recordHeader + int(binary.LittleEndian.Uint32(b[off:])%256)
		if end > len(b) {
			break
		}
		binary.LittleEndian.PutUint32(b[off+4:], checksum(b[off+8:end]))
		off = end
	}
	return b
}

// certifyState gives a copy of b a right checksum.
func certifyState(b []byte) []byte {
	b = slices.Clone(b)
	if body := len(b) - 4; body >= 0 {
		binary.LittleEndian.PutUint32(b[body:], checksum(b[:body]))
	}
	return b
}

// holds reports whether b has the record at any offset. It is written apart from
// the code under test.
func holds(b []byte, seq uint64, data string) bool {
	for ; len(b) >= 16+len(data); b = b[1:] {
		if binary.LittleEndian.Uint64(b[8:]) == seq && string(b[16:16+len(data)]) == data &&
			int(binary.LittleEndian.Uint32(b)) == len(data) &&
			binary.LittleEndian.Uint32(b[4:]) == slowCRC(b[8:16+len(data)]) {
			return true
		}
	}
	return false
}

// slowCRC is CRC-32C bit by bit (RFC 3720 appendix B.4, reflected polynomial).
func slowCRC(p []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range p {
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0x82F63B78&-(crc&1)
		}
	}
	return ^crc
}

// TestChecksumVectors holds the CRC against RFC 3720 appendix B.4.
func TestChecksumVectors(t *testing.T) {
	ascending := make([]byte, 32)
	for i := range ascending {
		ascending[i] = byte(i)
	}
	for name, tt := range map[string]struct {
		in   []byte
		want uint32
	}{
		"32 bytes of zeros":          {make([]byte, 32), 0x8A9136AA},
		"32 bytes 00 to 1f":          {ascending, 0x46DD794E},
		"check value of the CRC-32C": {[]byte("123456789"), 0xE3069283},
	} {
		if got := checksum(tt.in); got != tt.want || slowCRC(tt.in) != tt.want {
			t.Errorf("%s: %08x, bit by bit %08x; want %08x", name, got, slowCRC(tt.in), tt.want)
		}
	}
}

// FuzzState: what decodes is canonical, and is within the limits.
func FuzzState(f *testing.F) {
	f.Add(state{epoch: 1, next: 9, live: []span{{1, 2}, {5, 8}}}.encode())
	f.Add(state{next: 1}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := decodeState(b)
		if err != nil {
			return
		}
		for i, r := range st.live {
			if r.last < r.first || r.last >= st.next || i > 0 && r.first <= st.live[i-1].last {
				t.Errorf("ranges %v with next %d", st.live, st.next)
			}
		}
		again, err := decodeState(st.encode())
		if err != nil || again.next != st.next || again.epoch != st.epoch || len(again.live) != len(st.live) {
			t.Errorf("%+v became %+v, %v", st, again, err)
		}
	})
}
