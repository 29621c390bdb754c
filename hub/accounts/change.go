package accounts

import (
	"context"
	"errors"
	"fmt"

	"citygrid/schemas"
)

// Add enters a person without a password: Invite gives them a code, and a program
// needs none. An id or name that is or was somebody's is ErrTaken.
func (a *Accounts) Add(ctx context.Context, by Access, p NewPerson) (Person, error) {
	if err := p.check(); err != nil {
		return Person{}, fmt.Errorf("add a person: %w", err)
	}
	var key PersonKey
	err := a.change(ctx, "add a person", func(w *work) (err error) {
		if err := w.administers(by); err != nil {
			return err
		}
		if key, err = w.insert(p, ""); err != nil {
			return err
		}
		return w.record(by, ActAdd, key, "roles "+join(p.Roles))
	})
	if err != nil {
		return Person{}, err
	}
	return a.Person(ctx, key)
}

// insert takes the names and stores the person.
func (w *work) insert(p NewPerson, hash string) (PersonKey, error) {
	key, err := w.next("person")
	if err != nil {
		return 0, err
	}
	marks := []string{w.mark(p.ID)}
	if m := w.mark(p.Name); m != marks[0] {
		marks = append(marks, m)
	}
	for _, m := range marks {
		n, err := w.count("INSERT INTO account_names (mark, person) VALUES (?, ?) ON CONFLICT (mark) DO NOTHING", m, key)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, ErrTaken
		}
	}
	return PersonKey(key), w.exec(`INSERT INTO account_people (person, id, name, roles, department, utilities, password, made_ms, disabled_ms, forgotten_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`, key, p.ID, p.Name, join(p.Roles), p.Department, join(p.Utilities), hash, millis(w.now))
}

// Rights are what may be changed about a person. Ids and names stay for ever.
type Rights struct {
	Roles      []Role
	Department string
	Utilities  []schemas.Medium
}

// Change sets the rights of a person, at once and for open sessions too.
func (a *Accounts) Change(ctx context.Context, by Access, key PersonKey, r Rights) error {
	p := NewPerson{Roles: r.Roles, Department: r.Department, Utilities: r.Utilities}
	if err := p.checkRoles(); err != nil {
		return fmt.Errorf("change a person: %w", err)
	}
	return a.onPerson(ctx, by, key, "change a person", func(w *work, now *personRow) error {
		if !p.Has(Admin) {
			if err := w.staysAdministered(key); err != nil {
				return err
			}
		}
		if err := w.setRights(key, &p); err != nil {
			return err
		}
		return w.record(by, ActChange, key, fmt.Sprintf("roles %s; before %s", join(p.Roles), now.Roles))
	})
}

func (w *work) setRights(key PersonKey, p *NewPerson) error {
	return w.exec("UPDATE account_people SET roles = ?, department = ?, utilities = ? WHERE person = ?", join(p.Roles), p.Department, join(p.Utilities), int64(key))
}

// onPerson runs do for an administrator and a person who has not been forgotten.
func (a *Accounts) onPerson(ctx context.Context, by Access, key PersonKey, act string, do func(w *work, r *personRow) error) error {
	return a.change(ctx, act, func(w *work) error {
		if err := w.administers(by); err != nil {
			return err
		}
		r, err := readPerson(w.ctx, w.tx, key)
		if err != nil {
			return err
		}
		if r.ForgottenMs != 0 {
			return ErrUnknown
		}
		return do(w, &r)
	})
}

// staysAdministered refuses to take away the last administrator with a password. A hub
// that has none yet has nothing to lose.
func (w *work) staysAdministered(key PersonKey) error {
	all, err := w.administrators(0)
	if err != nil {
		return err
	}
	others, err := w.administrators(key)
	if err == nil && all > 0 && others == 0 {
		return ErrLastAdmin
	}
	return err
}

// Disable keeps a person out from now on: sessions end, codes and tokens are refused.
// What they did stays. Enable undoes it, but for the sessions and codes.
func (a *Accounts) Disable(ctx context.Context, by Access, key PersonKey) error {
	return a.onPerson(ctx, by, key, "disable a person", func(w *work, _ *personRow) error {
		if err := w.staysAdministered(key); err != nil {
			return err
		}
		return errors.Join(
			w.exec("UPDATE account_people SET disabled_ms = ? WHERE person = ? AND disabled_ms = 0", millis(w.now), int64(key)),
			w.exec("DELETE FROM account_sessions WHERE person = ?", int64(key)),
			w.exec("DELETE FROM account_codes WHERE person = ?", int64(key)),
			w.record(by, ActDisable, key, ""))
	})
}

// Enable lets a disabled person in again.
func (a *Accounts) Enable(ctx context.Context, by Access, key PersonKey) error {
	return a.onPerson(ctx, by, key, "enable a person", func(w *work, _ *personRow) error {
		return errors.Join(
			w.exec("UPDATE account_people SET disabled_ms = 0 WHERE person = ?", int64(key)),
			w.record(by, ActEnable, key, ""))
	})
}

// Forget takes out everything about a person but a number: names, rights, password,
// sessions, browsers, tokens, and the addresses that they came from in the audit log,
// whose chain holds. Nobody can have the names again. Journals of cases and books keep
// the names that they must keep by law; they are not touched.
func (a *Accounts) Forget(ctx context.Context, by Access, key PersonKey) error {
	return a.onPerson(ctx, by, key, "forget a person", func(w *work, _ *personRow) error {
		if err := w.staysAdministered(key); err != nil {
			return err
		}
		if err := w.record(by, ActForget, key, ""); err != nil {
			return err
		}
		for _, table := range []string{"account_sessions", "account_codes", "account_devices", "account_tokens"} {
			if err := w.exec("DELETE FROM "+table+" WHERE person = ?", int64(key)); err != nil {
				return err
			}
		}
		return errors.Join(
			w.exec("UPDATE account_audit SET origin = '', salt = '' WHERE actor = ?", int64(key)),
			w.exec("UPDATE account_people SET id = '', name = '', roles = '', department = '', utilities = '', password = '', forgotten_ms = ? WHERE person = ?", millis(w.now), int64(key)))
	})
}
