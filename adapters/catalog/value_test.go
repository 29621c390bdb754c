package catalog

import (
	"testing"

	"citygrid/schemas"
)

func TestBCD(t *testing.T) {
	for v, want := range map[uint64]int64{
		0: 0, 0x12: 12, 0x9999999999999999: 9999999999999999,
		0xA: -1, 0xF000000000000000: -1, 0x1A2: -1,
	} {
		if n, ok := BCD(v); ok != (want >= 0) || ok && n != want {
			t.Errorf("%X: %d, %v, want %d", v, n, ok, want)
		}
	}
}

func TestShifted(t *testing.T) {
	if d, reason := Shifted(1234, -2); d.String() != "12.34" || reason != "" {
		t.Errorf("%s, %s", d, reason)
	}
	if d, reason := Shifted(1, 200); d != (schemas.Decimal{}) || reason != schemas.ReasonOverflow {
		t.Errorf("%s, %s", d, reason)
	}
}

func TestStateOf(t *testing.T) {
	states := map[uint16]uint8{0: 1, 2: 0}
	for _, tt := range []struct {
		mask uint16
		raw  uint64
		want int64 // -1: none
	}{
		{0, 0, 1}, {0, 2, 0}, {0, 1, -1}, {2, 0xFFFF, 0}, {2, 0xFD, 1},
		{0, 0x10000, -1}, {0, 0x10002, -1}, {2, 0x10002, 0},
	} {
		d, reason := StateOf(states, tt.mask, tt.raw)
		if (reason == "") != (tt.want >= 0) || reason == "" && d.Mantissa != tt.want || reason != "" && reason != schemas.ReasonUnknownState {
			t.Errorf("%X under %X: %s, %s, want %d", tt.raw, tt.mask, d, reason, tt.want)
		}
	}
}

func TestFilled(t *testing.T) {
	for _, tt := range []struct {
		data []byte
		want bool
	}{
		{nil, false}, {[]byte{0xFF}, true}, {[]byte{0xFF, 0xFF, 0xFF}, true}, {[]byte{0xFF, 0x00}, false}, {[]byte{0x99}, false},
	} {
		if got := Filled(tt.data, 0xFF); got != tt.want {
			t.Errorf("% X: %v", tt.data, got)
		}
	}
}
