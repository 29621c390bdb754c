package codes

import (
	"slices"
	"strings"
	"unicode"
)

// maxNear is how many near classes an error names.
const maxNear = 3

// near returns the classes that r was probably meant to be: the same code under the
// right spelling of the standard, the other kind or another standard, then codes of
// the same list with one slip of the hand.
func (l *Lists) near(r Ref) []Class {
	var out []Class
	pick := func(ok func(Ref) bool) {
		for _, c := range l.sorted {
			if len(out) < maxNear && ok(c.Ref) && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	spelt := bare(r.Standard)
	pick(func(o Ref) bool { return bare(o.Standard) == spelt && o.Kind == r.Kind && o.Code == r.Code })
	if l.newest(r.Standard, r.Kind) == nil {
		pick(func(o Ref) bool {
			return strings.HasPrefix(bare(o.Standard), spelt) && o.Kind == r.Kind && o.Code == r.Code
		})
	}
	pick(func(o Ref) bool { return o.Standard == r.Standard && o.Kind == r.Kind && slip(o.Code, r.Code) })
	pick(func(o Ref) bool { return o.Standard == r.Standard && o.Kind != r.Kind && o.Code == r.Code })
	pick(func(o Ref) bool { return o.Standard != r.Standard && o.Kind == r.Kind && o.Code == r.Code })
	return out
}

// bare is a standard's name without blanks, dashes and case.
func bare(standard string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, standard)
}

// slip reports whether one character changed, left out, put in, or exchanged with its
// neighbour makes b of a.
func slip(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	switch len(a) - len(b) {
	case 0:
		return i < len(a) && (a[i+1:] == b[i+1:] ||
			i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
	case 1:
		return a[i+1:] == b[i:]
	}
	return false
}

// Search returns the classes whose code begins with text, or whose Chinese or English
// name has it, in the order of standard, kind and code. Several words must all be in
// the same name. Case and the width of brackets do not matter; an empty text finds
// everything.
func (l *Lists) Search(text string) []Class {
	words := strings.Fields(plain(text))
	var out []Class
	for _, c := range l.sorted {
		if len(words) == 1 && strings.HasPrefix(plain(c.Ref.Code), words[0]) || hasAll(plain(c.ZH), words) || hasAll(plain(c.EN), words) {
			out = append(out, c)
		}
	}
	return out
}

func hasAll(name string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(name, w) {
			return false
		}
	}
	return true
}

func plain(s string) string {
	return strings.NewReplacer("（", "(", "）", ")", "，", ",", "　", " ").Replace(strings.ToLower(s))
}

// Covers reports whether class is group or lies in it: group is a class, or the two
// digits of a major class of the same list.
func (l *Lists) Covers(group, class Ref) bool {
	if group == class {
		return true
	}
	c, ok := l.classes[class]
	return ok && group == Ref{class.Standard, class.Kind, c.Major.Code}
}

// Abnormal returns the event of the same standard that says a component is abnormal
// (GB/T 47678.5-2026 has one for each component); ok is false where there is none.
func (l *Lists) Abnormal(component Ref) (event Class, ok bool) {
	if component.Kind != Component {
		return Class{}, false
	}
	i := slices.IndexFunc(l.sorted, func(c Class) bool {
		return c.Of == component.Code && c.Ref.Standard == component.Standard && !c.Withdrawn
	})
	if i < 0 {
		return Class{}, false
	}
	return l.sorted[i], true
}

// ForExtension returns the class that a thing of citygrid-ext is recorded under: the one
// that a city's list gives it (for: water_meter), and else that of citygrid-ext itself.
func (l *Lists) ForExtension(kind Kind, code string) (Class, error) {
	if standard, ok := l.given[extension{kind, code}]; ok {
		i := slices.IndexFunc(l.sorted, func(c Class) bool {
			return c.For == code && c.Ref.Kind == kind && c.Ref.Standard == standard && !c.Withdrawn
		})
		if i >= 0 {
			return l.sorted[i], nil
		}
	}
	return l.Lookup(Ref{Extension, kind, code})
}

// ParseComponent is ParseComponent by the ids of the list standard, a city's list
// included, and refuses a class that no list has.
func (l *Lists) ParseComponent(standard, id string) (ComponentParts, Class, error) {
	s, err := l.scheme(standard, Component)
	if err != nil {
		return ComponentParts{}, Class{}, &CodeError{What: "component id", Code: id, Problem: err.Error()}
	}
	parts, err := s.component(standard, id)
	if err != nil {
		return ComponentParts{}, Class{}, err
	}
	class, err := l.Lookup(parts.Class)
	if err != nil {
		to := countyDigits + majorDigits + s.minor
		return ComponentParts{}, Class{}, &CodeError{What: "component id", Code: id, From: countyDigits + 1, To: to, Part: "class", Problem: err.Error()}
	}
	return parts, class, nil
}

// scheme is how ids of the list standard are built.
func (l *Lists) scheme(standard string, kind Kind) (scheme, error) {
	if list := l.newest(standard, kind); list != nil && list.IDs != "" {
		standard = list.IDs
	}
	return schemeOf(standard)
}
