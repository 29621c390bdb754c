// Package backup takes a whole copy of what a hub keeps into one folder, and puts it
// back. A copy is whole when its manifest is there: it is written last, and names every
// file with its size and SM3 digest.
//
// The order of the parts is the promise. The replay state goes first: it says what is
// stored, so it must never know more than the stores that are copied after it. What a
// restored hub does not know as stored is sent again and stored again, to the same place.
package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citygrid/internal/durable"
	"citygrid/internal/gm"
)

// Part is something to copy.
type Part struct {
	// Name is that of its folder or file in the copy.
	Name string
	// Take writes the copy to the path to, which is not there yet.
	Take func(ctx context.Context, to string) error
	// Free reports what would be in the way of Put; nil where nothing can be.
	Free func(from string) error
	// Put brings it back from the path from. It refuses to write over what is there.
	Put func(ctx context.Context, from string) error
	// Required fails a copy in which the part has no file. For another part Absent goes
	// into Manifest.Missing then, if it says anything.
	Required bool
	Absent   string
}

// Manifest says what a copy holds.
type Manifest struct {
	Format  int       `json:"format"`
	Program string    `json:"program"`
	TakenAt time.Time `json:"taken_at"` // when the first part was begun
	EndedAt time.Time `json:"ended_at"`
	Parts   []string  `json:"parts"` // in the order in which they were taken
	Files   []File    `json:"files"`
	// Missing says what such a copy does not have, and how to copy it.
	Missing []string `json:"missing,omitempty"`
}

// File is one file of a copy.
type File struct {
	Path string `json:"path"` // with slashes, from the folder of the copy
	Size int64  `json:"size"`
	SM3  string `json:"sm3"`
}

const manifestName = "manifest.json"

// Take copies the parts, one after the other, into the folder dir, which must be new or
// empty. On an error the folder has no manifest and is of no use.
func Take(ctx context.Context, dir, program string, parts []Part, missing []string, now func() time.Time) (*Manifest, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the copy: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return nil, errors.Join(err, fmt.Errorf("the folder %s is not empty: give each copy a folder of its own", dir))
	}
	m := &Manifest{Format: 1, Program: program, TakenAt: now().UTC(), Missing: slices.Clone(missing)}
	for _, p := range parts {
		if err := p.Take(ctx, filepath.Join(dir, p.Name)); err != nil {
			return nil, fmt.Errorf("copy %s: %w; the copy in %s is not whole, remove it", p.Name, err, dir)
		}
		m.Parts = append(m.Parts, p.Name)
		switch any, err := hasFile(filepath.Join(dir, p.Name)); {
		case err != nil:
			return nil, err
		case !any && p.Required:
			return nil, fmt.Errorf("copy %s: there is nothing to copy; the copy in %s is not whole, remove it", p.Name, dir)
		case !any && p.Absent != "":
			m.Missing = append(m.Missing, p.Absent)
		}
	}
	var err error
	if m.Files, err = list(dir); err != nil {
		return nil, err
	}
	m.EndedAt = now().UTC()
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return m, durable.WriteFile(filepath.Join(dir, manifestName), append(data, '\n'), 0o600)
}

// Check reads every file of the copy in dir and compares it with the manifest.
func Check(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("%w; without its manifest a copy is not whole", err)
	}
	m := &Manifest{}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("%s: format %d; this program knows format 1", manifestName, m.Format)
	}
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	for _, want := range m.Files {
		switch n := slices.IndexFunc(files, func(f File) bool { return f.Path == want.Path }); {
		case n < 0:
			return nil, fmt.Errorf("%s is missing from the copy %s", want.Path, dir)
		case files[n] != want:
			return nil, fmt.Errorf("%s in the copy %s has changed since it was taken", want.Path, dir)
		}
	}
	return m, nil
}

// Put checks the copy in dir and brings its parts back, in the order in which they were
// taken. It begins only where nothing is in the way of any part. As root it gives what it
// puts back the owner of the folder that it goes into.
func Put(ctx context.Context, dir string, parts []Part) (*Manifest, error) {
	m, err := Check(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was put back", err)
	}
	var order []Part
	for _, name := range m.Parts {
		n := slices.IndexFunc(parts, func(p Part) bool { return p.Name == name })
		if n < 0 {
			return m, fmt.Errorf("the copy has %s, and the configuration names no place for it; nothing was put back", name)
		}
		if p := parts[n]; p.Free != nil {
			if err := p.Free(filepath.Join(dir, name)); err != nil {
				return m, fmt.Errorf("put %s back: %w; nothing was put back", name, err)
			}
		}
		order = append(order, parts[n])
	}
	for _, p := range order {
		if err := p.Put(ctx, filepath.Join(dir, p.Name)); err != nil {
			return m, fmt.Errorf("put %s back: %w; what was put back so far stays: move it away before you try again", p.Name, err)
		}
	}
	return m, nil
}

// hasFile reports whether path is a file, or a folder with a file anywhere in it.
func hasFile(path string) (has bool, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		has = true
		return fs.SkipAll
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return has, err
}

// list measures all files below dir but the manifest, in the order of their names.
func list(dir string) (files []File, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == manifestName {
			return err
		}
		f, err := measure(path)
		f.Path = filepath.ToSlash(name)
		files = append(files, f)
		return err
	})
	return files, err
}

func measure(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := gm.NewSM3()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", path, err)
	}
	return File{Size: n, SM3: hex.EncodeToString(h.Sum(nil))}, nil
}
