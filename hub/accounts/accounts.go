// Package accounts keeps the people of a hub in SQL: who they are, what they may do,
// how they prove it, and what was done about them. People prove who they are with a
// password and then a session, programs with a token. Of all of these only digests
// are kept.
//
// Names are given to a person for ever: journals of cases and books repeat them, and
// two steps of a pair are told apart by them. Nothing here is a page or a route; a
// caller hands in what a browser or a program sent, and where it came from.
package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The errors that callers tell apart. A pause is a *PauseError, a password that is
// too weak a *WeakError.
var (
	// ErrRefused says that the name, the password, the code, the session or the token
	// is not right, or belongs to somebody who may not sign in. It says no more, and
	// takes as long, whichever it is.
	ErrRefused = errors.New("refused: it is wrong, has ended, or may not be used any more")
	// ErrForbidden says that who asks may not do this.
	ErrForbidden = errors.New("only an administrator may do this")
	// ErrUnknown says that there is no such person, token or session.
	ErrUnknown = errors.New("no such person, token or session")
	// ErrTaken says that an id or a name is or was somebody's.
	ErrTaken = errors.New("the id or the name is or was somebody's; choose another")
	// ErrLastAdmin says that nobody would be left who can administer.
	ErrLastAdmin = errors.New("nobody would be left who can administer; give somebody else the role admin and a password first")
	// ErrBusy says that too many passwords are being checked. Nothing was changed.
	ErrBusy = errors.New("too many people are signing in; try again in a moment")
	// ErrSetUp says that the set-up is done.
	ErrSetUp = errors.New("the set-up is done: somebody can administer; ask them for an invitation")
)

// Options say how accounts work. The zero value of a field means the default.
type Options struct {
	// Now is the clock; it is required.
	Now func() time.Time
	// Hash is what new passwords cost; DefaultHash when zero.
	Hash HashCost
	// HashesAtOnce bounds how many passwords are checked at once, and with Hash the
	// memory that this takes; 2 when zero. HashesWaiting bounds those that wait, 64
	// when zero.
	HashesAtOnce, HashesWaiting int
	// Lifetimes says how long sessions last; DefaultLifetime when nil.
	Lifetimes func(roles []Role) Lifetime
	// SetUpFor and InviteFor are how long codes can be used: 1 h and 72 h when zero.
	SetUpFor, InviteFor time.Duration
	// BusyWait is how long to wait for another writer; 0 means 10 s.
	BusyWait time.Duration
}

// Accounts is the open accounts. Its methods may be called from any goroutine.
type Accounts struct {
	db     *sqldb.DB
	o      Options
	key    []byte // of account_names
	hashes *hasher
	pauses *pauses
	setUp  atomic.Bool // IsSetUp has been true
}

// Open opens the accounts at dsn ("sqlite:PATH" or "postgres://...") and brings their
// tables up to date. They may share the database of the books or the cases. Close them.
func Open(ctx context.Context, dsn string, o Options) (*Accounts, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Migrations: files, Versions: "account_versions", BusyWait: o.BusyWait})
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	a := &Accounts{db: db, o: o, hashes: newHasher(o.HashesAtOnce, o.HashesWaiting), pauses: newPauses()}
	if err := a.readKey(ctx); err != nil {
		return nil, errors.Join(sqldb.Explain("open accounts", err), db.Close())
	}
	return a, nil
}

func (o *Options) complete() error {
	if o.Now == nil {
		return errors.New("options: a clock is missing")
	}
	if o.Hash == (HashCost{}) {
		o.Hash = DefaultHash()
	}
	if err := o.Hash.check(); err != nil {
		return err
	}
	if o.Lifetimes == nil {
		o.Lifetimes = DefaultLifetime
	}
	setDefault(&o.HashesAtOnce, 2)
	setDefault(&o.HashesWaiting, 64)
	setDefault(&o.SetUpFor, time.Hour)
	setDefault(&o.InviteFor, 72*time.Hour)
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// readKey draws the key of account_names once in the life of the database. Of two
// programs that open a new one, both read what the first wrote.
func (a *Accounts) readKey(ctx context.Context) error {
	if _, err := a.db.Write.NewRaw("INSERT INTO account_facts (name, value) VALUES ('names_key', ?) ON CONFLICT (name) DO NOTHING", hex.EncodeToString(chance(32))).Exec(ctx); err != nil {
		return err
	}
	var text string
	if err := a.db.Write.NewRaw("SELECT value FROM account_facts WHERE name = 'names_key'").Scan(ctx, &text); err != nil {
		return err
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 {
		return errors.New("the key names_key in account_facts is damaged; restore the database from the back-up")
	}
	a.key = key
	return nil
}

// Close ends all use of the accounts. It is called once, after the other calls have
// returned.
func (a *Accounts) Close() error { return a.db.Close() }

// chance returns n random bytes; crypto/rand never fails [Go, crypto/rand.Read].
func chance(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// change runs do in one transaction after taking the lock that all changes take, so
// that what do reads stays as it is until the end.
func (a *Accounts) change(ctx context.Context, act string, do func(w *work) error) error {
	err := a.db.Change(ctx, func(tx bun.Tx) error {
		w := &work{Accounts: a, ctx: ctx, tx: tx, now: a.o.Now()}
		if err := w.exec("UPDATE account_counters SET last = last WHERE name = 'audit'"); err != nil {
			return err
		}
		return do(w)
	})
	return explain(act, err)
}

// explain leaves the errors that callers tell apart as they are.
func explain(act string, err error) error {
	var weak *WeakError
	var pause *PauseError
	for _, known := range []error{ErrRefused, ErrBusy} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errors.As(err, &weak) || errors.As(err, &pause) {
		return err
	}
	return sqldb.Explain(act, err)
}

// work is a change in its transaction.
type work struct {
	*Accounts
	ctx context.Context // of the one call that this change is
	tx  bun.Tx
	now time.Time
}

func (w *work) exec(query string, args ...any) error {
	_, err := w.tx.NewRaw(query, args...).Exec(w.ctx)
	return err
}

// count runs a statement and returns how many rows it changed.
func (w *work) count(query string, args ...any) (int64, error) {
	res, err := w.tx.NewRaw(query, args...).Exec(w.ctx)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// next gives out a number.
func (w *work) next(name string) (n int64, err error) {
	err = w.tx.NewRaw("UPDATE account_counters SET last = last + 1 WHERE name = ? RETURNING last", name).Scan(w.ctx, &n)
	return n, err
}

func millis(t time.Time) int64 { return t.UnixMilli() }

// moment is the inverse of millis; 0 is the zero time.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// found turns "no rows" into what.
func found(err, what error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return what
	}
	return err
}

// Tidy takes out what has ended: codes, sessions, and devices not seen for 90 days.
// The hub calls it about once an hour. Tokens stay, so that lists show when they ended.
func (a *Accounts) Tidy(ctx context.Context) error {
	return a.change(ctx, "tidy accounts", func(w *work) error {
		now := millis(w.now)
		return errors.Join(
			w.exec("DELETE FROM account_codes WHERE ends_ms <= ?", now),
			w.exec("DELETE FROM account_sessions WHERE ends_ms <= ? OR seen_ms + idle_ms <= ?", now, now),
			w.exec("DELETE FROM account_devices WHERE seen_ms <= ?", now-deviceMemory.Milliseconds()))
	})
}
