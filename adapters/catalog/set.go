package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// ProfileSuffix and VectorSuffix end the names of the two kinds of file.
const (
	ProfileSuffix = ".yaml"
	VectorSuffix  = ".vectors.yaml"
)

// Set is a group of profiles by id. It does not change once made, and the
// profiles that it hands out are shared: they must not be changed either.
type Set[P any] struct {
	byID map[string]*P
	id   func(*P) string
}

// Load reads every profile (*.yaml, but not *.vectors.yaml) in the root of
// fsys. parse turns one file into a profile, strictly; id is the name under
// which the set keeps it, the one that IDOf gives for the file. All errors are
// reported at once, joined, and then the Set is nil.
func Load[P any](fsys fs.FS, parse func(name string, data []byte) (*P, error), id func(*P) string) (*Set[P], error) {
	names, err := fs.Glob(fsys, "*"+ProfileSuffix)
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	set := &Set[P]{byID: map[string]*P{}, id: id}
	var problems []error
	for _, name := range names {
		if strings.HasSuffix(name, VectorSuffix) {
			continue
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("read profile: %w", err))
			continue
		}
		p, err := parse(name, data)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		set.byID[id(p)] = p
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return set, nil
}

// With returns a Set that has the profiles of s and ps. A profile whose id s
// has already is an error: a user's file must not change what a built-in name
// means without anybody noticing.
func (s *Set[P]) With(ps ...*P) (*Set[P], error) {
	all := maps.Clone(s.byID)
	for _, p := range ps {
		id := s.id(p)
		if _, taken := all[id]; taken {
			return nil, fmt.Errorf("profile %s: the name is taken; rename the file", id)
		}
		all[id] = p
	}
	return &Set[P]{byID: all, id: s.id}, nil
}

// IDs returns the ids of the set, sorted.
func (s *Set[P]) IDs() []string { return slices.Sorted(maps.Keys(s.byID)) }

// Get returns the profile of that id. When there is none, the error lists the
// names that are near, or all of them.
func (s *Set[P]) Get(id string) (*P, error) {
	if p, ok := s.byID[id]; ok {
		return p, nil
	}
	near := nearNames(id, s.IDs())
	if len(near) == 0 {
		return nil, fmt.Errorf("no profile %q; there are %s", id, strings.Join(s.IDs(), ", "))
	}
	return nil, fmt.Errorf("no profile %q; did you mean %s?", id, strings.Join(near, " or "))
}

// IDOf returns the id that a file name gives: its base without ".yaml".
func IDOf(name string) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), ProfileSuffix)
}

// nearNames returns the names that contain id, are contained in it, or differ
// from it by at most a quarter of its letters.
func nearNames(id string, names []string) []string {
	id = strings.ToLower(id)
	var near []string
	for _, name := range names {
		contained := len(id) >= 3 && (strings.Contains(name, id) || strings.Contains(id, name))
		if contained || distance(id, name) <= len(name)/4 {
			near = append(near, name)
		}
	}
	return near
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
