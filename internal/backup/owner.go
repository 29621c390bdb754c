package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"citygrid/internal/durable"
)

// Adopt gives what root has made at path, and all that is in it, the owner and the group
// of the folder in which it lies, so that a service that is another user finds its files
// its own. Nobody but root can, and for others it does nothing. It follows no symbolic
// link.
func Adopt(path string) error {
	if os.Geteuid() != 0 { // -1 on Windows
		return nil
	}
	dir, name := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir) // somebody else's folder: nothing in it may lead out
	if err != nil {
		return fmt.Errorf("owner of %s: %w", path, err)
	}
	err = adoptIn(root, name)
	return errors.Join(err, root.Close())
}

func adoptIn(root *os.Root, name string) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	uid, gid, known := durable.Owner(info)
	if !known {
		return nil
	}
	return fs.WalkDir(root.FS(), name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if u, g, _ := durable.Owner(info); u == uid && g == gid { // not every file system can change them
			return nil
		}
		return root.Lchown(path, uid, gid)
	})
}

// Folder makes the folder at path with mode 0700, and those above it, where they are not
// there yet, each with the owner that Adopt would give it.
func Folder(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = Folder(filepath.Dir(path)); err == nil {
			err = os.Mkdir(path, 0o700)
		}
	}
	if err == nil {
		return Adopt(path)
	}
	if info, stat := os.Stat(path); stat == nil && info.IsDir() {
		return nil
	}
	return err
}
