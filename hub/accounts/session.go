package accounts

import (
	"context"
	"net/netip"
	"time"
)

// Lifetime is how long a session lasts.
type Lifetime struct {
	// Idle is how long it may rest, Whole how long it lasts in all.
	Idle, Whole time.Duration
}

// DefaultLifetime gives people with the role inspector and nothing else 7 days of rest
// and 30 days in all: they work where there is no network, and a sign-in that has ended
// there costs a report. Viewers have 12 hours of rest in 30 days, since a wall has no
// keyboard. Everybody else has 30 minutes of rest in 12 hours.
func DefaultLifetime(roles []Role) Lifetime {
	switch join(roles) {
	case string(Inspector):
		return Lifetime{Idle: 7 * 24 * time.Hour, Whole: 30 * 24 * time.Hour}
	case string(Viewer):
		return Lifetime{Idle: 12 * time.Hour, Whole: 30 * 24 * time.Hour}
	}
	return Lifetime{Idle: 30 * time.Minute, Whole: 12 * time.Hour}
}

type sessionRow struct {
	personRow
	Digest  string
	SeenMs  int64
	BeganMs int64
	IdleMs  int64
	EndsMs  int64
	Origin  string
}

const sessionColumns = personColumns + ", s.digest, s.seen_ms, s.made_ms AS began_ms, s.idle_ms, s.ends_ms, s.origin"

func (r *sessionRow) over(now int64) bool { return now >= r.EndsMs || now >= r.SeenMs+r.IdleMs }

// Session returns who a session belongs to, with the rights that they have now, and
// counts as use. A session that is unknown, over, or of somebody who is kept out is
// ErrRefused. It ends between 15/16 and the whole of its time of rest after the last
// use: not every use is written.
func (a *Accounts) Session(ctx context.Context, session string, from netip.Addr) (Access, error) {
	return a.lookUp(ctx, session, from, func(*sessionRow) bool { return true })
}

// Glance is Session for what a page asks by itself, without its person: it does not
// count as use, or a page that is left open would never be signed out. It does for
// people with the role viewer and nothing else: a wall has no keyboard.
func (a *Accounts) Glance(ctx context.Context, session string, from netip.Addr) (Access, error) {
	return a.lookUp(ctx, session, from, func(r *sessionRow) bool { return join(r.person().Roles) == string(Viewer) })
}

func (a *Accounts) lookUp(ctx context.Context, session string, from netip.Addr, uses func(*sessionRow) bool) (Access, error) {
	digest, now := digestOf(session), millis(a.o.Now())
	var r sessionRow
	err := a.db.Read.NewRaw("SELECT "+sessionColumns+" FROM account_sessions s JOIN account_people p ON p.person = s.person WHERE s.digest = ?", digest).Scan(ctx, &r)
	if err != nil {
		return Access{}, explain("look up a session", found(err, ErrRefused))
	}
	if r.over(now) || !r.usable() {
		return Access{}, ErrRefused
	}
	if now-r.SeenMs >= r.IdleMs/16 && uses(&r) {
		// Only forward, and only a row that is there: what was signed out meanwhile stays out.
		_, err := a.db.Write.NewRaw("UPDATE account_sessions SET seen_ms = ? WHERE digest = ? AND seen_ms < ?", now, digest, now).Exec(ctx)
		if err != nil {
			return Access{}, explain("write the use of a session", err)
		}
	}
	return Access{Person: r.person(), From: from, SignedInAt: moment(r.BeganMs), EndsAt: moment(r.EndsMs), session: digest}, nil
}

// SignOut ends the session of by.
func (a *Accounts) SignOut(ctx context.Context, by Access) error {
	return a.change(ctx, "sign out", func(w *work) error {
		n, err := w.count("DELETE FROM account_sessions WHERE digest = ?", by.session)
		if err != nil || n == 0 {
			return err
		}
		return w.record(by, ActSignOut, by.Person.Key, "")
	})
}

// SignOutEverywhere ends all sessions of a person, for the person or an administrator,
// and forgets their browsers.
func (a *Accounts) SignOutEverywhere(ctx context.Context, by Access, key PersonKey) error {
	return a.change(ctx, "sign out everywhere", func(w *work) error {
		if err := w.selfOrAdmin(by, key); err != nil {
			return err
		}
		n, err := w.count("DELETE FROM account_sessions WHERE person = ?", int64(key))
		if err != nil {
			return err
		}
		if err := w.exec("DELETE FROM account_devices WHERE person = ?", int64(key)); err != nil {
			return err
		}
		return w.record(by, ActSignOutAll, key, plural(n, "session"))
	})
}

// selfOrAdmin lets people in their sessions do something to themselves, and
// administrators to anybody.
func (w *work) selfOrAdmin(by Access, key PersonKey) error {
	if by.session != "" && by.Person.Key == key {
		return nil
	}
	return w.administers(by)
}

// OpenSession is one session of a person, for the person to look at.
type OpenSession struct {
	BeganAt, SeenAt, EndsAt time.Time
	From                    string
	// This is true for the session that asks.
	This bool
}

// Sessions returns the open sessions of by's person, the last used first.
func (a *Accounts) Sessions(ctx context.Context, by Access) ([]OpenSession, error) {
	var rows []sessionRow
	err := a.db.Read.NewRaw("SELECT "+sessionColumns+" FROM account_sessions s JOIN account_people p ON p.person = s.person WHERE s.person = ? ORDER BY s.seen_ms DESC, s.digest", int64(by.Person.Key)).Scan(ctx, &rows)
	if err != nil {
		return nil, explain("list sessions", err)
	}
	var out []OpenSession
	for n := range rows {
		if r := &rows[n]; !r.over(millis(a.o.Now())) {
			out = append(out, OpenSession{BeganAt: moment(r.BeganMs), SeenAt: moment(r.SeenMs), EndsAt: moment(min(r.EndsMs, r.SeenMs+r.IdleMs)), From: r.Origin, This: r.Digest == by.session})
		}
	}
	return out, nil
}
