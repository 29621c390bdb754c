package assets

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"citygrid/hub/registry/geo"
	"citygrid/internal/sqldb"
	"citygrid/schemas/codes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The errors that callers tell apart, beside *RefusedError.
var (
	// ErrUnknown says that the register does not have what was asked for.
	ErrUnknown = errors.New("not in the register")
	// ErrBusy says that somebody else was writing for longer than the wait. Nothing
	// was changed; the call may be made again.
	ErrBusy = sqldb.ErrBusy
	// ErrFull says that there is no room. Nothing was changed.
	ErrFull = sqldb.ErrFull
	// ErrOptions says that an import cannot be begun as it was asked for.
	ErrOptions = errors.New("how to import is not clear")
)

// Options say how a Register works.
type Options struct {
	// Lists are the code lists of classes; nil for those of the program.
	Lists *codes.Lists
	// Roles are the words that a person's roles may be; nil for the six of
	// DefaultRoles.
	Roles []string
	// Topology bounds the check of cells; its communities come from the register.
	Topology geo.TopologyOptions
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// BusyWait is how long to wait for another writer before ErrBusy; 0 means 10 s.
	BusyWait time.Duration
	// Fresh is how old the picture of the small tables may be when another program
	// imports; 0 means 2 s.
	Fresh time.Duration
}

// DefaultRoles are the roles of people in a city's grid.
func DefaultRoles() []string {
	return []string{"inspector", "acceptor", "shift_leader", "dispatcher", "department", "admin"}
}

// Register is the open asset register. Its methods may be called from any goroutine,
// and several programs may have it open.
type Register struct {
	db *sqldb.DB
	o  Options

	picture atomic.Pointer[picture]
	looked  atomic.Int64 // when the database was last asked whether it is the newest, ms
	renew   sync.Mutex
}

// Open opens the register at dsn, "sqlite:PATH" or "postgres://...", brings its tables
// up to date and builds the index of cells. Close it.
func Open(ctx context.Context, dsn string, o Options) (*Register, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Fresh == 0 {
		o.Fresh = 2 * time.Second
	}
	if o.Roles == nil {
		o.Roles = DefaultRoles()
	}
	if o.Lists == nil {
		lists, err := codes.Embedded()
		if err != nil {
			return nil, fmt.Errorf("open the asset register: %w", err)
		}
		o.Lists = lists
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the asset register: %w", err)
	}
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Migrations: files, Versions: "registry_versions", BusyWait: o.BusyWait})
	if err != nil {
		return nil, fmt.Errorf("open the asset register: %w", err)
	}
	r := &Register{db: db, o: o}
	if err := r.reload(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the asset register: %w", err), db.Close())
	}
	return r, nil
}

// Close ends all use of the register, after the other calls have returned.
func (r *Register) Close() error { return r.db.Close() }

// now is the clock as the tables keep it.
func (r *Register) now() time.Time { return r.o.Now().UTC().Truncate(time.Millisecond) }

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
