package assets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/internal/sqldb"
	"citygrid/schemas/codes"
)

// File is a file to import.
type File struct {
	Path string
	// Kind is told by the name of the file when empty (KindOf).
	Kind census.Kind
	// Read says how to read it; its CRS is needed for areas, cells and components.
	Read census.Options
}

// ImportOptions say how files are imported.
type ImportOptions struct {
	// DryRun finds everything that is wrong and changes nothing. It waits for no other
	// writer, and none waits for it.
	DryRun bool
	By     string // who imports; needed
	// Correct lets a code keep its place where a survey is corrected: the shape of a
	// cell, the class of a component, the component of a link, an end that was none.
	// Reason says why, and is needed with it.
	Correct bool
	Reason  string
	// GapsAllowed makes gaps between cells warnings.
	GapsAllowed bool
	// MaxProblems bounds the list of what is wrong with the records of a file by
	// themselves, and that of what is wrong with them among others; 1,000 when 0. All
	// are counted.
	MaxProblems int
}

// Progress is told now and then how much of a file is done; total is 0 where it is
// not known.
type Progress func(file string, done, total int64)

// Summary is what an import came to.
type Summary struct {
	DryRun bool
	// Stored reports whether anything was changed.
	Stored           bool
	Files            []FileSummary
	Errors, Warnings int
	// Relocated counts components that are in another cell now because cells changed.
	Relocated int64
}

// FileSummary is what one file came to.
type FileSummary struct {
	ID   int64 // of the import; 0 where nothing was stored
	File string
	Kind census.Kind
	SM3  string
	// Same reports that exactly this file was the last of its kind: it was not read
	// again.
	Same                               bool
	Records, Added, Changed, Unchanged int64
	// Problems are the first of them in the order of the file, Errors and Warnings
	// count all.
	Problems         []census.Problem
	Errors, Warnings int
	// NoPosition are the first components without a position, Unlocated counts all.
	NoPosition []census.Place
	Unlocated  int
	limit      int
	own, odd   int            // errors and warnings of Problems, beside those of package census
	alike      map[string]int // how often something was said
}

// sayAlike is how many problems of one cause are listed: what refers to a cell that
// is refused is not worth a line each.
const sayAlike = 3

// add counts a problem, and lists it unless there are enough of the same cause; an
// empty cause is one of its own.
func (f *FileSummary) add(at census.Place, p census.Problem, cause string) {
	p.File, p.Record, p.Line = f.File, at.Record, at.Line
	if runes := []rune(p.Value); len(runes) > 80 {
		p.Value = string(runes[:79]) + "…"
	}
	if p.Warning {
		f.Warnings++
	} else {
		f.Errors++
	}
	if cause != "" {
		if f.alike == nil {
			f.alike = map[string]int{}
		}
		if f.alike[cause]++; f.alike[cause] > sayAlike {
			return
		}
	}
	if list := f.list(p.Warning); *list < f.limit {
		*list++
		f.Problems = append(f.Problems, p)
	}
}

// list counts errors and warnings apart, so that many of the latter hide none of the
// former.
func (f *FileSummary) list(warning bool) *int {
	if warning {
		return &f.odd
	}
	return &f.own
}

// RefusedError says that files cannot be imported as they are. Nothing was changed.
type RefusedError struct {
	First  census.Problem
	Errors int
}

// Error names the first error and the number of all.
func (e *RefusedError) Error() string {
	text := "nothing was changed: " + e.First.Error()
	if e.Errors > 1 {
		text += fmt.Sprintf(" (and %d more errors)", e.Errors-1)
	}
	return text
}

// Unwrap gives the first problem to errors.As.
func (e *RefusedError) Unwrap() error { return e.First }

// KindOf tells the kind of a file by its name, which begins with the kind:
// "cells-2026.geojson", "meter_links.csv". It is empty for other names.
func KindOf(path string) census.Kind {
	name := strings.ToLower(filepath.Base(path))
	for _, k := range census.Kinds() {
		if rest, ok := strings.CutPrefix(name, string(k)); ok && (rest == "" || !strings.ContainsAny(rest[:1], "abcdefghijklmnopqrstuvwxyz")) {
			return k
		}
	}
	return ""
}

// errUnchanged ends a transaction that had nothing to change.
var errUnchanged = errors.New("nothing to change")

// Import takes files into the register, all of them or none. Where files are refused
// the error is *RefusedError, and Summary lists what is wrong with each; so it does
// in a dry run. progress may be nil.
func (r *Register) Import(ctx context.Context, files []File, o ImportOptions, progress Progress) (Summary, error) {
	m, err := r.newRun(files, o, progress)
	if err != nil {
		return Summary{}, err
	}
	change := r.db.Change
	if o.DryRun {
		change = r.db.Snapshot
	}
	err = change(ctx, func(tx bun.Tx) error {
		m.tx = tx
		return m.all(ctx)
	})
	s := m.summary()
	s.Stored = err == nil
	for i := range s.Files {
		if !s.Stored {
			s.Files[i].ID = 0
		}
	}
	var refused *RefusedError
	switch {
	case errors.Is(err, errUnchanged):
		return s, nil
	case errors.As(err, &refused):
		return s, err
	case err != nil:
		return s, sqldb.Explain("import", err)
	}
	r.replace(m.draft)
	return s, nil
}

// run is one import.
type run struct {
	r        *Register
	o        ImportOptions
	progress Progress
	tx       bun.Tx
	now      time.Time
	files    []*fileRun // in the order of census.Kinds
	draft    *picture   // as it will be
	// origins say where the records of this import are, for what is found later.
	origins   map[origin]spot
	grid      bool // cells have changed
	outlines  bool // areas have
	relocated int64
}

type origin struct {
	kind census.Kind
	key  string
}

// spot is a record of a file.
type spot struct {
	file *fileRun
	at   census.Place
}

// fileRun is one file of an import.
type fileRun struct {
	File
	FileSummary
	settings string
	bytes    int64
	records  int64 // as many as there are likely to be, 0 where nobody knows
	parts    []part
}

func (r *Register) newRun(files []File, o ImportOptions, progress Progress) (*run, error) {
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("import: %w: name a file", ErrOptions)
	case o.By == "":
		return nil, fmt.Errorf("import: %w: say who imports", ErrOptions)
	case o.Correct && strings.TrimSpace(o.Reason) == "":
		return nil, fmt.Errorf("import: %w: a correction needs its reason", ErrOptions)
	case !o.Correct && o.Reason != "":
		return nil, fmt.Errorf("import: %w: a reason is for a correction, and none was asked for", ErrOptions)
	}
	if o.MaxProblems <= 0 {
		o.MaxProblems = 1000
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	m := &run{r: r, o: o, progress: progress, now: r.now(), origins: map[origin]spot{}}
	for _, f := range files {
		one, err := m.newFile(f)
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, one)
	}
	order := census.Kinds()
	slices.SortStableFunc(m.files, func(a, b *fileRun) int {
		return cmp.Compare(slices.Index(order, a.Kind()), slices.Index(order, b.Kind()))
	})
	return m, nil
}

// Kind is that of the records.
func (f *fileRun) Kind() census.Kind { return f.FileSummary.Kind }

func (m *run) newFile(f File) (*fileRun, error) {
	if f.Kind == "" {
		f.Kind = KindOf(f.Path)
	}
	if !slices.Contains(census.Kinds(), f.Kind) {
		return nil, fmt.Errorf("import %s: %w: what is in it? Name its kind, or begin its name with one: %s", f.Path, ErrOptions, kindWords())
	}
	f.Read.MaxProblems = m.o.MaxProblems
	one := &fileRun{File: f, FileSummary: FileSummary{File: filepath.Base(f.Path), Kind: f.Kind, limit: m.o.MaxProblems}}
	if err := one.digest(); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return one, nil
}

func kindWords() string {
	var words []string
	for _, k := range census.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// all does everything within the transaction.
func (m *run) all(ctx context.Context) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	steps := []func(context.Context) error{m.small, m.references, m.topology, m.relocate, m.large, m.verdict, m.store}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin takes the numbers of the imports, which keeps other imports out, and reads
// what is there.
func (m *run) begin(ctx context.Context) error {
	if !m.o.DryRun {
		var last int64
		err := m.tx.QueryRowContext(ctx, "UPDATE registry_counters SET last = last + ? WHERE name = 'import' RETURNING last", len(m.files)).Scan(&last)
		if err != nil {
			return fmt.Errorf("number of the import: %w", err)
		}
		for n, f := range m.files {
			f.ID = last - int64(len(m.files)) + int64(n) + 1
		}
	}
	base, err := load(ctx, m.tx)
	if err != nil {
		return err
	}
	m.draft = base.draft()
	return m.known(ctx)
}

// known marks the files that were the last of their kind, read in the same way.
func (m *run) known(ctx context.Context) error {
	for _, f := range m.files {
		var n int
		err := m.tx.NewRaw("SELECT COUNT(*) FROM registry_imports WHERE kind = ? AND sm3 = ? AND settings = ? AND id = (SELECT MAX(id) FROM registry_imports WHERE kind = ?)",
			string(f.Kind()), f.SM3, f.settings, string(f.Kind())).Scan(ctx, &n)
		if err != nil {
			return fmt.Errorf("earlier imports: %w", err)
		}
		f.Same = n > 0
	}
	return nil
}

// small reads the files of the small tables.
func (m *run) small(ctx context.Context) error {
	for _, f := range m.files {
		if f.Same {
			continue
		}
		var err error
		switch f.Kind() {
		case census.Areas:
			err = readSmall(ctx, m, f, areaTable(), &m.draft.areas, m.lookArea)
		case census.Cells:
			err = readSmall(ctx, m, f, cellTable(), &m.draft.cells, m.lookCell)
		case census.Duties:
			err = readSmall(ctx, m, f, dutyTable(), &m.draft.duties, keep[registry.DutyGrid])
		case census.Departments:
			err = readSmall(ctx, m, f, departmentTable(), &m.draft.departments, m.lookDepartment)
		case census.People:
			err = readSmall(ctx, m, f, personTable(), &m.draft.people, m.lookPerson)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.FileSummary.File, err)
		}
	}
	m.draft.seal()
	return nil
}

// large reads the files of components and meter links.
func (m *run) large(ctx context.Context) error {
	for _, f := range m.files {
		var err error
		switch {
		case f.Same:
		case f.Kind() == census.Components:
			err = m.readComponents(ctx, f)
		case f.Kind() == census.MeterLinks:
			err = m.readLinks(ctx, f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.FileSummary.File, err)
		}
	}
	return nil
}

// verdict ends the import when something is wrong, or nothing was changed.
func (m *run) verdict(context.Context) error {
	s, changed := m.summary(), false
	for i := range s.Files {
		f := &s.Files[i]
		changed = changed || f.Added+f.Changed > 0
	}
	if s.Errors > 0 {
		return &RefusedError{First: firstError(s), Errors: s.Errors}
	}
	if !changed || m.o.DryRun {
		return errUnchanged
	}
	return nil
}

func firstError(s Summary) census.Problem {
	for _, f := range s.Files {
		for _, p := range f.Problems {
			if !p.Warning {
				return p
			}
		}
	}
	return census.Problem{Rule: "errors beyond those that are listed"}
}

// summary adds up the files.
func (m *run) summary() Summary {
	s := Summary{DryRun: m.o.DryRun, Relocated: m.relocated}
	for _, f := range m.files {
		one := f.FileSummary
		one.Problems = slices.Clone(one.Problems)
		slices.SortStableFunc(one.Problems, func(a, b census.Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Record, b.Record))
		})
		s.Errors, s.Warnings = s.Errors+one.Errors, s.Warnings+one.Warnings
		s.Files = append(s.Files, one)
	}
	return s
}

// take puts what census found wrong with a file to what is known of it.
func (f *fileRun) take(rep *census.Report) {
	f.Records += int64(rep.Records)
	f.Errors, f.Warnings = f.Errors+rep.Errors, f.Warnings+rep.Warnings
	f.Problems = append(f.Problems, rep.Problems...)
	f.NoPosition, f.Unlocated = append(f.NoPosition, rep.Unplaced...), f.Unlocated+rep.Unlocated
}

// communities are the areas against which cells are held.
func (m *run) communities(at time.Time) []registry.Area {
	var list []registry.Area
	for _, key := range m.draft.areas.keys {
		if a := m.draft.areas.of[key]; len(a.Code) == 12 && valid(a.Span, at) {
			list = append(list, a)
		}
	}
	return list
}

// counties are those that component ids may begin with; empty where nobody has said.
func (m *run) counties() map[codes.AreaCode]bool {
	out := map[codes.AreaCode]bool{}
	for _, key := range m.draft.areas.keys {
		out[codes.AreaCode(key[:6])] = true
	}
	if len(out) > 0 {
		return out
	}
	for _, key := range m.draft.cells.keys {
		out[codes.AreaCode(key[:6])] = true
	}
	return out
}
