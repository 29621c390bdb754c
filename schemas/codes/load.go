package codes

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"

	"citygrid/internal/strictyaml"
)

//go:embed lists/*.yaml terms.yaml
var embedded embed.FS

// Embedded returns the lists that come with the program: components and events of
// CJ/T 214-2007, components and matters of GB/T 47678.5-2026 as far as they are
// known, citygrid-ext, and the small lists. It reads them anew: keep the result.
func Embedded() (*Lists, error) {
	terms, err := readTerms()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(embedded, "lists")
	if err != nil {
		return nil, err
	}
	return (&Lists{terms: terms}).AddDir(files)
}

func readTerms() ([]TermList, error) {
	data, err := embedded.ReadFile("terms.yaml")
	if err != nil {
		return nil, err
	}
	var f struct {
		Lists []struct {
			Name, Source, Sure string
			Terms              []Term
		}
	}
	if err := strictyaml.Decode(data, &f); err != nil {
		return nil, fmt.Errorf("terms.yaml: %w", err)
	}
	var out []TermList
	for _, l := range f.Lists {
		out = append(out, TermList(l))
	}
	return out, nil
}

// AddDir adds all list files (*.yaml) of a folder, the earliest in force first; all
// of them or none. CSV files are refused: citygrid codes import makes list files of
// them. Other files and folders are left alone.
func (l *Lists) AddDir(dir fs.FS) (*Lists, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("read the folder of code lists: %w", err)
	}
	type named struct {
		file string
		list List
	}
	var found []named
	for _, e := range entries {
		ext := strings.ToLower(path.Ext(e.Name()))
		if ext == ".csv" || ext == ".yml" {
			return nil, fmt.Errorf("code list %s: only .yaml is read here; bring it in with citygrid codes import", e.Name())
		}
		if ext != ".yaml" || e.IsDir() {
			continue
		}
		list, err := readList(dir, e.Name())
		if err != nil {
			return nil, fmt.Errorf("code list %s: %w", e.Name(), err)
		}
		found = append(found, named{e.Name(), list})
	}
	slices.SortStableFunc(found, func(a, b named) int {
		return cmp.Or(rank(a.list)-rank(b.list), strings.Compare(a.list.From, b.list.From), strings.Compare(a.file, b.file))
	})
	for _, f := range found {
		if l, err = l.Add(f.list); err != nil {
			return nil, fmt.Errorf("code list %s: %w", f.file, err)
		}
	}
	return l, nil
}

// rank puts citygrid-ext in front: the others refer to it.
func rank(l List) int {
	if l.Standard == Extension {
		return 0
	}
	return 1
}

func readList(dir fs.FS, name string) (List, error) {
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return List{}, err
	}
	return ParseYAML(data)
}

// FileName is the name under which l is kept in a folder of lists, such as
// "CJ-T-214-2007.component.2026-11.yaml".
func (l *List) FileName() string {
	safe := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' {
				return r
			}
			if r == '.' {
				return '.'
			}
			return '-'
		}, s)
	}
	return strings.TrimLeft(safe(l.Standard), ".-") + "." + string(l.Kind) + "." + safe(l.Version) + ".yaml"
}
