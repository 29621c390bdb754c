package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestWriteFileOrder: the bytes are whole when they are synced, the file is
// synced and closed before it gets its name, and the name is synced last. A
// failing step ends the work, is reported, and leaves no temporary file.
func TestWriteFileOrder(t *testing.T) {
	all := []string{"sync", "rename", "sync folder"}
	for failing := range len(all) + 1 {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		steps := &recorder{t: t, path: path, fail: failing}
		err := system{steps.sync, steps.rename, steps.syncDir, os.Geteuid(), (*os.File).Chown}.replace(path, []byte("new"), 0o640)
		if want := all[:min(failing+1, len(all))]; !slices.Equal(steps.done, want) {
			t.Errorf("steps %q; want %q", steps.done, want)
		}
		if failed := failing < len(all); errors.Is(err, syscall.EIO) != failed || (err != nil) != failed {
			t.Errorf("step %d failed: %v", failing, err)
		}
		want := "new"
		if failing < 2 {
			want = "old"
		}
		steps.wantContent(path, want)
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("folder holds %v, %v", entries, err)
		}
	}
}

// recorder is a system that notes its steps, looks at the files at each, and
// fails at one.
type recorder struct {
	t    *testing.T
	path string
	fail int
	done []string
	file *os.File
}

func (r *recorder) step(name string) error {
	r.done = append(r.done, name)
	if len(r.done) == r.fail+1 {
		return syscall.EIO
	}
	return nil
}

func (r *recorder) sync(f *os.File) error {
	r.file = f
	r.wantContent(f.Name(), "new")
	r.wantContent(r.path, "old")
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o640 {
		r.t.Errorf("permissions when synced are %v, %v; want 0640", info.Mode(), err)
	}
	return r.step("sync")
}

func (r *recorder) rename(from, to string) error {
	if _, err := r.file.Stat(); !errors.Is(err, fs.ErrClosed) || from != r.file.Name() || to != r.path {
		r.t.Errorf("rename %s to %s, file closed: %v", from, to, err)
	}
	if err := r.step("rename"); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (r *recorder) syncDir(dir string) error {
	if dir != filepath.Dir(r.path) {
		r.t.Errorf("syncs %s", dir)
	}
	r.wantContent(r.path, "new")
	return r.step("sync folder")
}

func (r *recorder) wantContent(path, want string) {
	r.t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		r.t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}
