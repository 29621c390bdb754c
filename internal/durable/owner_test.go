package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What root writes stays readable for the service whose folder or file it is; whoever is
// not root changes no owner.
func TestOwnerIsKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no owners that a write would change")
	}
	for name, c := range map[string]struct {
		euid         int
		folder, file int // uid and gid; file 0: none is there
		want         int // 0: the owner is not changed
	}{
		"root, a file of the service":      {0, 1201, 1202, 1202},
		"root, a new file":                 {0, 1201, 0, 1201},
		"root, a new file in its own":      {0, 0, 0, 0},
		"the service":                      {1201, 1201, 1201, 0},
		"somebody else of the same folder": {1203, 1201, 1202, 0},
	} {
		t.Run(name, func(t *testing.T) { checkOwner(t, c.euid, c.folder, c.file, c.want) })
	}
}

func checkOwner(t *testing.T, euid, folder, file, want int) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	give := func(path string, id int) {
		if err := os.Chown(path, id, id); err != nil {
			t.Fatal(err)
		}
	}
	give(dir, folder)
	if file != 0 {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		give(path, file)
	}
	s := system{(*os.File).Sync, os.Rename, SyncDir, euid, (*os.File).Chown}
	if err := s.replace(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, path, want)
	if file == 0 && euid == 0 {
		for _, made := range []func(string) error{
			func(path string) error { return WriteFile(path, nil, 0o600) },
			func(path string) error { f, err := OpenFile(path, 0o600); _ = f.Close(); return err },
			func(path string) error { unlock, err := Lock(path); _ = unlock(); return err },
		} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := made(path); err != nil {
				t.Fatal(err)
			}
			wantOwner(t, path, want)
		}
	}
}

func wantOwner(t *testing.T, path string, want int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid, gid, ok := Owner(info); !ok || uid != want || gid != want {
		t.Errorf("it belongs to %d:%d, want %d", uid, gid, want)
	}
}

// What is there is opened as it is: a link that somebody put there gives nobody a file.
func TestOpenFileLeavesTheOwner(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "of root")
	if err := os.WriteFile(target, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 1201, 1201); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(link, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, target, 0)
}

// When the owner cannot be kept, the file that is there stays.
func TestOwnerThatCannotBeKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no owners that a write would change")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 1201, 1201); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(*os.File, int, int) error { return syscall.EPERM }
	err := system{(*os.File).Sync, os.Rename, SyncDir, 0, refuse}.replace(path, []byte("new"), 0o600)
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "run this as user") {
		t.Errorf("%v", err)
	}
	data, _ := os.ReadFile(path)
	if entries, err := os.ReadDir(filepath.Dir(path)); string(data) != "old" || err != nil || len(entries) != 1 {
		t.Errorf("it holds %q, the folder %v, %v", data, entries, err)
	}
}

// Where root may not give files away, a new file stays root's; a disk that fails is an
// error all the same.
func TestNewFileWhereRootGivesNothingAway(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can make folders of others")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1201, 1201); err != nil {
		t.Fatal(err)
	}
	for errno, ok := range map[syscall.Errno]bool{syscall.EPERM: true, syscall.EINVAL: true, syscall.ENOTSUP: true, syscall.EIO: false} {
		path := filepath.Join(dir, strconv.Itoa(int(errno)))
		err := system{(*os.File).Sync, os.Rename, SyncDir, 0, func(*os.File, int, int) error { return errno }}.replace(path, []byte("new"), 0o600)
		if data, _ := os.ReadFile(path); ok != (err == nil) || ok != (string(data) == "new") {
			t.Errorf("%v: %v, the file holds %q", errno, err, data)
		}
	}
}
