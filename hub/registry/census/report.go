package census

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string
	// Record counts records from 1, Line lines of the file; 0 where there is none.
	Record, Line int
	Field        string // the column, as the file calls it where it has one
	Rule         string // what is wrong
	Value        string // what is there, cut to 80 characters
	Remedy       string // what to do
	Warning      bool   // the record is good all the same
}

// Error puts p in one line.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, ":%d", p.Line)
	case p.Record > 0:
		fmt.Fprintf(&b, ": record %d", p.Record)
	}
	if p.Field != "" {
		fmt.Fprintf(&b, ": %s", p.Field)
	}
	if p.Value != "" {
		fmt.Fprintf(&b, " %q", p.Value)
	}
	fmt.Fprintf(&b, ": %s", p.Rule)
	if p.Remedy != "" {
		fmt.Fprintf(&b, "; %s", p.Remedy)
	}
	return b.String()
}

// Place names a record of a file.
type Place struct {
	Record, Line int
	Key          string // its code or id
}

// Report is what reading a file came to. Its zero value is ready for Read.
type Report struct {
	File    string
	Records int // seen
	Good    int // given to the caller
	// Problems are the first Options.MaxProblems of them, Errors and Warnings count
	// all.
	Problems         []Problem
	Errors, Warnings int
	// Unplaced are the first components without a position, Unlocated counts all.
	// They are good records; somebody has to go and look.
	Unplaced  []Place
	Unlocated int

	limit int
}

// Err is nil when nothing stands in the way of an import. Otherwise it is the first
// error, with the number of all.
func (r *Report) Err() error {
	if r.Errors == 0 {
		return nil
	}
	for _, p := range r.Problems {
		if !p.Warning {
			return &FileError{First: p, Errors: r.Errors}
		}
	}
	return fmt.Errorf("%s: %d errors, all beyond the %d problems that are listed", r.File, r.Errors, r.limit)
}

// FileError says that a file cannot be imported.
type FileError struct {
	First  Problem
	Errors int
}

// Error names the first error and the number of all.
func (e *FileError) Error() string {
	if e.Errors == 1 {
		return e.First.Error()
	}
	return fmt.Sprintf("%s (and %d more errors)", e.First.Error(), e.Errors-1)
}

// Unwrap gives the first problem to errors.As.
func (e *FileError) Unwrap() error { return e.First }

func (r *Report) add(p Problem) {
	p.File = r.File
	if runes := []rune(p.Value); len(runes) > 80 {
		p.Value = string(runes[:79]) + "…"
	}
	if p.Warning {
		r.Warnings++
	} else {
		r.Errors++
	}
	if len(r.Problems) < r.limit {
		r.Problems = append(r.Problems, p)
	}
}

func (r *Report) unplaced(p Place) {
	r.Unlocated++
	if len(r.Unplaced) < r.limit {
		r.Unplaced = append(r.Unplaced, p)
	}
}

// fault is what a field is refused for; the reader adds where.
type fault struct{ rule, remedy string }

func (f *fault) Error() string { return f.rule + "; " + f.remedy }

func faultf(remedy, format string, args ...any) *fault {
	return &fault{rule: fmt.Sprintf(format, args...), remedy: remedy}
}
