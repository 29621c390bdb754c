package cbor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// TestHeads are the integers and lengths of RFC 8949, appendix A.
func TestHeads(t *testing.T) {
	for _, tt := range []struct {
		hex   string
		major byte
		arg   uint64
	}{
		{"00", Uint, 0}, {"17", Uint, 23}, {"1818", Uint, 24}, {"1864", Uint, 100}, {"1903e8", Uint, 1000},
		{"1a000f4240", Uint, 1000000}, {"1b000000e8d4a51000", Uint, 1000000000000}, {"1bffffffffffffffff", Uint, 18446744073709551615},
		{"20", Nint, 0}, {"3863", Nint, 99}, {"3903e7", Nint, 999}, {"3bffffffffffffffff", Nint, 18446744073709551615},
		{"40", Bytes, 0}, {"60", Text, 0}, {"80", Array, 0}, {"9819", Array, 25}, {"a0", Map, 0}, {"c1", Tag, 1}, {"d818", Tag, 24},
		{"f4", Other, 20}, {"f5", Other, 21}, {"18ff", Uint, 255}, {"190100", Uint, 256}, {"19ffff", Uint, 65535}, {"1a00010000", Uint, 65536},
		{"1affffffff", Uint, 4294967295}, {"1b0000000100000000", Uint, 4294967296},
	} {
		if got := hex.EncodeToString(AppendHead(nil, tt.major, tt.arg)); got != tt.hex {
			t.Errorf("wrote %d, %d as %s, want %s", tt.major, tt.arg, got, tt.hex)
		}
		data, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(err)
		}
		r := Reader{Data: data}
		if major, arg, err := r.Head(); err != nil || major != tt.major || arg != tt.arg || r.Rest() != 0 {
			t.Errorf("read %s as %d, %d, %v, %d bytes left", tt.hex, major, arg, err, r.Rest())
		}
	}
	if got := AppendBytes(AppendText(nil, "IETF"), []byte{1, 2, 3, 4}); hex.EncodeToString(got) != "64494554464401020304" {
		t.Errorf("wrote % x", got)
	}
}

func TestRefusals(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrCutShort, "\x18": ErrCutShort, "\x19\x01": ErrCutShort, "\x1b\x01\x00\x00\x00\x00\x00\x00": ErrCutShort,
		"\x18\x17": ErrNotShortest, "\x19\x00\xff": ErrNotShortest, "\x1a\x00\x00\xff\xff": ErrNotShortest,
		"\x1b\x00\x00\x00\x00\xff\xff\xff\xff": ErrNotShortest, "\x58\x03": ErrNotShortest, "\xd8\x10": ErrNotShortest,
		"\x1c": ErrReserved, "\x1e": ErrReserved, "\x5f": ErrIndefinite, "\xff": ErrIndefinite,
	} {
		r := Reader{Data: []byte(text)}
		if _, _, err := r.Head(); !errors.Is(err, want) {
			t.Errorf("% x: %v, want %v", text, err, want)
		}
	}
	r := Reader{Data: []byte("abc"), Pos: 1}
	for _, n := range []uint64{3, 1 << 32, 1<<64 - 1} {
		if _, err := r.Take(n); !errors.Is(err, ErrCutShort) || r.Pos != 1 {
			t.Errorf("took %d bytes of 2: %v", n, err)
		}
	}
	if s, err := r.Take(2); err != nil || string(s) != "bc" || r.Rest() != 0 {
		t.Errorf("took %q, %v", s, err)
	}
}

// FuzzHead holds the Reader against the writer: what it takes has one form.
func FuzzHead(f *testing.F) {
	f.Add([]byte("\x1a\x00\x0f\x42\x40"))
	f.Add([]byte("\x18\x17"))
	f.Add([]byte("\x5f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := Reader{Data: data}
		major, arg, err := r.Head()
		if err != nil || major == Other {
			return
		}
		if again := AppendHead(nil, major, arg); !bytes.Equal(again, data[:r.Pos]) {
			t.Errorf("% x is taken, % x is written", data[:r.Pos], again)
		}
	})
}
