package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Erase overwrites the file at path with random bytes, durably, and removes it,
// durably. One that is not there is erased. Flash memory, journals and back-ups may
// keep old blocks all the same: it makes a secret hard to find, not impossible.
func Erase(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	if err := errors.Join(overwrite(f), f.Close()); err != nil {
		return fmt.Errorf("erase %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return SyncDir(filepath.Dir(path))
}

func overwrite(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	noise := make([]byte, info.Size())
	_, _ = rand.Read(noise) // never fails, by its documentation
	if _, err := f.WriteAt(noise, 0); err != nil {
		return err
	}
	return f.Sync()
}
