// Package intake reads vending and settlement files: CSV in the layout of a
// channel, which a mapping turns into sales and payments. A file is read as a whole
// and checked against its own counts, sums and digest before anything of it is
// stored. docs/settlement-files.md describes the formats.
package intake

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// The limits of a file: it is held in memory while it is checked.
const (
	// MaxBytes bounds a file.
	MaxBytes = 512 << 20
	// MaxRows bounds its rows.
	MaxRows = 2_000_000
	// MaxProblems is how many mistakes are collected before reading stops.
	MaxProblems = 20

	maxColumns = 256
	maxLine    = 64 << 10
)

// Store is the part of the books that takes a file: all of it, durably, or
// nothing. It returns *ledger.ImportedError or *ledger.OtherContentError for a
// number that it holds.
type Store interface {
	StoreFile(ctx context.Context, f *ledger.File) (ledger.Import, error)
}

// Options say what a file does not.
type Options struct {
	// Name is what the operator calls the file, By who imports it.
	Name, By string
	// Zone is the city's: that of moments without offset.
	Zone *time.Location
	Now  func() time.Time
	// Channel, Utility, Day and Number are used where the file does not say them; a
	// file that says something else is refused. Zero values say nothing, and so does
	// a nil Day.
	Channel string
	Utility schemas.Medium
	Day     *ledger.Day
	Number  int
	// Progress, if not nil, is told now and then how many bytes have been read.
	Progress func(done int64)
}

// Problem is one mistake of a file.
type Problem struct {
	Line   int    // from 1
	Column int    // from 1; 0 for the line as a whole
	Name   string // the column's name, if it has one
	Text   string // what stands there, shortened
	What   string // what is wrong, and what to do
}

// String writes the problem for the operator.
func (p Problem) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "line %d", p.Line)
	if p.Column > 0 {
		fmt.Fprintf(&s, ", column %d", p.Column)
	}
	if p.Name != "" {
		fmt.Fprintf(&s, " (%s)", p.Name)
	}
	s.WriteString(": ")
	if p.Text != "" {
		fmt.Fprintf(&s, "%q: ", p.Text)
	}
	s.WriteString(p.What)
	return s.String()
}

// FileError says what is wrong with a file, of which nothing was stored.
type FileError struct {
	Name     string
	Problems []Problem // up to MaxProblems
	More     bool      // reading stopped at the last
}

// Error lists the problems, one a line.
func (e *FileError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "file %s: nothing was imported", e.Name)
	for _, p := range e.Problems {
		s.WriteString("\n  " + p.String())
	}
	if e.More {
		fmt.Fprintf(&s, "\n  and perhaps more: reading stopped after %d problems", len(e.Problems))
	}
	return s.String()
}

// Import reads a file, checks all of it, and hands it to the store. A file with
// mistakes is a *FileError and stores nothing.
func Import(ctx context.Context, store Store, r io.Reader, m *Mapping, o Options) (ledger.Import, error) {
	f, err := Read(ctx, r, m, o)
	if err != nil {
		return ledger.Import{}, err
	}
	return store.StoreFile(ctx, f)
}

// Read reads and checks a file without storing it.
func Read(ctx context.Context, r io.Reader, m *Mapping, o Options) (*ledger.File, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read file %s: %w", o.Name, err)
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("file %s is larger than %d MiB; ask the channel for several files", o.Name, MaxBytes>>20)
	}
	p := newParser(raw, m, o)
	if err := p.parse(ctx); err != nil {
		return nil, fmt.Errorf("read file %s: %w", o.Name, err)
	}
	if len(p.problems) > 0 {
		return nil, &FileError{Name: o.Name, Problems: p.problems, More: len(p.problems) == MaxProblems}
	}
	f := &p.file
	f.Name, f.Mapping, f.Raw, f.At, f.By = o.Name, m.Name+" "+m.Version, p.struck(), o.Now().UTC(), o.By
	f.Digest = ledger.DigestOf(raw) // as it came, so that the file is known again
	return f, nil
}
