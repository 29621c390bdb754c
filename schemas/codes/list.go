package codes

import (
	"fmt"
	"strings"
)

// Head says what a list is and how far it may be trusted.
type Head struct {
	Standard string // the standard_ref of its records, such as "CJ/T 214-2007"
	Kind     Kind
	Version  string // of this list as data, such as "2026-11"
	// From and Until are the days between which the list is in force, both included:
	// YYYY, YYYY-MM or YYYY-MM-DD, as much as is known. Empty: not known, no end known.
	From, Until string
	Source      string // where the codes come from
	Sure        string // how sure they and their completeness are
	Note        string
	// CodeLength is how many digits a class code has, the first two of them its major
	// class; 0 for codes that are words.
	CodeLength int
	// IDs names the standard by whose rule component ids and event class codes are
	// built from these classes; empty for the standard itself.
	IDs string
}

// Major is a major class (大类).
type Major struct{ Code, ZH, EN string }

// Class is one minor class (小类) of a list.
type Class struct {
	Ref    Ref
	Major  Major
	ZH, EN string
	// Utility says whose it is: one or more of the words of Utilities, joined by "/";
	// empty for none of them.
	Utility string
	// Of is the code of the component of the same standard that an event says is
	// abnormal; empty for events of their own.
	Of string
	// For is the class of citygrid-ext that a city's class stands for, such as
	// "water_meter".
	For string
	// Formerly is the Chinese name under which an earlier version had this code; the
	// meaning is the same. Without it a new name is a code used again, and refused.
	Formerly string
	// Version is that of the newest list with the class; Withdrawn says that a newer
	// list of the same standard has it no more.
	Version   string
	Withdrawn bool
}

// List is one version of one list of classes.
type List struct {
	Head
	Majors []Major
	// Missing are codes that are known to be absent here: withdrawn by the standard or
	// lost on the way.
	Missing []string
	Classes []Class

	lines []int // where each class stands in its file; empty for lists made in the program
}

func (l *List) line(i int) int {
	if i < len(l.lines) {
		return l.lines[i]
	}
	return 0
}

// Problem is one mistake in a list.
type Problem struct {
	Line    int    // 0 where no file is behind it
	Field   string // the column or key
	Problem string // what is wrong, and what to do about it
}

// Problems are all the mistakes of a list. It is an error; nothing of a list with
// problems is taken.
type Problems []Problem

// Error writes one line a problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		if one.Line > 0 {
			lines[i] = fmt.Sprintf("line %d: ", one.Line)
		}
		if one.Field != "" {
			lines[i] += one.Field + ": "
		}
		lines[i] += one.Problem
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(line int, field, format string, args ...any) {
	*p = append(*p, Problem{Line: line, Field: field, Problem: fmt.Sprintf(format, args...)})
}

// err returns p as an error, nil where it is empty.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Utilities are the words of Class.Utility.
func Utilities() []string {
	return []string{"water", "power", "gas", "heat", "drainage", "reclaimed-water", "fire-water", "street-light", "telecom", "payment"}
}
