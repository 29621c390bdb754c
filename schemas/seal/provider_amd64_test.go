//go:build amd64 && !purego

package seal

import (
	"fmt"
	"strings"
	"testing"
)

// TestFastAEAD fails when the hot path falls back to the standard library's
// generic GCM, which is some eight times slower and allocates.
func TestFastAEAD(t *testing.T) {
	block, err := emmansun{}.newBlock(make([]byte, keySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := block.(gcmMaker); !ok {
		t.Errorf("%T has no NewGCM(int, int)", block)
	}
	if name := fmt.Sprintf("%T", mustAEAD(t, emmansun{}, make([]byte, keySize))); !strings.HasPrefix(name, "*sm4.") {
		t.Errorf("AEAD is a %s, want the fast one of package sm4", name)
	}
}

// TestNoAllocations holds for the fast AEAD; the standard library's generic GCM
// allocates by itself.
func TestNoAllocations(t *testing.T) {
	s, o := mustSealer(t, nil), mustOpener(t, nil)
	plain := make([]byte, 256)
	envelope, _, err := s.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { _, _, err = s.Seal(out, plain) }); n > 0 || err != nil {
		t.Errorf("Seal allocates %v times (%v)", n, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, err = o.Open(out, envelope) }); n > 0 && !raceEnabled || err != nil {
		t.Errorf("Open of a cached session allocates %v times (%v)", n, err)
	}
}
