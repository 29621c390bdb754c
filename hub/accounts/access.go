package accounts

import (
	"net/netip"
	"time"
)

// Access is somebody who has proved who they are, and where they ask from. The roles
// of its Person are those that count: a token may have fewer than its owner. Session,
// Token and TheHub make them; the zero Access may do nothing.
type Access struct {
	Person Person
	From   netip.Addr
	// SignedInAt is when the password was given; zero for a token.
	SignedInAt time.Time
	// EndsAt is when the session or the token ends at the latest; zero for a token that
	// does not.
	EndsAt time.Time
	// Token is the number of the token; 0 for a session.
	Token TokenID

	session string // digest
	hub     bool
}

// TheHub returns who the hub is to its own accounts when it reads its configuration
// or a person works at its command line. It may do everything.
func TheHub() Access { return Access{hub: true} }

// administers reports with an error unless by is an administrator now, whatever it was
// when it asked.
func (w *work) administers(by Access) error {
	if by.hub {
		return nil
	}
	r, err := readPerson(w.ctx, w.tx, by.Person.Key)
	if err != nil {
		return ErrForbidden
	}
	if now := r.person(); !r.usable() || !by.Person.Has(Admin) || !now.Has(Admin) {
		return ErrForbidden
	}
	return nil
}
