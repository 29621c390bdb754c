package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citygrid/internal/durable"
)

// TestHiddenFolders: what a part names itself is copied whatever its name; only below it
// is anything left out.
func TestHiddenFolders(t *testing.T) {
	home, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	hidden, file := filepath.Join(home, ".lists"), write(t, filepath.Join(home, "lock"), "asked for")
	write(t, filepath.Join(hidden, "a"), "x")
	write(t, filepath.Join(hidden, ".a.tmp-1"), "half")
	m, err := Take(t.Context(), dir, "test", []Part{Files("p", []string{hidden, file}, Temporary)}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	if want := []string{"p/.lists/a", "p/lock"}; !slices.Equal(names, want) {
		t.Errorf("the copy has %q, want %q", names, want)
	}
}

// TestPartsWithoutFiles: a required one fails the copy, another is said to be missing
// where that says anything.
func TestPartsWithoutFiles(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "empty", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"empty", "absent"} {
		part := Files("p", []string{filepath.Join(home, path)}, nil)
		m, err := Take(t.Context(), filepath.Join(t.TempDir(), "copy"), "test", []Part{part}, []string{"photos"}, now)
		if err != nil || !slices.Equal(m.Missing, []string{"photos"}) {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
		part.Absent = "p: nothing yet"
		m, err = Take(t.Context(), filepath.Join(t.TempDir(), "copy"), "test", []Part{part}, []string{"photos"}, now)
		if err != nil || !slices.Equal(m.Missing, []string{"photos", "p: nothing yet"}) {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
		part.Required = true
		dir := filepath.Join(t.TempDir(), "copy")
		if _, err = Take(t.Context(), dir, "test", []Part{part}, nil, now); err == nil || !strings.Contains(err.Error(), "nothing to copy") {
			t.Errorf("%s: required, and %v", path, err)
		}
		if _, err := Check(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a manifest: %v", path, err)
		}
	}
	m, err := Take(t.Context(), filepath.Join(t.TempDir(), "copy"), "test", []Part{SQLite("grid.db", "sqlite:"+filepath.Join(home, "grid.db"))}, nil, now)
	if err != nil || len(m.Missing) != 1 || !strings.HasPrefix(m.Missing[0], "grid: ") {
		t.Errorf("a database that is not there: %+v, %v", m, err)
	}
}

// TestAllPlacesAreLookedAtFirst: what is in the way of the last part keeps the first from
// being put back, too.
func TestAllPlacesAreLookedAtFirst(t *testing.T) {
	from, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	write(t, filepath.Join(from, "first"), "1")
	write(t, filepath.Join(from, "last"), "2")
	parts := func(home, last string) []Part {
		return []Part{Files("one", []string{filepath.Join(home, "first")}, nil), Files("two", []string{filepath.Join(home, last)}, nil)}
	}
	if _, err := Take(t.Context(), dir, "test", parts(from, "last"), nil, now); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	write(t, filepath.Join(home, "last"), "kept")
	for name, p := range map[string][]Part{
		"in the way":          parts(home, "last"),
		"no place for a file": parts(home, "elsewhere"),
		"no place for a part": parts(home, "last")[:1],
	} {
		_, err := Put(t.Context(), dir, p)
		if err == nil || !strings.HasSuffix(err.Error(), "nothing was put back") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(home, "first")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the first part is there: %v", name, err)
		}
	}
	broken := parts(home, "last")
	broken[1] = Part{Name: "two", Put: func(context.Context, string) error { return errors.New("disk full") }}
	if _, err := Put(t.Context(), dir, broken); err == nil || !strings.Contains(err.Error(), "stays") {
		t.Errorf("a failure on the way: %v", err)
	}
}

// TestRootGivesToTheOwner: what root puts back belongs to the owner of the folder that it
// goes into, with the folders on the way, and nothing beyond a link changes hands.
func TestRootGivesToTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const uid, gid = 12345, 23456
	from, dir, home := t.TempDir(), filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "home")
	write(t, filepath.Join(from, "tree", "deep", "a"), "1")
	write(t, filepath.Join(from, "file"), "2")
	parts := func(home string) []Part {
		return []Part{Files("p", []string{filepath.Join(home, "tree"), filepath.Join(home, "file")}, nil)}
	}
	if _, err := Take(t.Context(), dir, "test", parts(from), nil, now); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, uid, gid)); err != nil {
		t.Fatal(err)
	}
	if _, err := Put(t.Context(), dir, parts(filepath.Join(home, "new", "er"))); err != nil {
		t.Fatal(err)
	}
	owned := func(path string) bool {
		t.Helper()
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		u, g, _ := durable.Owner(info)
		return u == uid && g == gid
	}
	for _, path := range []string{"new", "new/er", "new/er/tree", "new/er/tree/deep", "new/er/tree/deep/a", "new/er/file"} {
		if !owned(filepath.Join(home, path)) {
			t.Errorf("%s is not its folder's owner's", path)
		}
	}
	outside := write(t, filepath.Join(t.TempDir(), "passwd"), "root")
	link := filepath.Join(home, "made", "link")
	if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o700), os.Symlink(outside, link), Adopt(filepath.Dir(link))); err != nil {
		t.Fatal(err)
	}
	if !owned(link) || owned(outside) {
		t.Errorf("link given %v, what it names given %v", owned(link), owned(outside))
	}
}
