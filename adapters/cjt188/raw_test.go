package cjt188

import (
	"bytes"
	"testing"
)

// TestReadItem reads items of any length in the order of either edition.
func TestReadItem(t *testing.T) {
	d := newDouble(t)
	d.high, d.deny = false, true
	addr := serve(t, d.handle)
	b := New(testLine(t, addr), Config{Retries: -1})
	for _, address := range []string{"00112233445566", "AAAAAAAAAAAAAA"} {
		for di, want := range map[uint16][]byte{0x901F: d.items[0x901F], 0x8103: d.items[0x8103]} {
			raw, err := b.ReadItem(t.Context(), AnyType, address, 2018, di)
			if err != nil || raw.From != "00112233445566" || raw.Type != 0x10 || !bytes.Equal(raw.Data, want) || raw.At.IsZero() {
				t.Errorf("%s %04X: %+v, %v", address, di, raw, err)
			}
		}
	}
	if raw, err := b.ReadItem(t.Context(), AnyType, "00112233445566", 2004, 0x901F); err == nil {
		t.Errorf("in the order it does not take: %+v", raw)
	}
	for _, bad := range []struct {
		address string
		edition int
	}{{"12", 2018}, {"00112233445566", 2007}} {
		if _, err := b.ReadItem(t.Context(), AnyType, bad.address, bad.edition, 0x901F); err == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
}
