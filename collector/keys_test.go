package collector

import (
	"bytes"
	"errors"
	"testing"

	"citygrid/schemas/seal"
)

// A box opens what the hub seals under its key, and under the keys that it had: an
// answer may have been on its way while the bundle was changed.
func TestOwnKey(t *testing.T) {
	key := func(fill byte) seal.CollectorKey {
		k, err := seal.NewCollectorKey(bytes.Repeat([]byte{fill}, seal.SecretSize))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	c := &Collector{id: "c1", o: Options{Bundle: &seal.Bundle{Collector: "c1", Generation: 0x0200, Key: key(2),
		Previous: []seal.PreviousKey{{Generation: 0x0101, Key: key(1)}}}}}
	for generation, want := range map[uint16]seal.CollectorKey{0x0200: key(2), 0x0101: key(1)} {
		if got, err := c.ownKey(generation, "c1"); err != nil || !got.Equal(want.Secret) {
			t.Errorf("%#04x: another key, %v", generation, err)
		}
	}
	for generation, id := range map[uint16]string{0x0100: "c1", 0x0201: "c1", 0x0200: "c2"} {
		var e *seal.Error
		if _, err := c.ownKey(generation, id); !errors.As(err, &e) {
			t.Errorf("%s under %#04x: %v, want a refusal", id, generation, err)
		}
	}
}
