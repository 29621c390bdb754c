package cjt188

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// FuzzFrame feeds bytes from the wire to everything that looks at them before
// they are an answer.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{c01, c02, c03, c04, c05, c06, cN1, ask2004, ask2018, answer, askBought, bought, sell, shut, isShut, askGas,
		"00 FF 68 10 " + answer, cN1 + " " + answer, "68 10 66 55 44 33 22 11 00 C1 03 01 02 00 B8 16"} {
		f.Add(catalogtest.Bytes(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		skip, n, err := split(b)
		if err != nil && n != 0 || skip < 0 || n < 0 || skip+n > len(b) || n != 0 && n < envelope {
			t.Fatalf("split: %d, %d, %v of %d bytes", skip, n, err, len(b))
		}
		checkParse(t, b)
		checkOpen(t, b[skip:skip+n])
		if !bytes.Equal(b, before) {
			t.Error("the bytes were changed")
		}
	})
}

// checkParse: what is a frame is built again the same.
func checkParse(t *testing.T, b []byte) {
	frame, err := Parse(b)
	if err != nil {
		return
	}
	if built := frame.Append(nil); !bytes.Equal(built, trimLead(b)) {
		t.Errorf("parsed % X\nbuilt  % X", b, built)
	}
	if frame.String() == "" {
		t.Error("a frame without description")
	}
	if skip, n, err := split(b); n != 0 && (err != nil || skip+n > len(b)) {
		t.Errorf("a frame, and yet split says %d, %d, %v", skip, n, err)
	}
}

// checkOpen: an answer is one to what was asked, whole.
func checkOpen(t *testing.T, b []byte) {
	a, _ := ParseAddress("00112233445566")
	r := &request{bus: New(line.New(line.Config{}), Config{}), typ: 0x10, address: a, control: readData, di: 0x901F, order: highFirst, length: 19, ser: 1}
	verdict, err := r.Open(b)
	if err != nil || verdict != line.Answer {
		var frame *line.FrameError
		var device interface{ Class() adapters.Class }
		if err != nil && !errors.As(err, &frame) && !errors.As(err, &device) {
			t.Errorf("an error of no kind: %v", err)
		}
		return
	}
	want := catalogtest.Bytes(t, answer)[:14]
	if !bytes.Equal(b[:14], want) || len(b) != 35 || !bytes.Equal(r.data[:19], b[14:33]) {
		t.Errorf("taken for an answer: % X", b)
	}
}

// FuzzDecode reads any field from any data: a value is exact, or there is none
// and a reason.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), 0, 4, -2, uint16(0), catalogtest.Bytes(f, "56 34 12 00 2C"))
	f.Add(uint8(1), 0, 4, -2, uint16(0), catalogtest.Bytes(f, "56 34 12 00"))
	f.Add(uint8(2), 17, 2, 0, uint16(3), catalogtest.Bytes(f, answer)[14:33])
	f.Add(uint8(3), 0, 2, 0, uint16(0), catalogtest.Bytes(f, "21 84"))
	f.Add(uint8(0), 0, 4, 18, uint16(0), catalogtest.Bytes(f, "99 99 99 99 2E"))
	f.Fuzz(func(t *testing.T, kind uint8, at, size, shift int, mask uint16, data []byte) {
		field := profiles.Field{Quantity: "water.volume.forward", At: at, Bytes: size, Shift: shift, Format: profiles.BCDUnit}
		switch kind % 4 {
		case 1:
			field.Format = profiles.BCD
		case 2:
			field.Quantity, field.Format, field.Mask = "water.valve.state", profiles.Bits, mask
			field.States = map[uint16]uint8{0: 1, mask: 0}
		case 3:
			field.Format = profiles.Bits
		}
		d, reason, err := Decode(&field, data)
		if err != nil {
			return
		}
		if q, known := reason.Quality(); reason != "" && (d != schemas.Decimal{} || !known || q != schemas.Missing) {
			t.Errorf("%s and reason %q", d, reason)
		}
		if reason == "" && (d.Validate() != nil || d.Mantissa < 0) {
			t.Errorf("%+v", d)
		}
		if len(data) >= profiles.ClockBytes {
			if at, err := decodeClock(data, time.UTC); err == nil && (at.Year() < 1 || at.Year() > 9999) {
				t.Errorf("clock %s", at)
			}
		}
	})
}

// TestDoubtful: without sequence bytes, a request that repeats the one before
// must wait for the line to be silent.
func TestDoubtful(t *testing.T) {
	a, _ := ParseAddress("00112233445566")
	for _, tt := range []struct {
		last   string
		ignore bool
		want   bool
	}{
		{ask2018, true, true}, {"FE FE " + ask2018, true, true}, {ask2018, false, false}, {ask2004, true, false},
		{askBought, true, false}, {askGas, true, false}, {c01, true, false}, {"", true, false}, {"01 03 00 00", true, false},
	} {
		r := &request{bus: New(line.New(line.Config{}), Config{IgnoreSequence: tt.ignore}), typ: 0x10, address: a, control: readData, di: 0x901F}
		if _, err := r.Encode(nil, catalogtest.Bytes(t, tt.last)); err != nil || r.Doubtful() != tt.want || r.Named() == tt.ignore {
			t.Errorf("%q, ignore %v: doubtful %v, named %v, %v", tt.last, tt.ignore, r.Doubtful(), r.Named(), err)
		}
	}
}
