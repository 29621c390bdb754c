package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"citygrid/internal/durable"
)

// Files is the part name made of the files and folders at paths. One that is not there
// is left out, and so is in a folder what skip, which may be nil, says so of by its base
// name. Files that are written at one stroke (internal/durable) are whole in the copy.
// Two paths of one base name are an error.
func Files(name string, paths []string, skip func(base string) bool) Part {
	return Part{
		Name: name,
		Take: func(_ context.Context, to string) error {
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			for _, from := range paths {
				if err := copyTree(from, filepath.Join(to, filepath.Base(from)), skip); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return durable.SyncDir(to)
		},
		Free: func(from string) error { return eachOf(from, paths, func(_, to string) error { return Free(to) }) },
		Put: func(_ context.Context, from string) error {
			return eachOf(from, paths, func(from, to string) error { return copyTree(from, to, nil) })
		},
	}
}

// eachOf does something for whatever the folder from has, with the one of paths that is
// its place, in the order of paths.
func eachOf(from string, paths []string, do func(from, to string) error) error {
	entries, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a folder without a file is in no manifest
		return err
	}
	has := make(map[string]bool)
	for _, e := range entries {
		has[e.Name()] = true
		if !slices.ContainsFunc(paths, func(to string) bool { return filepath.Base(to) == e.Name() }) {
			return fmt.Errorf("the copy has %s, and the configuration names no place for it", e.Name())
		}
	}
	for _, to := range paths {
		if base := filepath.Base(to); has[base] {
			if err := do(filepath.Join(from, base), to); err != nil {
				return err
			}
		}
	}
	return nil
}

// Free reports a file at the path to, or a folder with anything in it.
func Free(to string) error {
	info, err := os.Stat(to)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(to); err == nil { // a link to nothing
			return inTheWay(to)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return inTheWay(to)
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is there already and not empty: nothing is written over; move away what is in it", to)
	}
	return nil
}

func inTheWay(to string) error {
	return fmt.Errorf("%s is there already: nothing is written over; move it away", to)
}

// copyTree copies a file, or a folder with all that is in it but what skip names, durably.
// What comes and goes meanwhile in a folder is left out.
func copyTree(from, to string, skip func(base string) bool) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(from, to)
	}
	if err := Free(to); err != nil {
		return err
	}
	if err := Folder(to); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if skip != nil && skip(e.Name()) {
			continue
		}
		err := copyTree(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), skip)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(to)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := Folder(filepath.Dir(to)); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return inTheWay(to)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := Adopt(to); err != nil {
		return err
	}
	return out.Sync()
}

// Temporary reports whether a file is one that a program is about to replace another
// with (internal/durable), or a lock: no part of anything.
func Temporary(base string) bool { return base == "lock" || strings.HasPrefix(base, ".") }
