package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/secret"
)

// codeAlphabet is that of Crockford's Base32: no I, L, O and U.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// codeBytes makes codes of 160 bits in 32 characters: nobody guesses one, so that
// codes need no pause.
const codeBytes = 20

func drawCode() string {
	text := base32.NewEncoding(codeAlphabet).EncodeToString(chance(codeBytes))
	var out strings.Builder
	for n, r := range text {
		if n > 0 && n%4 == 0 {
			out.WriteByte('-')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// plainCode undoes what people do to a code that they copy by hand.
func plainCode(code string) string {
	if len(code) > 200 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		case '-', ' ', '\t', '\n', '\r':
			return -1
		}
		return r
	}, strings.ToUpper(fold(code)))
}

// digestOf is what is kept of a token, a session, a device or a code: each is drawn
// with 160 bits or more, so that its digest tells nothing and needs no salt. It has
// the form that configurations use.
func digestOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// drawToken returns 256 random bits as text.
func drawToken() string { return base64.RawURLEncoding.EncodeToString(chance(32)) }

// Code is a one-time code as it is handed out: the only place that has it.
type Code struct {
	Code   secret.Secret
	EndsAt time.Time
}

const (
	forSetUp    = "setup"
	forPassword = "password"
)

// SetUpCode returns a new code for setting up the first administrator, for the hub to
// print where only its operator reads, or ErrSetUp when there is one with a password.
// A code that was printed before stays good until it ends, since an operator may have
// copied it before a restart; the first that is used ends all.
func (a *Accounts) SetUpCode(ctx context.Context) (c Code, err error) {
	err = a.change(ctx, "make a set-up code", func(w *work) error {
		if err := w.notSetUp(); err != nil {
			return err
		}
		c, err = w.newCode(forSetUp, 0, w.o.SetUpFor)
		return err
	})
	return c, err
}

func (w *work) notSetUp() error {
	n, err := w.administrators(0)
	if err == nil && n > 0 {
		return ErrSetUp
	}
	return err
}

// administrators counts those who can administer, but for one person.
func (w *work) administrators(but PersonKey) (n int, err error) { return w.administratorsIn(w.tx, but) }

func (w *work) administratorsIn(db bun.IDB, but PersonKey) (n int, err error) {
	var rows []personRow
	err = db.NewRaw("SELECT "+personColumns+" FROM account_people p WHERE p.password <> '' AND p.disabled_ms = 0 AND p.forgotten_ms = 0 AND p.person <> ?", int64(but)).Scan(w.ctx, &rows)
	for i := range rows {
		if p := rows[i].person(); p.Has(Admin) {
			n++
		}
	}
	return n, err
}

func (w *work) newCode(purpose string, person PersonKey, lasts time.Duration) (Code, error) {
	code, ends := drawCode(), w.now.Add(lasts)
	err := w.exec("INSERT INTO account_codes (digest, purpose, person, ends_ms) VALUES (?, ?, ?, ?)", digestOf(plainCode(code)), purpose, int64(person), millis(ends))
	return Code{Code: secret.New(code), EndsAt: moment(millis(ends))}, err
}

// whose returns the person of a code that can be used, or ErrRefused.
func (w *work) whose(code, purpose string) (key PersonKey, err error) {
	err = w.tx.NewRaw("SELECT person FROM account_codes WHERE digest = ? AND purpose = ? AND ends_ms > ?", digestOf(plainCode(code)), purpose, millis(w.now)).Scan(w.ctx, &key)
	return key, found(err, ErrRefused)
}

// SetUp enters the first administrator with the code that the hub printed. The code is
// used up only when this succeeds.
func (a *Accounts) SetUp(ctx context.Context, code string, p NewPerson, password string, from netip.Addr) (Person, error) {
	p.Roles = append(p.Roles, Admin)
	if err := p.check(); err != nil {
		return Person{}, fmt.Errorf("set up the administrator: %w", err)
	}
	hash, err := a.hashFor(ctx, code, forSetUp, password, func(*work, PersonKey) ([]string, error) { return []string{p.ID, p.Name}, nil })
	if err != nil {
		return Person{}, err
	}
	var key PersonKey
	err = a.change(ctx, "set up the administrator", func(w *work) error {
		if err := w.notSetUp(); err != nil {
			return err
		}
		if _, err := w.whose(code, forSetUp); err != nil {
			return err
		}
		if err := w.exec("DELETE FROM account_codes WHERE purpose = ?", forSetUp); err != nil {
			return err
		}
		if key, err = w.insert(p, hash); err != nil {
			return err
		}
		return w.record(Access{Person: Person{Key: key}, From: from}, ActSetUp, key, "")
	})
	if err != nil {
		return Person{}, err
	}
	return a.Person(ctx, key)
}

// hashFor hashes a password after a look at the code, so that nobody without one makes
// the hub work. The code is asked again in the change that uses it.
func (a *Accounts) hashFor(ctx context.Context, code, purpose, password string, names func(*work, PersonKey) ([]string, error)) (string, error) {
	var forbidden []string
	err := a.db.Snapshot(ctx, func(tx bun.Tx) error {
		w := &work{Accounts: a, ctx: ctx, tx: tx, now: a.o.Now()}
		key, err := w.whose(code, purpose)
		if err != nil {
			return err
		}
		forbidden, err = names(w, key)
		return err
	})
	if err != nil {
		return "", explain("look at a code", err)
	}
	if err := CheckPassword(password, forbidden...); err != nil {
		return "", err
	}
	hash, err := a.hashes.draw(ctx, password, a.o.Hash)
	return hash, explain("hash a password", err)
}

// Invite returns a one-time code with which a person sets a new password, also one who
// has forgotten theirs. Earlier codes of the person end; their password and sessions
// stay until the code is used.
func (a *Accounts) Invite(ctx context.Context, by Access, key PersonKey) (c Code, err error) {
	err = a.change(ctx, "invite a person", func(w *work) error {
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
		if err := w.exec("DELETE FROM account_codes WHERE person = ?", int64(key)); err != nil {
			return err
		}
		if c, err = w.newCode(forPassword, key, w.o.InviteFor); err != nil {
			return err
		}
		return w.record(by, ActInvite, key, "")
	})
	return c, err
}

// Redeem sets the password of the person whom a code was given for, ends all their
// sessions and forgets their browsers. The code is used up only when this succeeds.
func (a *Accounts) Redeem(ctx context.Context, code, password string, from netip.Addr) error {
	hash, err := a.hashFor(ctx, code, forPassword, password, func(w *work, key PersonKey) ([]string, error) {
		r, err := readPerson(w.ctx, w.tx, key)
		return []string{r.ID, r.Name}, err
	})
	if err != nil {
		return err
	}
	return a.change(ctx, "set a password", func(w *work) error {
		key, err := w.whose(code, forPassword)
		if err != nil {
			return err
		}
		if err := w.exec("DELETE FROM account_codes WHERE person = ?", int64(key)); err != nil {
			return err
		}
		if err := w.setPassword(key, hash, ""); err != nil {
			return err
		}
		return w.record(Access{Person: Person{Key: key}, From: from}, ActPassword, key, "by code")
	})
}

// setPassword stores a hash and ends all sessions but one.
func (w *work) setPassword(key PersonKey, hash, but string) error {
	n, err := w.count("UPDATE account_people SET password = ? WHERE person = ? AND disabled_ms = 0 AND forgotten_ms = 0", hash, int64(key))
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrRefused
	}
	if err := w.exec("DELETE FROM account_devices WHERE person = ?", int64(key)); err != nil {
		return err
	}
	return w.exec("DELETE FROM account_sessions WHERE person = ? AND digest <> ?", int64(key), but)
}
