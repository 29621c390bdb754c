package sts

import (
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// TestVectors: the tokens of the compliance test CTSA02 [STS 531-1], which carry
// all control bits set.
func TestVectors(t *testing.T) {
	for s, want := range map[string]uint64{
		"5649 3153 7254 5031 3471": 0x0FFFFFFFFF005EFF,
		"0230-5843-0050-5295-1967": 0x1FFFFFFF00001D9F,
	} {
		got, err := Parse(s)
		if err != nil || got.Class != Test || got.Block != want {
			t.Errorf("Parse(%q) = %s %016X, %v; want %016X", s, got.Class, got.Block, err, want)
		}
		if plain := strings.NewReplacer(" ", "", "-", ""); plain.Replace(got.String()) != plain.Replace(s) {
			t.Errorf("%q is written as %q", s, got)
		}
	}
}

func TestRefused(t *testing.T) {
	for s, says := range map[string]string{
		"5649 3153 7254 5031 347":  "of 19 characters",
		"5649 3153 7254 5031 3472": "check sum",
		"5649 3153 7254 5O31 3471": "digits only",
		"+649 3153 7254 5031 3471": "digits only",
		"7378 6976 2948 3820 6464": "66-bit",
		"9999 9999 9999 9999 9999": "66-bit",
		"５６49 3153 7254 5031 3471": "want 20 digits",
		"":                         "0 characters",
	} {
		if _, err := Parse(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Parse(%q): %v; want it to say %q", s, err, says)
		}
	}
}

func TestAmount(t *testing.T) {
	for field, want := range map[uint16]uint64{
		0x0000: 0, 0x2710: 10000, 0x3FFF: 16383, 0x4000: 16384, 0x7FFF: 180214, 0x8000: 180224, 0xFFFF: 18201624,
	} {
		if got := Amount(field); got != want {
			t.Errorf("Amount(%04X) = %d, want %d", field, got, want)
		}
	}
	for field := 1; field <= 0xFFFF; field++ {
		if Amount(uint16(field)) <= Amount(uint16(field-1)) {
			t.Fatalf("Amount does not rise at %04X", field)
		}
	}
}

func TestTID(t *testing.T) {
	at := time.Date(2020, 1, 1, 8, 0, 0, 0, time.UTC)
	for base, want := range map[Base]TID{Base1993: 14200320, Base2014: 3155520} {
		got, err := TIDAt(at, base)
		if err != nil || got != want || !got.Time(base).Equal(at) {
			t.Errorf("TIDAt(%d) = %d, %v; want %d", base, got, err, want)
		}
	}
	last := time.Date(2024, 11, 24, 20, 15, 0, 0, time.UTC)
	if got, err := TIDAt(last, Base1993); err != nil || got != maxTID {
		t.Errorf("last minute of 1993: %d, %v", got, err)
	}
	for _, bad := range []time.Time{last.Add(time.Minute), Base1993.start().Add(-time.Nanosecond)} {
		if _, err := TIDAt(bad, Base1993); err == nil {
			t.Errorf("TIDAt(%s) is taken", bad)
		}
	}
	if got := TID(7).Ref(); got != (schemas.PurchaseRef{Scheme: schemas.ByTID, Number: 7}) {
		t.Errorf("Ref = %v", got)
	}
}

// TestOpenCredit: an opened block is told from a closed one by its check sum.
func TestOpenCredit(t *testing.T) {
	data := uint64(1)<<44 | 0xA<<40 | 3155520<<16 | 0x2710
	block := data<<16 | uint64(Checksum(Credit, data))
	want := Plain{Subclass: 1, Random: 0xA, TID: 3155520, Units: 10000}
	if got, err := OpenCredit(block); err != nil || got != want {
		t.Errorf("OpenCredit = %+v, %v; want %+v", got, err, want)
	}
	for bit := range 64 {
		if _, err := OpenCredit(block ^ 1<<bit); err == nil {
			t.Errorf("bit %d changed, and it is taken", bit)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("5649 3153 7254 5031 3471")
	f.Add("00000000000000000000")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(token.String()); err != nil || again != token {
			t.Errorf("%q is %+v, written %q, read %+v, %v", s, token, token, again, err)
		}
	})
}
