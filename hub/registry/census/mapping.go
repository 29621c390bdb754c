package census

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"citygrid/internal/strictyaml"
)

//go:embed mappings/*.yaml
var embedded embed.FS

// Mapping says how a file calls the fields of its records.
type Mapping struct {
	Name string `yaml:"name"`
	// Standard is the code list of class codes and component ids, where there is one.
	Standard string               `yaml:"standard"`
	Kinds    map[Kind]KindMapping `yaml:"kinds"`
}

// KindMapping is the mapping of one kind. Columns are compared without regard to
// case.
type KindMapping struct {
	// Fields are the columns that hold a field, the first being the one that is
	// written. A file has at most one of them.
	Fields map[string][]string `yaml:"fields"`
	// Values turn ours into the file's, by field. Both are read, theirs is written.
	Values map[string]map[string]string `yaml:"values"`
	// Ignore are columns that mean nothing here.
	Ignore []string `yaml:"ignore"`
}

// ParseMapping reads a mapping in YAML. Unknown kinds and fields, columns with two
// meanings and values that are ambiguous are errors.
func ParseMapping(data []byte) (*Mapping, error) {
	m := &Mapping{}
	if err := strictyaml.Decode(data, m); err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	if m.Name == "" {
		return nil, fmt.Errorf("mapping: name: missing; give it one")
	}
	for _, k := range slices.Sorted(maps.Keys(m.Kinds)) {
		if err := m.Kinds[k].check(k); err != nil {
			return nil, fmt.Errorf("mapping %s: kinds.%s: %w", m.Name, k, err)
		}
	}
	return m, nil
}

func (k KindMapping) check(kind Kind) error {
	known := fieldNames(kind)
	if known == nil {
		return fmt.Errorf("no such kind; want one of %v", Kinds())
	}
	meaning := map[string]string{}
	for _, field := range slices.Sorted(maps.Keys(k.Fields)) {
		if !slices.Contains(known, field) {
			return fmt.Errorf("no field %q; want one of %s", field, strings.Join(known, ", "))
		}
		if len(k.Fields[field]) == 0 {
			return fmt.Errorf("field %q has no column; name one or take the field out", field)
		}
		for _, column := range k.Fields[field] {
			if other, twice := meaning[fold(column)]; twice || column == "" {
				return fmt.Errorf("column %q is empty or means both %q and %q; give it one meaning", column, other, field)
			}
			meaning[fold(column)] = field
		}
	}
	for _, column := range k.Ignore {
		if field, twice := meaning[fold(column)]; twice {
			return fmt.Errorf("column %q is ignored and means %q; do one of the two", column, field)
		}
	}
	return k.checkValues(known)
}

func (k KindMapping) checkValues(known []string) error {
	for _, field := range slices.Sorted(maps.Keys(k.Values)) {
		if !slices.Contains(known, field) {
			return fmt.Errorf("values of %q: no such field", field)
		}
		seen := map[string]string{}
		for _, ours := range slices.Sorted(maps.Keys(k.Values[field])) {
			theirs := k.Values[field][ours]
			if other, twice := seen[theirs]; twice || theirs == "" {
				return fmt.Errorf("values of %q: %q is empty or stands for both %q and %q", field, theirs, other, ours)
			}
			if _, ambiguous := k.Values[field][theirs]; ambiguous && theirs != ours {
				return fmt.Errorf("values of %q: %q is one of ours and one of theirs", field, theirs)
			}
			seen[theirs] = ours
		}
	}
	return nil
}

// Mappings are those of the program, by name: "plain", "gbt47678.5" and "cjt214".
func Mappings() map[string]*Mapping {
	list := map[string]*Mapping{}
	entries, err := embedded.ReadDir("mappings")
	for _, e := range entries {
		var data []byte
		if data, err = embedded.ReadFile("mappings/" + e.Name()); err != nil {
			break
		}
		var m *Mapping
		if m, err = ParseMapping(data); err != nil {
			break
		}
		list[m.Name] = m
	}
	if err != nil {
		panic("census: a mapping of the program itself: " + err.Error()) // a test reads them all
	}
	return list
}

// Plain is the mapping of the project's own names, and of what people call columns
// of degrees and metres.
func Plain() *Mapping { return Mappings()["plain"] }

// fold makes names of columns comparable.
func fold(column string) string { return strings.ToUpper(strings.TrimSpace(column)) }

// columns are the places of a kind's fields in one file.
type columns struct {
	mapping KindMapping
	field   map[string]string // folded column to field
	ignored map[string]bool
	ours    map[string]map[string]string // field, theirs to ours
}

func (m *Mapping) columns(k Kind) (*columns, error) {
	km, ok := m.Kinds[k]
	if !ok {
		return nil, fmt.Errorf("mapping %s has no %s; it has %s", m.Name, k, quotedKinds(m))
	}
	c := &columns{mapping: km, field: map[string]string{}, ignored: map[string]bool{}, ours: map[string]map[string]string{}}
	for field, list := range km.Fields {
		for _, column := range list {
			c.field[fold(column)] = field
		}
	}
	for _, column := range km.Ignore {
		c.ignored[fold(column)] = true
	}
	for field, values := range km.Values {
		c.ours[field] = map[string]string{}
		for ours, theirs := range values {
			c.ours[field][theirs] = ours
		}
	}
	return c, nil
}

func quotedKinds(m *Mapping) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m.Kinds)) {
		list = append(list, string(k))
	}
	return quoted(list)
}

// column is what a field is called in a file that is written, empty for none.
func (c *columns) column(field string) string {
	if list := c.mapping.Fields[field]; len(list) > 0 {
		return list[0]
	}
	return ""
}
