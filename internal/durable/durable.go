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
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile replaces the file at path with data, durably and atomically: when
// it returns nil, the new content survives a power cut; when it returns an
// error, the file at path is either untouched or whole and new, and no
// temporary file is left behind. The file gets exactly the permissions perm,
// whatever the process's umask. A symbolic link at path is replaced, not
// followed.
//
// What root writes belongs to the owner and group of the file that it replaces, and a new
// file to those of the folder, so that the service whose folder it is can read it. Where
// root may not give files away, as in some containers, a new file stays root's, and a file
// of somebody else is not replaced.
func WriteFile(path string, data []byte, perm os.FileMode) error {
	return system{(*os.File).Sync, os.Rename, SyncDir, os.Geteuid(), (*os.File).Chown}.replace(path, data, perm)
}

// system is the steps of WriteFile of which only the order can be tested: what
// they do shows when the power goes.
type system struct {
	sync    func(*os.File) error
	rename  func(from, to string) error
	syncDir func(dir string) error
	euid    int // of this process; on Windows -1
	chown   func(f *os.File, uid, gid int) error
}

// replace is WriteFile.
func (s system) replace(path string, data []byte, perm os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := s.fill(f, path, data, perm); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	if err := s.rename(f.Name(), path); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return s.syncDir(dir)
}

// fill writes data to f, which is to replace path, makes it durable and closes f in
// every case.
func (s system) fill(f *os.File, path string, data []byte, perm os.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = keepOwner(f, path, s.euid, s.chown)
	}
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

// OpenFile opens the file at path for reading and writing, and makes an empty one with
// perm where there is none. Like WriteFile it leaves what root makes in somebody's folder
// to the owner of the folder.
func OpenFile(path string, perm os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := keepOwner(f, path, os.Geteuid(), (*os.File).Chown); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// keepOwner gives f, which a process of user euid has just made, to the owner of the file
// that it is to replace at path, or of the folder. Only root can, and only root needs to:
// a service whose file an operator has replaced as root could not read it any more.
func keepOwner(f *os.File, path string, euid int, chown func(f *os.File, uid, gid int) error) error {
	if euid != 0 {
		return nil
	}
	info, err := os.Lstat(path)
	made, _ := f.Stat()
	isNew := errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(info, made)
	if isNew {
		info, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	uid, gid, ok := Owner(info)
	if !ok || uid == 0 && gid == 0 {
		return nil
	}
	switch err := chown(f, uid, gid); {
	case err == nil, isNew && refused(err):
		return nil
	default:
		return fmt.Errorf("leave the file to its owner: %w; run this as user %d", err, uid)
	}
}

// refused tells that the system does not let root give this file away: it lacks the
// capability, the owner is no user of its name space, or the file system has no owners.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}
