package accounts

import (
	"context"
	"errors"
	"net/netip"

	"citygrid/internal/secret"
)

// Proved is somebody whom an identity provider has proved to the hub.
type Proved struct {
	// Name is an id or a name.
	Name string
	// By is the word for the provider in the audit log, such as "oidc".
	By string
	// Replaces is the session that the browser has, which ends; empty for none.
	Replaces string
	// From is the address of the browser, not that of a proxy.
	From netip.Addr
}

// SignInProved begins a new session without a password for the person whom an identity
// provider has named. Nobody is entered by it: who is not here, is kept out or was
// forgotten is ErrRefused. It gives no device, which only helps with passwords.
func (a *Accounts) SignInProved(ctx context.Context, s Proved) (SignedIn, error) {
	keys := []limited{byAddress(s.From)}
	telling, err := a.pauses.begin(a.o.Now(), keys...)
	if err != nil {
		return SignedIn{}, err
	}
	r, err := a.named(ctx, a.db.Read, s.Name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return SignedIn{}, explain("sign in", err)
	}
	c := candidate{row: r, usable: err == nil && r.usable()}
	if !c.usable {
		return SignedIn{}, a.refuse(ctx, c, s.From, telling)
	}
	a.pauses.undo(a.o.Now(), keys...)
	return a.beginProved(ctx, c, s)
}

func (a *Accounts) beginProved(ctx context.Context, c candidate, s Proved) (in SignedIn, err error) {
	session := drawToken()
	err = a.change(ctx, "sign in", func(w *work) error {
		r, err := readPerson(w.ctx, w.tx, PersonKey(c.row.Person))
		if err != nil {
			return err
		}
		if !r.usable() {
			return ErrRefused
		}
		p := r.person()
		life := w.o.Lifetimes(p.Roles)
		ends := moment(millis(w.now.Add(life.Whole)))
		in = SignedIn{Access: Access{Person: p, From: s.From, SignedInAt: moment(millis(w.now)), EndsAt: ends, session: digestOf(session)},
			Session: secret.New(session), EndsAt: ends}
		return w.store(in, life, s.Replaces, "", s.By)
	})
	return in, err
}

// IsSetUp reports whether somebody can administer. Once it is true it stays so.
func (a *Accounts) IsSetUp(ctx context.Context) (bool, error) {
	if a.setUp.Load() {
		return true, nil
	}
	w := &work{Accounts: a, ctx: ctx}
	n, err := w.administratorsIn(a.db.Read, 0)
	if n > 0 && err == nil {
		a.setUp.Store(true)
	}
	return n > 0, explain("look for an administrator", err)
}

// Stands reports whether what by asked with, a session or a token, could still ask:
// for answers that go on for long. Unlike Session it does not count as use.
func (a *Accounts) Stands(ctx context.Context, by Access) (bool, error) {
	if by.session == "" {
		return a.tokenStands(ctx, by)
	}
	var r sessionRow
	err := a.db.Read.NewRaw("SELECT "+sessionColumns+" FROM account_sessions s JOIN account_people p ON p.person = s.person WHERE s.digest = ?", by.session).Scan(ctx, &r)
	if err != nil {
		return false, explain("look up a session", found(err, nil))
	}
	return !r.over(millis(a.o.Now())) && r.usable() && sameRoles(r.person().Roles, by.Person.Roles), nil
}

func (a *Accounts) tokenStands(ctx context.Context, by Access) (bool, error) {
	var r tokenRow
	err := a.db.Read.NewRaw("SELECT "+tokenColumns+" FROM account_tokens t JOIN account_people p ON p.person = t.person WHERE t.token = ?", int64(by.Token)).Scan(ctx, &r)
	if err != nil {
		return false, explain("look up a token", found(err, nil))
	}
	p, ok := r.access(millis(a.o.Now()))
	return ok && sameRoles(p.Roles, by.Person.Roles), nil
}

// sameRoles compares lists in the order of Roles.
func sameRoles(a, b []Role) bool { return join(a) == join(b) }

// SignOutOthers ends all sessions of by's person but the one that asks.
func (a *Accounts) SignOutOthers(ctx context.Context, by Access) error {
	if by.session == "" {
		return ErrRefused
	}
	return a.change(ctx, "sign out the other sessions", func(w *work) error {
		n, err := w.count("DELETE FROM account_sessions WHERE person = ? AND digest <> ?", int64(by.Person.Key), by.session)
		if err != nil || n == 0 {
			return err
		}
		return w.record(by, ActSignOutAll, by.Person.Key, plural(n, "other session"))
	})
}

// Told appends to the audit log what happened outside the accounts: that something left
// the hub (ActExport), that somebody looked at it (ActPersonal, ActCards), or what
// cannot be undone (ActCloseDay). What it was must name no person. The zero Access, who may do nothing, is nobody's.
func (a *Accounts) Told(ctx context.Context, by Access, act Act, what string) error {
	return a.change(ctx, "write the audit log", func(w *work) error { return w.record(by, act, 0, what) })
}
