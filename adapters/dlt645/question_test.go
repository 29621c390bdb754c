package dlt645

import (
	"errors"
	"strings"
	"testing"

	"citygrid/adapters"
	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/line"
)

func mustAddress(t testing.TB, s string) Address {
	t.Helper()
	a, err := ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestOpen holds one row for each judgement of a frame.
func TestOpen(t *testing.T) {
	const good = "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
	me := mustAddress(t, "000000000161")
	ask := request{to: me, function: readData, di: 0x00010000}
	anyone := request{to: mustAddress(t, Anyone), function: readData, di: 0x00010000}
	next := request{to: me, function: readNext, di: 0x00010000, seq: 2}
	frame := func(control byte, data ...byte) string { return hexOf(encode(me, control, data)) }
	for _, tt := range []struct {
		name    string
		request request
		frame   string
		verdict line.Verdict
		err     string
	}{
		{"the answer", ask, good, line.Answer, ""},
		{"to a wildcard", anyone, good, line.Answer, ""},
		{"of another meter", request{to: mustAddress(t, plate), function: readData, di: 0x00010000}, good, line.Stale, ""},
		{"to another item", request{to: me, function: readData, di: 0x00020000}, good, line.Stale, ""},
		{"to another question", request{to: me, function: readAddress}, good, line.Stale, ""},
		{"of the other edition", request{to: me, function: readData1997, di: 0x9010}, good, line.Stale, ""},
		{"bad checksum", ask, strings.Replace(good, "8A 16", "8B 16", 1), line.Foreign, "checksum is 8B"},
		{"our own echo", ask, "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", line.Stale, ""},
		{"another master", ask, "68 61 01 00 00 00 00 68 11 04 33 33 35 33 15 16", line.Foreign, "another master"},
		{"another master's command", ask, frame(0x9C), line.Foreign, "another master"},
		{"a wildcard answers", ask, hexOf(encode(mustAddress(t, Anyone), 0x91, []byte{0, 0, 1, 0})), line.Foreign, "is no meter's"},
		{"no such data", ask, "68 61 01 00 00 00 00 68 D1 01 35 39 16", line.Answer, "no such data"},
		{"refusal of another function", ask, frame(0xD3, 1), line.Stale, ""},
		{"refusal without bits", ask, frame(0xD1), line.Foreign, "exception answer with 0 bytes"},
		{"without identifier", ask, frame(0x91, 0, 0, 1), line.Foreign, "names no item"},
		{"more follows", ask, frame(0xB1, 0, 0, 1, 0, 9), line.Answer, ""},
		{"next frame", next, frame(0xB2, 0, 0, 1, 0, 9, 2), line.Answer, ""},
		{"next frame of another number", next, frame(0xB2, 0, 0, 1, 0, 9, 1), line.Stale, ""},
		{"next frame of another item", next, frame(0xB2, 0, 0, 2, 0, 9, 2), line.Stale, ""},
		{"next frame without number", next, frame(0xB2), line.Foreign, "without its number"},
		{"address", request{to: mustAddress(t, Anyone), function: readAddress}, frame(0x93, 0x61, 1, 0, 0, 0, 0), line.Answer, ""},
		{"two addresses", request{to: mustAddress(t, Anyone), function: readAddress}, frame(0x93, 0x62, 1, 0, 0, 0, 0), line.Foreign, "in its data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := question{request: tt.request, wake: 2}
			if _, err := q.Encode(nil, nil); err != nil {
				t.Fatal(err)
			}
			verdict, err := q.Open(catalogtest.Bytes(t, tt.frame))
			if verdict != tt.verdict || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("verdict %d, %v, want %d, %q", verdict, err, tt.verdict, tt.err)
			}
			var foreign *line.FrameError
			if errors.As(err, &foreign) != (verdict == line.Foreign) {
				t.Errorf("verdict %d with %T", verdict, err)
			}
			if verdict != line.Answer && q.from != (Address{}) {
				t.Errorf("kept %+v of a frame that is no answer", q.answer)
			}
		})
	}
}

func hexOf(b []byte) string {
	const digit = "0123456789ABCDEF"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digit[c>>4])
		s.WriteByte(digit[c&0xF])
	}
	return s.String()
}

// TestDoubtful shows that the same question twice in a row says so.
func TestDoubtful(t *testing.T) {
	q := question{request: request{to: mustAddress(t, plate), function: readData, di: 1}, wake: 4}
	first, err := q.Encode(nil, nil)
	if err != nil || q.Doubtful() || len(first) != 20 {
		t.Errorf("first: % X, %v, %v", first, err, q.Doubtful())
	}
	if _, err := q.Encode(nil, first); err != nil || !q.Doubtful() {
		t.Errorf("again: %v, %v", err, q.Doubtful())
	}
	q.di = 2
	if _, err := q.Encode(nil, first); err != nil || q.Doubtful() {
		t.Errorf("another item: %v, %v", err, q.Doubtful())
	}
}

func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		control byte
		data    []byte
		words   string
		class   adapters.Class
	}{
		{0xD1, []byte{0x00}, "no reason given", adapters.Slow},
		{0xD1, []byte{0x01}, "other error", adapters.Slow},
		{0xD1, []byte{0x02}, "no such data", adapters.Config},
		{0xD1, []byte{0x04}, "wrong password or not authorised", adapters.Config},
		{0xD1, []byte{0x08}, "baud rate cannot be changed", adapters.Config},
		{0xD1, []byte{0x10}, "too many seasons", adapters.Config},
		{0xD1, []byte{0x20}, "too many daily tables", adapters.Config},
		{0xD1, []byte{0x40}, "too many tariffs", adapters.Config},
		{0xD1, []byte{0x83}, "other error, no such data, reserved bit 7", adapters.Config},
		{0xC1, []byte{0x02}, "no such data", adapters.Config}, // 1997
		{0xC3, []byte{0x01, 0x00}, "other error", adapters.Slow},
		{0xC3, []byte{0x02, 0x00}, "recharged twice", adapters.Config},
		{0xC3, []byte{0x04, 0x00}, "security module failed", adapters.Config},
		{0xC3, []byte{0x08, 0x00}, "identity not proved", adapters.Config},
		{0xC3, []byte{0x10, 0x00}, "customer number differs", adapters.Config},
		{0xC3, []byte{0x20, 0x00}, "purchase count wrong", adapters.Config},
		{0xC3, []byte{0x40, 0x00}, "credit above the limit", adapters.Config},
		{0xC3, []byte{0x80, 0x80}, "reserved bit 7, reserved bit 15", adapters.Config},
	} {
		r, err := parseRefusal(Frame{Control: tt.control, Data: tt.data})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Words(), ", "); got != tt.words || r.Class() != tt.class {
			t.Errorf("%02X % X: %s, %s", tt.control, tt.data, got, r.Class())
		}
		if !strings.Contains(r.Error(), tt.words) {
			t.Errorf("error %q", r)
		}
		if want := tt.control != 0xC3 && tt.data[0]&2 != 0; r.NoSuchData() != want {
			t.Errorf("%02X % X: no such data is %v", tt.control, tt.data, !want)
		}
	}
}
