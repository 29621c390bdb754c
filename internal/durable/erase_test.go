package durable_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"citygrid/internal/durable"
)

// TestErase looks at the bytes through a second name of the file: they are overwritten,
// not only forgotten.
func TestErase(t *testing.T) {
	dir := t.TempDir()
	path, second := filepath.Join(dir, "key"), filepath.Join(dir, "second")
	secret := bytes.Repeat([]byte("secret "), 100)
	if err := os.WriteFile(path, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, second); err != nil {
		t.Skipf("no second name for a file here: %v", err)
	}
	for range 2 { // the second time it is gone
		if err := durable.Erase(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	got, err := os.ReadFile(second)
	if err != nil || len(got) != len(secret) || bytes.Contains(got, []byte("secret")) {
		t.Errorf("%d bytes, %v; want %d others", len(got), err, len(secret))
	}
	if err := durable.Erase(dir); err == nil {
		t.Error("a folder was erased")
	}
}
