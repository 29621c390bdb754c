package accounts

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/secret"
)

// SignIn is what a browser sends.
type SignIn struct {
	// Name is an id or a name.
	Name, Password string
	// Device is what an earlier sign-in from the browser gave it; empty for none.
	Device string
	// Replaces is the session that the browser has, which ends; empty for none.
	Replaces string
	// From is the address of the browser, not that of a proxy.
	From netip.Addr
}

// SignedIn is what a sign-in gives.
type SignedIn struct {
	Access Access
	// Session and Device go into cookies of the browser, here and nowhere else. The
	// device is kept for deviceMemory (90 days) and only spares its person the pauses
	// that strangers cause.
	Session, Device secret.Secret
	// EndsAt is when the session ends at the latest.
	EndsAt time.Time
}

// deviceMemory is how long a browser is known after a sign-in.
const deviceMemory = 90 * 24 * time.Hour

// SignIn begins a new session for whoever knows the password. ErrRefused takes the
// same work whether the name is nobody's, the person has no password or may not sign
// in, or the password is wrong. A *PauseError or ErrBusy means that nothing was tried.
func (a *Accounts) SignIn(ctx context.Context, s SignIn) (SignedIn, error) {
	if len(s.Name) > 200 || len(s.Password) > MaxPassword || len(s.Device) > 200 {
		return SignedIn{}, ErrRefused
	}
	c, err := a.candidate(ctx, s.Name, s.Device)
	if err != nil {
		return SignedIn{}, explain("sign in", err)
	}
	keys := []limited{{"name " + a.mark(s.Name), nameLimit()}, byAddress(s.From)}
	if c.knownDevice {
		keys = []limited{{"device " + digestOf(s.Device), deviceLimit()}}
	}
	right, telling, err := a.try(ctx, s.Password, c.hash, keys)
	if err != nil {
		return SignedIn{}, explain("sign in", err)
	}
	if !right || !c.usable {
		return SignedIn{}, a.refuse(ctx, c, s.From, telling)
	}
	if c.knownDevice {
		a.pauses.forget(keys[0].key)
	}
	better, err := a.rehash(ctx, c, s.Password)
	if err != nil {
		return SignedIn{}, explain("hash a password", err)
	}
	return a.begin(ctx, c, s, better)
}

// try checks a password once the pauses allow it.
func (a *Accounts) try(ctx context.Context, password string, h storedHash, keys []limited) (right, telling bool, err error) {
	if telling, err = a.pauses.begin(a.o.Now(), keys...); err != nil {
		return false, false, err
	}
	right, err = a.hashes.matches(ctx, password, h)
	if right || err != nil {
		a.pauses.undo(a.o.Now(), keys...)
	}
	return right, telling, err
}

// candidate is who may be signing in. Nobody is person 0 with a decoy.
type candidate struct {
	row         personRow
	hash        storedHash
	usable      bool
	knownDevice bool
}

// candidate asks the same questions whoever it is. A decoy costs what the password of
// somebody who exists costs, chosen by the name: where some hashes are older and
// cheaper, the share of cheap answers among unknown names is the same.
func (a *Accounts) candidate(ctx context.Context, name, device string) (c candidate, err error) {
	var model string
	var devices int
	err = a.db.Snapshot(ctx, func(tx bun.Tx) (err error) {
		if c.row, err = a.named(ctx, tx, name); err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if model, err = a.modelHash(ctx, tx, name); err != nil {
			return err
		}
		return tx.NewRaw("SELECT COUNT(*) FROM account_devices WHERE digest = ? AND person = ? AND seen_ms > ?",
			digestOf(device), c.row.Person, millis(a.o.Now().Add(-deviceMemory))).Scan(ctx, &devices)
	})
	if err != nil {
		return c, err
	}
	c.knownDevice = devices > 0
	if c.hash, err = parseHash(c.row.Password); err == nil {
		c.usable = c.row.usable()
		return c, nil
	}
	cost := a.o.Hash
	if m, err := parseHash(model); err == nil {
		cost = m.cost
	}
	c.hash = decoy(cost)
	return c, nil
}

// modelHash returns the stored hash of somebody, the same for the same name.
func (a *Accounts) modelHash(ctx context.Context, tx bun.Tx, name string) (hash string, err error) {
	var n uint64
	if err := tx.NewRaw("SELECT COUNT(*) FROM account_people WHERE password <> ''").Scan(ctx, &n); err != nil {
		return "", err
	}
	pick := binary.BigEndian.Uint64([]byte(a.mark("model " + name))[:8]) % max(n, 1)
	err = tx.NewRaw("SELECT password FROM account_people WHERE password <> '' ORDER BY person LIMIT 1 OFFSET ?", int64(pick)).Scan(ctx, &hash)
	return hash, found(err, nil)
}

// refuse tells the audit log. What was typed as a name is not repeated, since it may be
// a password typed in the wrong place.
func (a *Accounts) refuse(ctx context.Context, c candidate, from netip.Addr, telling bool) error {
	if telling {
		err := a.change(ctx, "sign in", func(w *work) error {
			return w.record(Access{From: from}, ActSignInFailed, PersonKey(c.row.Person), "")
		})
		if err != nil {
			return err
		}
	}
	return ErrRefused
}

// rehash returns the password at today's cost, or "" where it has that already. A hub
// that is busy leaves it for another time.
func (a *Accounts) rehash(ctx context.Context, c candidate, password string) (string, error) {
	if c.hash.cost == a.o.Hash {
		return "", nil
	}
	hash, err := a.hashes.draw(ctx, password, a.o.Hash)
	if errors.Is(err, ErrBusy) {
		return "", nil
	}
	return hash, err
}

// begin stores the session, unless the person has been kept out or has another password
// since the password was checked.
func (a *Accounts) begin(ctx context.Context, c candidate, s SignIn, better string) (in SignedIn, err error) {
	session, device := drawToken(), s.Device
	if !c.knownDevice {
		device = drawToken()
	}
	err = a.change(ctx, "sign in", func(w *work) error {
		r, err := readPerson(w.ctx, w.tx, PersonKey(c.row.Person))
		if err != nil {
			return err
		}
		if !r.usable() || r.Password != c.row.Password {
			return ErrRefused
		}
		if better != "" {
			if err := w.exec("UPDATE account_people SET password = ? WHERE person = ?", better, r.Person); err != nil {
				return err
			}
		}
		p := r.person()
		life := w.o.Lifetimes(p.Roles)
		ends := moment(millis(w.now.Add(life.Whole)))
		in = SignedIn{Access: Access{Person: p, From: s.From, SignedInAt: moment(millis(w.now)), EndsAt: ends, session: digestOf(session)},
			Session: secret.New(session), Device: secret.New(device), EndsAt: ends}
		return w.store(in, life, s.Replaces, digestOf(device), "")
	})
	return in, err
}

// store writes a session down; device is empty for none, and by says who proved the
// person, empty for a password.
func (w *work) store(in SignedIn, life Lifetime, replaces, device, by string) error {
	now, key := millis(w.now), int64(in.Access.Person.Key)
	if device != "" {
		if err := w.exec("INSERT INTO account_devices (digest, person, seen_ms) VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET seen_ms = EXCLUDED.seen_ms", device, key, now); err != nil {
			return err
		}
	}
	return errors.Join(
		w.exec("DELETE FROM account_sessions WHERE digest = ?", digestOf(replaces)),
		w.exec("INSERT INTO account_sessions (digest, person, made_ms, seen_ms, idle_ms, ends_ms, origin) VALUES (?, ?, ?, ?, ?, ?, ?)",
			in.Access.session, key, now, now, life.Idle.Milliseconds(), millis(in.EndsAt), originText(in.Access.From)),
		w.record(in.Access, ActSignIn, in.Access.Person.Key, by))
}

func originText(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	return from.String()
}

// ChangePassword lets somebody who is signed in set another password. Their other
// sessions end. A wrong old password is ErrRefused, with the pauses of a known browser.
func (a *Accounts) ChangePassword(ctx context.Context, by Access, old, password string) error {
	if by.session == "" || len(old) > MaxPassword {
		return ErrRefused
	}
	r, err := readPerson(ctx, a.db.Read, by.Person.Key)
	if err != nil {
		return explain("change a password", err)
	}
	h, err := parseHash(r.Password)
	if err != nil {
		return err
	}
	right, telling, err := a.try(ctx, old, h, []limited{{"device of " + by.session, deviceLimit()}})
	switch {
	case err != nil:
		return explain("change a password", err)
	case !right && telling:
		err = a.change(ctx, "change a password", func(w *work) error { return w.record(by, ActPasswordBad, by.Person.Key, "") })
		return errors.Join(ErrRefused, err)
	case !right:
		return ErrRefused
	case old == password:
		return &WeakError{Unchanged}
	}
	if err := CheckPassword(password, r.ID, r.Name); err != nil {
		return err
	}
	hash, err := a.hashes.draw(ctx, password, a.o.Hash)
	if err != nil {
		return explain("hash a password", err)
	}
	return a.change(ctx, "change a password", func(w *work) error {
		now, err := readPerson(w.ctx, w.tx, by.Person.Key)
		if err != nil {
			return err
		}
		if now.Password != r.Password {
			return ErrRefused
		}
		if err := w.setPassword(by.Person.Key, hash, by.session); err != nil {
			return err
		}
		return w.record(by, ActPassword, by.Person.Key, "by its owner")
	})
}
