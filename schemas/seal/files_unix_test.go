//go:build unix

package seal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestReadPassphraseFromDescriptor(t *testing.T) {
	fd := pipeWith(t, "from fd\n")
	s, err := ReadPassphrase(fmt.Sprintf("fd:%d", fd))
	if err != nil || string(s.Reveal()) != "from fd" {
		t.Errorf("got %q, %v", s.Reveal(), err)
	}
}

// pipeWith returns a descriptor of its own that holds text.
func pipeWith(t *testing.T, text string) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(r.Fd()))
	if err := errors.Join(err, w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	return fd
}
