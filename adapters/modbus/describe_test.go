package modbus

import (
	"testing"
)

// TestSee: published frames in words. Eastron: SDM320Y manual p. 42; DTSU666:
// captures in pacraf/foxess_chint_modbus_bridge; the writes and the exception
// are made by hand with the CRC of another implementation.
func TestSee(t *testing.T) {
	for _, tc := range []struct {
		frame   string
		request bool
		want    string
	}{
		{"01 04 00 00 00 02 71 CB", true, "unit 1: read 2 input registers from 0x0000"},
		{"01 04 04 43 66 33 34 1B 38", false, "unit 1: 2 input registers: 4366 3334"},
		{"01 03 20 12 00 02 6F CE", true, "unit 1: read 2 holding registers from 0x2012"},
		{"01 03 04 45 00 00 00 EF 3F", false, "unit 1: 2 holding registers: 4500 0000"},
		{"01 03 02 00 01 79 84", false, "unit 1: 1 holding registers: 0001"},
		{"0B 03 07 D1 00 01 D5 ED", true, "unit 11: read 1 holding registers from 0x07D1"},
		{"01 06 00 1C 00 02 C9 CD", true, "unit 1: write 0002 to 0x001C (function 6)"},
		{"01 10 00 16 00 02 04 3F 80 00 00 7F 75", true, "unit 1: write 2 from 0x0016 (function 16): 04 3F 80 00 00"},
		{"01 83 02 C0 F1", false, "unit 1 refuses function 3: 02 illegal data address"},
	} {
		b := unhex(t, tc.frame)
		s, n := SeeRTU(append(b, 1, 2, 3))
		if n != len(b) || s.Request != tc.request || s.String() != tc.want {
			t.Errorf("%s: %d bytes, request %v: %s", tc.frame, n, s.Request, s)
		}
		for cut := range b {
			if s, n := SeeRTU(b[:cut]); n != 0 {
				t.Errorf("%s cut to %d: %s", tc.frame, cut, s)
			}
		}
		b[len(b)-1] ^= 1
		if s, n := SeeRTU(b); n != 0 {
			t.Errorf("%s with a wrong CRC: %s", tc.frame, s)
		}
	}
	s, n := SeeTCP(unhex(t, "0007 0000 0006 11 03 006B 0003 FF"), true)
	if n != 12 || s.String() != "unit 17, id 0007: read 3 holding registers from 0x006B" {
		t.Errorf("%d: %s", n, s)
	}
}

func TestAnswers(t *testing.T) {
	see := func(frame string) Sight {
		s, n := SeeRTU(unhex(t, frame))
		if n == 0 {
			t.Fatal(frame)
		}
		return s
	}
	ask := see("01 03 20 12 00 02 6F CE")
	for frame, want := range map[string]bool{
		"01 03 04 45 00 00 00 EF 3F": true, "01 83 02 C0 F1": true,
		"01 04 04 43 66 33 34 1B 38": false, "01 03 02 00 01 79 84": false,
	} {
		if see(frame).Answers(ask) != want {
			t.Errorf("%s: want %v", frame, want)
		}
	}
	request, _ := SeeTCP(unhex(t, "0007 0000 0006 11 03 006B 0001"), true)
	for frame, want := range map[string]bool{"0007 0000 0005 11 03 02 0001": true, "0006 0000 0005 11 03 02 0001": false} {
		if s, _ := SeeTCP(unhex(t, frame), false); s.Answers(request) != want {
			t.Errorf("%s: want %v", frame, want)
		}
	}
}

// FuzzSee: what was seen lies inside the bytes, and has words.
func FuzzSee(f *testing.F) {
	f.Add(unhex(f, "01 03 04 45 00 00 00 EF 3F"), false)
	f.Add(unhex(f, "01 10 00 16 00 02 04 3F 80 00 00 7F 75"), false)
	f.Add(unhex(f, "0007 0000 0006 11 03 006B 0003"), true)
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		s, n := SeeRTU(b)
		if tcp {
			s, n = SeeTCP(b, len(b)%2 == 0)
		}
		if n < 0 || n > len(b) || n > 0 && s.String() == "" {
			t.Errorf("%d of %d: %s", n, len(b), s)
		}
		s.Answers(s)
	})
}
