package apdu

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// script is a card that expects commands in their order and answers them.
type script struct {
	t     testing.TB
	lines []string // "command > answer", in hexadecimal digits
	at    int
}

func (s *script) Transmit(_ context.Context, command []byte) ([]byte, error) {
	s.t.Helper()
	if s.at == len(s.lines) {
		s.t.Fatalf("command %d is not expected: %X", s.at+1, command)
	}
	want, answer, _ := strings.Cut(s.lines[s.at], ">")
	s.at++
	if got := fmt.Sprintf("%X", command); got != strings.ReplaceAll(want, " ", "") {
		s.t.Errorf("command %d is %s, want %s", s.at, got, want)
	}
	if strings.TrimSpace(answer) == "gone" {
		return nil, errGone
	}
	return unhex(s.t, strings.ReplaceAll(answer, " ", "")), nil
}

var errGone = errors.New("gone")

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t *testing.T, lines ...string) *script {
	s := &script{t: t, lines: lines}
	t.Cleanup(func() {
		if s.at != len(lines) {
			t.Errorf("%d of %d commands were sent", s.at, len(lines))
		}
	})
	return s
}

// TestCommandBytes are the four cases of short commands.
func TestCommandBytes(t *testing.T) {
	for _, c := range []struct {
		name    string
		command Command
		want    string
	}{
		{"1", Command{CLA: 0x80, INS: 0x10, P1: 1, P2: 2}, "80100102"},
		{"2", Command{INS: 0xB0, P1: 0x81, Le: 39}, "00B0810027"},
		{"2, 256 bytes", Command{INS: 0xB0, P1: 0x83, Le: 256}, "00B0830000"},
		{"3", Command{INS: 0xA4, Data: []byte{0x3F, 0}}, "00A40000023F00"},
		{"4", Command{INS: 0x88, P2: 1, Data: make([]byte, 8), Le: 8}, "0088000108000000000000000008"},
	} {
		if b, err := c.command.Bytes(); err != nil || fmt.Sprintf("%X", b) != c.want {
			t.Errorf("case %s: %X, %v; want %s", c.name, b, err, c.want)
		}
	}
	for _, c := range []Command{{Data: make([]byte, 256)}, {Le: 257}, {Le: -1}} {
		if b, err := c.Bytes(); err == nil {
			t.Errorf("%+v: %X", c, b)
		}
	}
}

func TestExchange(t *testing.T) {
	for _, c := range []struct {
		name    string
		command Command
		lines   []string
		want    string
		sw      uint16 // of the error, 0: none
	}{
		{"plain", Command{INS: 0xB0, P1: 0x81, Le: 2}, []string{"00B0810002 > ABCD 9000"}, "ABCD", 0},
		{"more", Command{INS: 0x88, Data: []byte{1}, Le: 4}, []string{"00880000010104 > 6104", "00C0000004 > 01020304 9000"}, "01020304", 0},
		{"more in two pieces", Command{INS: 0x88, Data: []byte{1}, Le: 4}, []string{"00880000010104 > 6102", "00C0000002 > 0102 6102", "00C0000002 > 0304 9000"}, "01020304", 0},
		{"256 more", Command{INS: 0x88, Data: []byte{1}}, []string{"008800000101 > 6100", "00C0000000 > " + strings.Repeat("5A", 256) + "9000"}, strings.Repeat("5A", 256), 0},
		{"right Le", Command{INS: 0xB0, P1: 0x81, Le: 255}, []string{"00B08100FF > 6C02", "00B0810002 > ABCD 9000"}, "ABCD", 0},
		{"right Le only once", Command{INS: 0xB0, P1: 0x81, Le: 255}, []string{"00B08100FF > 6C02", "00B0810002 > 6C03"}, "", 0x6C03},
		{"no repetition of a challenge", Command{INS: 0x84, Le: 4}, []string{"0084000004 > 6C08"}, "", 0x6C08},
		{"nor of a proved read", Command{CLA: 4, INS: 0xB0, P1: 0x81, Le: 255}, []string{"04B08100FF > 6C02"}, "", 0x6C02},
		{"nor of a write", Command{INS: 0xD6, P1: 0x81, Data: []byte{1}}, []string{"00D681000101 > 6C01"}, "", 0x6C01},
		{"refused", Command{INS: 0xB0, P1: 0x81, Le: 2}, []string{"00B0810002 > 6A82"}, "", 0x6A82},
		{"refused later", Command{INS: 0x88, Data: []byte{1}}, []string{"008800000101 > 6102", "00C0000002 > 6F00"}, "", 0x6F00},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Exchange(t.Context(), run(t, c.lines...), c.command)
			var e *StatusError
			switch {
			case c.sw == 0 && (err != nil || !bytes.Equal(got, unhex(t, c.want))):
				t.Errorf("%X, %v", got, err)
			case c.sw != 0 && (!errors.As(err, &e) || e.SW != c.sw):
				t.Errorf("%X, %v; want status word %04X", got, err, c.sw)
			}
		})
	}
}

func TestExchangeWithoutAnswer(t *testing.T) {
	for _, lines := range [][]string{
		{"0084000004 > gone"}, {"0084000004 > "}, {"0084000004 > 90"}, {"0084000004 > " + strings.Repeat("00", 260)},
	} {
		var e *StatusError
		if _, err := Exchange(t.Context(), run(t, lines...), Command{INS: 0x84, Le: 4}); err == nil || errors.As(err, &e) {
			t.Errorf("%v: %v", lines, err)
		}
	}
	if _, err := Exchange(t.Context(), run(t, "0084000004 > gone"), Command{INS: 0x84, Le: 4}); !errors.Is(err, errGone) {
		t.Errorf("the cause is lost: %v", err)
	}
	endless := endlessCard{}
	if _, err := Exchange(t.Context(), endless, Command{INS: 0x84, Le: 4}); err == nil {
		t.Error("a card that always has more is believed")
	}
}

type endlessCard struct{}

func (endlessCard) Transmit(context.Context, []byte) ([]byte, error) { return []byte{0x61, 0x01}, nil }

// TestStatusWords checks meaning, kind, tries left, and whether the card has left
// everything as it was.
func TestStatusWords(t *testing.T) {
	for _, c := range []struct {
		sw      uint16
		kind    error
		tries   int // -1: says nothing
		refused bool
		says    string
	}{
		{0x6281, nil, -1, false, "warning"},
		{0x63C2, ErrWrongSecret, 2, false, "2 tries left"},
		{0x6300, ErrWrongSecret, -1, false, "proof was wrong"},
		{0x63C0, ErrBlocked, 0, false, "no tries left"},
		{0x6400, nil, -1, true, "failure"},
		{0x6581, nil, -1, false, "memory"},
		{0x6700, nil, -1, true, "length"},
		{0x6982, ErrSecurity, -1, true, "security status"},
		{0x6983, ErrBlocked, 0, true, "blocked"},
		{0x6984, ErrSecurity, -1, true, "challenge"},
		{0x6985, ErrSecurity, -1, true, "conditions"},
		{0x6988, ErrMAC, -1, true, "MAC wrong"},
		{0x6A80, nil, -1, true, "data"},
		{0x6A81, nil, -1, true, "locked"},
		{0x6A82, ErrFileNotFound, -1, true, "file not found"},
		{0x6A83, ErrFileNotFound, -1, true, "record"},
		{0x6A86, nil, -1, true, "parameters"},
		{0x6A88, ErrSecurity, -1, true, "key"},
		{0x6B00, nil, -1, true, "never issued"},
		{0x6C08, nil, -1, true, "8 bytes are there"},
		{0x6D00, nil, -1, true, "not known"},
		{0x6E00, nil, -1, true, "not known"},
		{0x6F00, nil, -1, false, "without known meaning"},
		{0x9302, ErrMAC, -1, true, "MAC wrong"},
		{0x9303, ErrBlocked, 0, true, "blocked"},
		{0x9401, nil, -1, true, "credit"},
		{0x9403, ErrSecurity, -1, true, "key"},
		{0x9406, ErrMAC, -1, true, "MAC missing"},
	} {
		e := &StatusError{Command: "VERIFY of secret 01", SW: c.sw}
		for _, kind := range []error{ErrFileNotFound, ErrSecurity, ErrMAC, ErrWrongSecret, ErrBlocked} {
			if errors.Is(e, kind) != (kind == c.kind) {
				t.Errorf("%04X: Is(%v) is wrong", c.sw, kind)
			}
		}
		left, ok := e.Tries()
		if ok != (c.tries >= 0) || ok && left != c.tries {
			t.Errorf("%04X: %d tries, %t", c.sw, left, ok)
		}
		if e.Refused() != c.refused {
			t.Errorf("%04X: refused is %t", c.sw, e.Refused())
		}
		text := e.Error()
		if !strings.HasPrefix(text, fmt.Sprintf("VERIFY of secret 01: the card answers %04X, ", c.sw)) || !strings.Contains(text, c.says) || strings.Count(text, ": ") < 2 {
			t.Errorf("%04X: %s", c.sw, text)
		}
	}
}

func TestReadBinary(t *testing.T) {
	got, err := ReadBinary(t.Context(), run(t, "00B0990108 > 0001020304050607 9000"), 0x19, 1, 8)
	if err != nil || len(got) != 8 || got[7] != 7 {
		t.Errorf("%X, %v", got, err)
	}
	long := strings.Repeat("5A", 255)
	s := run(t, "00B08300FF > "+long+"9000", "00B083FF03 > 010203 9000")
	if got, err = ReadBinary(t.Context(), s, 3, 0, 258); err != nil || len(got) != 258 || got[257] != 3 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s = run(t, "00B08300FF > "+long+"9000", "00B083FFFF > "+long+"9000", "00B001FE02 > 0102 9000")
	if got, err = ReadBinary(t.Context(), s, 3, 0, 512); err != nil || len(got) != 512 || got[511] != 2 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err = ReadBinary(t.Context(), run(t, "00B0830004 > 010203 9000"), 3, 0, 4); !errors.Is(err, ErrShortFile) {
		t.Errorf("a short answer: %v", err)
	}
	for _, c := range []struct {
		sfi       byte
		offset, n int
	}{{0, 0, 1}, {31, 0, 1}, {1, -1, 1}, {1, 0x8000, 1}} {
		if _, err = ReadBinary(t.Context(), run(t), c.sfi, c.offset, c.n); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestUpdateBinary(t *testing.T) {
	if err := UpdateBinary(t.Context(), run(t, "00D6820002ABCD > 9000"), 2, 0, []byte{0xAB, 0xCD}); err != nil {
		t.Error(err)
	}
	s := run(t, "00D68300FF"+strings.Repeat("00", 255)+" > 9000", "00D683FF03000000 > 9000")
	if err := UpdateBinary(t.Context(), s, 3, 0, make([]byte, 258)); err != nil {
		t.Error(err)
	}
	s = run(t, "00D6820001AB > 6581")
	if err := UpdateBinary(t.Context(), s, 2, 0, []byte{0xAB}); err == nil {
		t.Error("a failure is not told")
	}
}

// TestUpdateBinaryMAC: each piece has a challenge of its own, Lc counts the MAC,
// and the message that is signed is the command without it.
func TestUpdateBinaryMAC(t *testing.T) {
	var signed []string
	sign := func(_ context.Context, challenge, message []byte) ([4]byte, error) {
		signed = append(signed, fmt.Sprintf("%X %X", challenge, message))
		return [4]byte{0xCA, 0xFE, 0, byte(len(signed))}, nil
	}
	s := run(t, "0084000004 > 11223344 9000", "04D6820006ABCDCAFE0001 > 9000")
	data := []byte{0xAB, 0xCD, 0xEF}[:2]
	if err := UpdateBinaryMAC(t.Context(), s, 2, 0, data, sign); err != nil {
		t.Error(err)
	}
	if want := "11223344 04D6820006ABCD"; len(signed) != 1 || signed[0] != want {
		t.Errorf("signed %q, want %s", signed, want)
	}
	if data[:3][2] != 0xEF {
		t.Error("the MAC was written behind the caller's data")
	}
	signed = nil
	s = run(t, "0084000004 > 11223344 9000", "04D68300FF"+strings.Repeat("00", 251)+"CAFE0001 > 9000",
		"0084000004 > 55667788 9000", "04D683FB0500CAFE0002 > 9000")
	if err := UpdateBinaryMAC(t.Context(), s, 3, 0, make([]byte, 252), sign); err != nil {
		t.Error(err)
	}
	none := errors.New("no keys")
	refuse := func(context.Context, []byte, []byte) ([4]byte, error) { return [4]byte{}, none }
	if err := UpdateBinaryMAC(t.Context(), run(t, "0084000004 > 11223344 9000"), 3, 0, []byte{1}, refuse); !errors.Is(err, none) {
		t.Errorf("the security module's error: %v", err)
	}
}

// TestOtherCommands holds the bytes of the remaining commands.
func TestOtherCommands(t *testing.T) {
	ctx := t.Context()
	check := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("select", Select(ctx, run(t, "00A4000002DF01 > 9000"), 0xDF01))
	check("select, more to be had", Select(ctx, run(t, "00A4000002DF01 > 6112"), 0xDF01))
	check("select by name", SelectName(ctx, run(t, "00A4040005A000000003 > 9000"), []byte{0xA0, 0, 0, 0, 3}))
	check("external", ExternalAuthenticate(ctx, run(t, "00820001080102030405060708 > 9000"), 1, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	check("verify", Verify(ctx, run(t, "0020000103123456 > 9000"), 1, []byte{0x12, 0x34, 0x56}))
	got, err := InternalAuthenticate(ctx, run(t, "0088000208010203040506070808 > 6108", "00C0000008 > 0807060504030201 9000"), 2, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	if err != nil || len(got) != 8 {
		t.Errorf("internal: %X, %v", got, err)
	}
	got, err = ReadRecord(ctx, run(t, "00B201C417 > "+strings.Repeat("00", 23)+"9000"), 0x18, 1, 23)
	if err != nil || len(got) != 23 {
		t.Errorf("record: %X, %v", got, err)
	}
	if _, err := ReadRecord(ctx, run(t), 31, 1, 23); err == nil {
		t.Error("file 31 is accepted")
	}
	if err := Select(ctx, run(t, "00A4000002DF09 > 6A82"), 0xDF09); !errors.Is(err, ErrFileNotFound) {
		t.Errorf("select of nothing: %v", err)
	}
	if _, err := Challenge(ctx, run(t, "0084000008 > 11223344 9000"), 8); err == nil {
		t.Error("a short challenge is accepted")
	}
	if err := Verify(ctx, run(t, "0020000103123456 > 63C1"), 1, []byte{0x12, 0x34, 0x56}); !errors.Is(err, ErrWrongSecret) || strings.Contains(err.Error(), "123456") {
		t.Errorf("verify: %v", err)
	}
}

// FuzzExchange answers with anything: nothing may panic, go on for ever, or
// return more than the card gave.
func FuzzExchange(f *testing.F) {
	f.Add([]byte{0x90, 0x00})
	f.Add([]byte{2, 0x61, 0x02, 4, 1, 2, 0x90, 0x00})
	f.Add([]byte{2, 0x6C, 0x01, 3, 7, 0x90, 0x00})
	f.Fuzz(func(t *testing.T, answers []byte) {
		card := &pieces{rest: answers}
		for _, c := range []Command{{INS: 0xB0, P1: 0x81, Le: 16}, {INS: 0x88, Data: []byte{1}, Le: 8}, {CLA: 4, INS: 0xD6, P1: 0x81, Data: []byte{1}}} {
			data, err := Exchange(t.Context(), card, c)
			if err == nil && len(data) > card.given {
				t.Errorf("%d bytes out of %d", len(data), card.given)
			}
		}
		if card.sent > 3*(maxPieces+3) {
			t.Errorf("%d commands", card.sent)
		}
	})
}

// pieces answers with the next piece of its bytes, of which the first says how
// long it is.
type pieces struct {
	rest        []byte
	given, sent int
}

func (p *pieces) Transmit(context.Context, []byte) ([]byte, error) {
	p.sent++
	if len(p.rest) == 0 {
		return nil, errGone
	}
	n := min(int(p.rest[0]), len(p.rest)-1)
	answer := p.rest[1 : 1+n]
	p.rest, p.given = p.rest[1+n:], p.given+n
	return answer, nil
}
