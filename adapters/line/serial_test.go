package line

import (
	"testing"
	"time"
)

// TestSilence: the values of the standard, at 11 bits a character [MODBUS over
// Serial Line V1.02, 2.5.1.1].
func TestSilence(t *testing.T) {
	for baud, want := range map[int]time.Duration{
		2400: 16042 * time.Microsecond, 9600: 4010 * time.Microsecond, 19200: 2005 * time.Microsecond,
		38400: 1750 * time.Microsecond, 115200: 1750 * time.Microsecond,
	} {
		got := Serial{baud, 8, Even, 1}.Silence()
		if d := got - want; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%d Bd: %s, want %s", baud, got, want)
		}
	}
}

func TestWire(t *testing.T) {
	tests := []struct {
		s    Serial
		n    int
		want time.Duration
		text string
	}{
		{Serial{9600, 8, None, 1}, 96, 100 * time.Millisecond, "9600 8N1"},
		{Serial{2400, 8, Even, 1}, 24, 110 * time.Millisecond, "2400 8E1"},
		{Serial{1200, 7, Odd, 2}, 12, 110 * time.Millisecond, "1200 7O2"},
		{Serial{9600, 8, None, 1}, 0, 0, "9600 8N1"},
	}
	for _, tc := range tests {
		if got := tc.s.Wire(tc.n); got != tc.want || tc.s.String() != tc.text {
			t.Errorf("%s: %d bytes take %s, want %s as %s", tc.s, tc.n, got, tc.want, tc.text)
		}
		if err := tc.s.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []Serial{{}, {9600, 9, None, 1}, {9600, 8, "mark", 1}, {9600, 8, None, 3}, {10, 8, None, 1}, {9_000_000, 8, None, 1}, {9600, 8, "", 1}} {
		if s.Validate() == nil {
			t.Errorf("%+v accepted", s)
		}
	}
}

func TestIsDevice(t *testing.T) {
	for address, want := range map[string]bool{
		"/dev/ttyS0": true, "/dev/serial/by-id/usb-FTDI-if00": true, "COM3": true, "com12": true, `\\.\COM10`: true,
		"10.0.0.5:502": false, "gateway:502": false, "COM3:502": false, "[::1]:502": false, "COM": false,
	} {
		if IsDevice(address) != want {
			t.Errorf("%s: want %v", address, want)
		}
	}
}
