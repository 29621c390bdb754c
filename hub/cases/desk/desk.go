// Package desk keeps cases in SQL: the journal, what it comes to, the events that
// led to cases, uploads that may be repeated, and the numbers of new cases. The rules
// are those of package cases; this package brings them the clock, the registry and a
// transaction, and does what the hub does by itself.
//
// An act is one transaction: the entry, what the case comes to, and the mark of the
// upload are all there or none is. Cases can always be made again from the journal
// (Check does, and compares).
package desk

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Place is what the registry knows about where something is. Fields that it does not
// know are empty.
type Place struct {
	Component schemas.ComponentID
	Class     codes.Ref
	ClassName string
	Location  string
	Position  schemas.Position // CGCS2000
	Cell      codes.CellCode
	Duty      codes.DutyCode
	AreaClass string
	// Departments are those that a case here is sent to: the one in charge of the
	// component, or where it has no owner all that may be.
	Departments []cases.DepartmentID
}

// Grid answers from the asset register. What it does not know is an empty Place and
// no error: an error means that it could not be asked, and undoes what asked.
type Grid interface {
	OfMeter(ctx context.Context, meter schemas.MeterID, at time.Time) (Place, error)
	OfComponent(ctx context.Context, id schemas.ComponentID) (Place, error)
	// OfLine returns where the meters of a line are, as far as they are in one cell.
	OfLine(ctx context.Context, collector schemas.CollectorID, line string) (Place, error)
	// At returns cell, duty grid and area class of a position.
	At(ctx context.Context, p schemas.Position) (Place, error)
	// Candidates returns the departments that take a class.
	Candidates(ctx context.Context, class codes.Ref) ([]cases.DepartmentID, error)
}

// CellGrid is what a Grid may offer besides: what is known of a cell by its code, for
// cases whose cell is known and no more. Without it their area class is empty.
type CellGrid interface {
	OfCell(ctx context.Context, cell codes.CellCode) (Place, error)
}

// Classes says under which class an event of a kind is filed, and what the class is
// called.
type Classes interface {
	OfEvent(kind schemas.EventKind) (class codes.Ref, name string, err error)
	Name(class codes.Ref) (string, error)
}

// People knows who is sent to look at things.
type People interface {
	// Inspector reports whether there is an inspector of this id.
	Inspector(ctx context.Context, id cases.PersonID) (bool, error)
}

// Options say how a Desk works.
type Options struct {
	Rules cases.Rules
	Grid  Grid
	// Limits is the city's file of time limits.
	Limits  *limits.Book
	Classes Classes
	// People is asked before an inspector is sent; nil: any name will do.
	People People
	// Numbers is the city's rule for case numbers.
	Numbers *codes.CaseTemplate
	// County stands in the numbers of cases whose cell is not known; needed only where
	// the rule has {county}.
	County codes.AreaCode
	Zone   *time.Location // of the day in case numbers
	Events EventRules
	// Plain turns a position of a report into CGCS2000, for lists and maps; what was
	// reported stays in the journal as it was. Nil takes WGS84 as it is and shows no
	// place for other systems.
	Plain func(schemas.Position) schemas.Position
	Now   func() time.Time
	// SearchAtOnce is how many cases a search in Latest looks at for a page; 0 means
	// 5,000.
	SearchAtOnce int
	// BusyWait is how long to wait for another writer; 0 means 10 s.
	BusyWait time.Duration
}

// Desk is the open cases. Its methods may be called from any goroutine.
type Desk struct {
	db *sqldb.DB
	o  Options

	mu      sync.Mutex
	changed chan struct{} // closed at the next entry
	told    int64         // the newest entry of which was told
}

// The errors that callers tell apart. Conflicts of the workflow are
// *cases.ConflictError, faults of an entry *schemas.FieldError.
var (
	// ErrUnknown says that there is no such case. A new one is reported without a number.
	ErrUnknown = errors.New("no such case")
	// ErrStale says that a case has other entries than Submission.Expect.
	ErrStale = errors.New("somebody else has done something to it since it was read; read it again")
	// ErrOtherUpload says that the client id has been used for something else.
	ErrOtherUpload = errors.New("the client id belongs to another upload with other content; make a new id for new content")
	// ErrNoNumber says that the city's rule has no number for a new case: the day's are
	// used up, or it asks for something that the case lacks.
	ErrNoNumber = errors.New("the rule for case numbers has none for this case; change case_number in the configuration")
)

// Open opens the cases at dsn ("sqlite:PATH" or "postgres://...") and brings their
// tables up to date. Close them.
func Open(ctx context.Context, dsn string, o Options) (*Desk, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Migrations: files, Versions: "case_versions", OnlySQLite: []string{"00007_searched.sql"}, BusyWait: o.BusyWait})
	if err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	d := &Desk{db: db, o: o, changed: make(chan struct{})}
	if d.told, err = d.newest(ctx); err != nil {
		return nil, errors.Join(sqldb.Explain("open cases", err), db.Close())
	}
	return d, nil
}

// complete puts in the defaults and reports what is missing.
func (o *Options) complete() error {
	for _, part := range []struct {
		name  string
		given bool
	}{{"grid", o.Grid != nil}, {"limits", o.Limits != nil}, {"classes", o.Classes != nil}, {"numbers", o.Numbers != nil}} {
		if !part.given {
			return fmt.Errorf("no %s in the options", part.name)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Plain == nil {
		o.Plain = plain
	}
	if o.SearchAtOnce <= 0 {
		o.SearchAtOnce = 5_000
	}
	o.Events = o.Events.withDefaults()
	return o.Events.Validate()
}

// Close ends all use of the cases, after the other calls have returned.
func (d *Desk) Close() error { return d.db.Close() }

// plain takes what needs no turning: WGS84 and CGCS2000 agree within a metre.
func plain(p schemas.Position) schemas.Position {
	if p.CRS != schemas.CGCS2000 && p.CRS != schemas.WGS84 {
		return schemas.Position{}
	}
	p.CRS = schemas.CGCS2000
	return p
}

// tell wakes those who wait for entries, where seq is a new one.
func (d *Desk) tell(seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq <= d.told {
		return
	}
	d.told = seq
	close(d.changed)
	d.changed = make(chan struct{})
}

// Changed returns a channel that is closed when there are new entries: at once for
// those of this Desk, with the next Settle for those of another process.
func (d *Desk) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// newest is the number of the newest entry, 0 for none.
func (d *Desk) newest(ctx context.Context) (seq int64, err error) {
	err = d.db.Read.NewRaw("SELECT COALESCE(MAX(seq), 0) FROM case_entries").Scan(ctx, &seq)
	return seq, err
}

// now is the hub's clock as the journal keeps it.
func (d *Desk) now() time.Time { return d.o.Now().UTC().Truncate(time.Millisecond) }

// millis and moment turn moments into what the tables hold and back; 0 is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// e7 turns degrees into whole 1e-7 degrees, about a centimetre; degrees turns them
// back.
func e7(deg float64) int64 {
	if deg < 0 {
		return int64(deg*1e7 - 0.5)
	}
	return int64(deg*1e7 + 0.5)
}

func degrees(v int64) float64 { return float64(v) / 1e7 }

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
