package dlt645

import (
	"bytes"
	"errors"
	"testing"
)

// TestReadItem reads an item as it came, of the meter named and of whoever is
// there, and says who refuses one.
func TestReadItem(t *testing.T) {
	s := threeSlave(t)
	b := busTo(t, s.addr, Config{Retries: -1})
	for _, address := range []string{plate, Anyone} {
		raw, err := b.ReadItem(background(t), address, 2007, 0x0001FF00)
		want := append(low(t, "00123456"), low(t, "00023456")...)
		if err != nil || raw.From != plate || !bytes.Equal(raw.Data, want) || raw.At.IsZero() {
			t.Errorf("%s: %+v, %v", address, raw, err)
		}
		raw, err = b.ReadItem(background(t), address, 2007, 0x0EEEEEEE)
		var refused *Refusal
		if !errors.As(err, &refused) || raw.From != plate {
			t.Errorf("%s: %+v, %v", address, raw, err)
		}
	}
	for _, bad := range []struct {
		address string
		edition int
		di      uint32
	}{{"12", 2007, 1}, {plate, 2018, 1}, {plate, 1997, 0x10000}} {
		if _, err := b.ReadItem(background(t), bad.address, bad.edition, bad.di); err == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
}
