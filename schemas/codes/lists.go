package codes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Lists is a set of lists. It never changes: Add returns another one, so that a set
// may be read from anywhere at once.
type Lists struct {
	lists   []List
	classes map[Ref]Class
	sorted  []Class              // by standard, kind and code
	given   map[extension]string // the standard whose list gives an extension its code
	terms   []TermList
}

// extension names a class of citygrid-ext.
type extension struct {
	kind Kind
	code string
}

// Add returns a set with list in it as well. The list must be right by itself
// (List.Validate) and in the set: a new version of a list is in force later than
// those that are there, has codes of the same length, and gives no code a new
// meaning. The error is Problems.
func (l *Lists) Add(list List) (*Lists, error) {
	if err := list.Validate(); err != nil {
		return nil, err
	}
	var p Problems
	l.checkVersion(&p, &list)
	l.checkReuse(&p, &list)
	l.checkExtensions(&p, &list)
	if err := p.err(); err != nil {
		return nil, err
	}
	return l.with(list), nil
}

func (l *Lists) checkVersion(p *Problems, list *List) {
	for i := range l.lists {
		old := &l.lists[i]
		if old.Standard != list.Standard || old.Kind != list.Kind {
			continue
		}
		if old.Standard == Extension {
			p.add(0, "standard_ref", "%s is the program's own list; give the city's list a name of its own", Extension)
			return
		}
		if old.Version == list.Version {
			p.add(0, "version", "%s of %s (%s) is there already; what has changed gets a new version", list.Version, list.Standard, list.Kind)
		}
		if list.From <= old.From {
			p.add(0, "from", "%q; version %s is in force from %q, a newer version begins later", list.From, old.Version, old.From)
		}
		if old.CodeLength != list.CodeLength {
			p.add(0, "code_length", "%d; version %s has %d", list.CodeLength, old.Version, old.CodeLength)
		}
	}
}

func (l *Lists) checkReuse(p *Problems, list *List) {
	for i, c := range list.Classes {
		old, ok := l.classes[Ref{list.Standard, list.Kind, c.Ref.Code}]
		if ok && old.ZH != c.ZH && old.ZH != c.Formerly {
			p.add(list.line(i), "code", "%s is %s in version %s; a code is never used again: give a new one, or write formerly: %s where only the name has changed", c.Ref.Code, old.ZH, old.Version, old.ZH)
		}
	}
}

func (l *Lists) checkExtensions(p *Problems, list *List) {
	mine := make(map[string]bool)
	for i, c := range list.Classes {
		if c.For == "" {
			continue
		}
		key := extension{list.Kind, c.For}
		if _, ok := l.classes[Ref{Extension, list.Kind, c.For}]; !ok {
			p.add(list.line(i), "for", "%s is no %s class of %s", shown(c.For), list.Kind, Extension)
		}
		if other := l.given[key]; other != "" && other != list.Standard || mine[c.For] {
			p.add(list.line(i), "for", "%s has a code already, in %s", c.For, cmp.Or(other, "this list"))
		}
		mine[c.For] = true
	}
}

// with returns the set with list, which is right.
func (l *Lists) with(list List) *Lists {
	list = list.clone()
	out := &Lists{lists: append(slices.Clone(l.lists), list), classes: make(map[Ref]Class, len(l.classes)+len(list.Classes)), given: maps.Clone(l.given), terms: l.terms}
	for ref, c := range l.classes {
		if ref.Standard == list.Standard && ref.Kind == list.Kind {
			c.Withdrawn = true
		}
		out.classes[ref] = c
	}
	if out.given == nil {
		out.given = make(map[extension]string)
	}
	for _, c := range list.Classes {
		out.classes[c.Ref] = c
		if c.For != "" {
			out.given[extension{list.Kind, c.For}] = list.Standard
		}
	}
	out.sorted = slices.SortedFunc(maps.Values(out.classes), func(a, b Class) int { return compareRefs(a.Ref, b.Ref) })
	return out
}

// clone copies l, completes its classes from the head and its majors, and lets go of
// the file.
func (l *List) clone() List {
	out := List{Head: l.Head, Majors: slices.Clone(l.Majors), Missing: slices.Clone(l.Missing), Classes: slices.Clone(l.Classes)}
	for i := range out.Classes {
		c := &out.Classes[i]
		c.Version, c.Withdrawn = l.Version, false
		c.Ref = Ref{Standard: l.Standard, Kind: l.Kind, Code: c.Ref.Code}
		for _, m := range out.Majors {
			if m.Code == c.Major.Code {
				c.Major = m
			}
		}
	}
	return out
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Standard, b.Standard), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Code, b.Code))
}

// All returns the lists in the order in which they came.
func (l *Lists) All() []List {
	out := make([]List, len(l.lists))
	for i := range l.lists {
		out[i] = l.lists[i].clone()
	}
	return out
}

// ErrUnknown is what Lookup's errors are for errors.Is.
var ErrUnknown = errors.New("unknown class")

// UnknownError says that no list has a class, and what is near it.
type UnknownError struct {
	Ref  Ref
	Why  string
	Near []Class
}

// Error names the class and asks whether one of the near ones was meant.
func (e *UnknownError) Error() string {
	text := fmt.Sprintf("class %s is unknown: %s", e.Ref, e.Why)
	for i, c := range e.Near {
		text += "; did you mean "
		if i > 0 {
			text = strings.TrimSuffix(text, "; did you mean ") + ", or "
		}
		text += fmt.Sprintf("%s %s (%s)", c.Ref, c.ZH, c.EN)
	}
	if len(e.Near) > 0 {
		text += "?"
	}
	return text
}

// Is makes errors.Is(err, ErrUnknown) true.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// Lookup finds a class, in the newest version that has it. The error is that of
// Ref.Validate or an *UnknownError.
func (l *Lists) Lookup(r Ref) (Class, error) {
	if c, ok := l.classes[r]; ok {
		return c, nil
	}
	if err := r.Validate(); err != nil {
		return Class{}, fmt.Errorf("class: %w", err)
	}
	return Class{}, &UnknownError{Ref: r, Why: l.why(r), Near: l.near(r)}
}

// why says as much as is known about the absence of r.
func (l *Lists) why(r Ref) string {
	list := l.newest(r.Standard, r.Kind)
	switch {
	case list == nil && r.Standard == GBT30428:
		return "the minor classes of " + GBT30428 + " are no part of the program; import the city's list (citygrid codes import)"
	case list == nil:
		return fmt.Sprintf("no list of %s of %s is loaded; there are %s", plural(r.Kind), r.Standard, strings.Join(l.Standards(), ", "))
	case slices.Contains(list.Missing, r.Code):
		return "the number is missing from the list, withdrawn by the standard or lost on the way to us; import the city's list if it has it"
	case list.CodeLength > 0 && len(r.Code) != list.CodeLength:
		return fmt.Sprintf("classes of %s have %d digits", r.Standard, list.CodeLength)
	}
	return fmt.Sprintf("not among the %d %s of %s, version %s", len(list.Classes), plural(r.Kind), r.Standard, list.Version)
}

func plural(k Kind) string { return string(k) + "s" }

// Standards returns the names of the lists, each once, sorted.
func (l *Lists) Standards() (names []string) {
	for i := range l.lists {
		names = append(names, l.lists[i].Standard)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// newest returns the list that is in force latest, nil where there is none. A newer
// version is always added later.
func (l *Lists) newest(standard string, kind Kind) *List {
	for i := range slices.Backward(l.lists) {
		if l.lists[i].Standard == standard && l.lists[i].Kind == kind {
			return &l.lists[i]
		}
	}
	return nil
}
