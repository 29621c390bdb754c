package dlt645

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestConceal: a command's password and data are zeros, torn or whole, on its way
// out or heard again; what reads is left as it is.
func TestConceal(t *testing.T) {
	const head = "68 61 01 00 00 00 00 68"
	for _, c := range []struct{ name, in, want string }{
		{"a read", head + "11 04 33 33 34 33 14 16", ""},
		{"an answer", head + "91 08 33 33 34 33 44 44 44 44 A8 16", ""},
		{"an answer to a write", head + "94 00 C5 16", ""},
		{"the broadcast time", head + "08 06 33 34 35 36 37 38 99 16", ""},
		{"a write", head + "14 0C 34 34 33 37 35 44 55 66 33 33 33 33 00 16", head + "14 0C 00 00 00 00 00 00 00 00 00 00 00 00 00 16"},
		{"a switch, torn", head + "1C 10 35 44 55", head + "1C 10 00 00 00"},
		{"a new password, behind noise and wake-up", "55 FE FE" + head + "18 04 35 44 55 66 00 16", "55 FE FE" + head + "18 04 00 00 00 00 00 16"},
		{"a read and then a write", head + "11 04 33 33 34 33 14 16" + head + "04 02 35 44 00 16", head + "11 04 33 33 34 33 14 16" + head + "04 02 00 00 00 16"},
		{"a head alone", head, ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, want := spaced(t, c.in), spaced(t, c.want)
			if c.want == "" {
				want = bytes.Clone(b)
			}
			if Conceal(b); !bytes.Equal(b, want) {
				t.Errorf("% X, want % X", b, want)
			}
		})
	}
}

func spaced(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
