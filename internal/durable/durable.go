// Package durable replaces files so that a power cut leaves either the old
// content or the new one, never a mixture, and holds the lock that keeps two
// processes out of one data folder.
//
// The order of steps follows POSIX.1-2017: fsync of the file makes its bytes
// durable, rename is atomic for observers, and only an fsync of the folder makes
// the name durable.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile replaces the file at path with data, durably and atomically: when
// it returns nil, the new content survives a power cut; when it returns an
// error, the file at path is either untouched or whole and new, and no
// temporary file is left behind. The file gets exactly the permissions perm,
// whatever the process's umask. A symbolic link at path is replaced, not
// followed.
func WriteFile(path string, data []byte, perm os.FileMode) error {
	return system{(*os.File).Sync, os.Rename, SyncDir}.replace(path, data, perm)
}

// system is the steps of WriteFile of which only the order can be tested: what
// they do shows when the power goes.
type system struct {
	sync    func(*os.File) error
	rename  func(from, to string) error
	syncDir func(dir string) error
}

// replace is WriteFile.
func (s system) replace(path string, data []byte, perm os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := s.fill(f, data, perm); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	if err := s.rename(f.Name(), path); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return s.syncDir(dir)
}

// fill writes data to f, makes it durable and closes f in every case.
func (s system) fill(f *os.File, data []byte, perm os.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = s.sync(f)
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in folder dir durable: files created in it, renamed
// or removed before the call stay so after a power cut. On Windows, where a
// folder cannot be synced and the file system journals names, it only checks
// that dir exists.
func SyncDir(dir string) error {
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("make the names in %s durable: %w", dir, err)
	}
	return nil
}
