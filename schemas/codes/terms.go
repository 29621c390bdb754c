package codes

import (
	"fmt"
	"slices"
	"strings"
)

// Term is one value of a small list: our key, and its names.
type Term struct{ Key, ZH, EN string }

// TermList is a small list, such as component_state. The keys are ours; the names
// come from the source.
type TermList struct {
	Name, Source, Sure string
	Terms              []Term
}

// TermLists returns the small lists by name.
func (l *Lists) TermLists() []TermList {
	out := slices.Clone(l.terms)
	for i := range out {
		out[i].Terms = slices.Clone(out[i].Terms)
	}
	return out
}

// Term finds a value of a small list by its key, or by its Chinese name as files of
// other systems have it. The error names the values that there are.
func (l *Lists) Term(list, key string) (Term, error) {
	i := slices.IndexFunc(l.terms, func(t TermList) bool { return t.Name == list })
	if i < 0 {
		return Term{}, fmt.Errorf("no list %s of terms", shown(list))
	}
	var known []string
	for _, t := range l.terms[i].Terms {
		if t.Key == key || t.ZH == key {
			return t, nil
		}
		known = append(known, t.Key+" "+t.ZH)
	}
	return Term{}, fmt.Errorf("%s %s: want one of %s", list, shown(key), strings.Join(known, ", "))
}
