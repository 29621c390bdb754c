package backup

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzManifest: a manifest that was changed never lets a file out of the copy's folder
// in or out, and does not panic.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"program":"test","taken_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:00Z","parts":["keys"],"files":[{"path":"keys/a","size":1,"sm3":"00"}]}`))
	f.Add([]byte(`{"format":1,"parts":["../x","keys","keys"],"files":[{"path":"../../etc/passwd","size":-1,"sm3":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir, home := t.TempDir(), t.TempDir()
		write(t, filepath.Join(dir, "keys", "keys", "a"), "x")
		write(t, filepath.Join(dir, manifestName), string(data))
		m, err := Put(t.Context(), dir, []Part{Files("keys", []string{filepath.Join(home, "in", "keys")}, nil)})
		if err == nil && len(m.Files) > 1 {
			t.Errorf("one file is there, and %d are taken for right", len(m.Files))
		}
		entries, err := os.ReadDir(home)
		if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "in" {
			t.Errorf("outside the folder: %v, %v", entries, err)
		}
	})
}
