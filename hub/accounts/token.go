package accounts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"citygrid/internal/secret"
)

// TokenID is the number of a token.
type TokenID int64

// MaxTokenLife is how long a token can be used at most.
const MaxTokenLife = 366 * 24 * time.Hour

// NewToken is what a token is drawn with.
type NewToken struct {
	// Name says what it is for: one line, up to 200 bytes.
	Name string
	// Roles are those of its owner that it has.
	Roles  []Role
	EndsAt time.Time
}

// Token is a token without what is secret about it.
type Token struct {
	ID    TokenID
	Owner PersonKey
	NewToken
	// Configured says that it comes from the configuration; EndsAt is then zero.
	Configured bool
	MadeAt     time.Time
	// UsedAt is when it was last used, to about a minute; zero for never.
	UsedAt    time.Time
	RevokedAt time.Time // zero: not
}

// DrawToken makes a token for a program, which is told only here. People draw for
// themselves, and in a session: a token that was stolen cannot make others. For a
// person without a password, which is a program, an administrator draws.
func (a *Accounts) DrawToken(ctx context.Context, by Access, owner PersonKey, t NewToken) (id TokenID, token secret.Secret, err error) {
	if t.Roles, err = inOrder("role", t.Roles, Roles()); err != nil {
		return 0, token, fmt.Errorf("draw a token: %w", err)
	}
	life := t.EndsAt.Sub(a.o.Now())
	if !isName(t.Name) || len(t.Roles) == 0 || life <= 0 || life > MaxTokenLife {
		return 0, token, wrong("name", "draw a token: want a name on one line, at least one role, and an end within 366 days")
	}
	text := drawToken()
	err = a.change(ctx, "draw a token", func(w *work) error {
		r, err := w.ownerFor(by, owner)
		if err != nil {
			return err
		}
		if extra := (&NewPerson{Roles: t.Roles}).without(split[Role](r.Roles)); len(extra) > 0 {
			return fmt.Errorf("%w: the owner has not the roles %s", ErrForbidden, join(extra))
		}
		if id, err = w.storeToken(digestOf(text), owner, t, ""); err != nil {
			return err
		}
		return w.record(by, ActToken, owner, fmt.Sprintf("token %d, roles %s", id, join(t.Roles)))
	})
	return id, secret.New(text), err
}

// without returns the roles that are not among those.
func (p *NewPerson) without(those []Role) []Role {
	return slices.DeleteFunc(slices.Clone(p.Roles), func(r Role) bool { return slices.Contains(those, r) })
}

// ownerFor returns the person whom by may draw a token for.
func (w *work) ownerFor(by Access, owner PersonKey) (personRow, error) {
	r, err := readPerson(w.ctx, w.tx, owner)
	if err != nil {
		return r, err
	}
	if !r.usable() {
		return r, ErrUnknown
	}
	if by.session != "" && by.Person.Key == owner {
		return r, nil
	}
	if by.Token != 0 || r.Password != "" {
		return r, ErrForbidden
	}
	return r, w.administers(by)
}

func (w *work) storeToken(digest string, owner PersonKey, t NewToken, configured string) (TokenID, error) {
	id, err := w.next("token")
	if err != nil {
		return 0, err
	}
	ends := int64(0)
	if !t.EndsAt.IsZero() {
		ends = millis(t.EndsAt)
	}
	return TokenID(id), w.exec(`INSERT INTO account_tokens (token, digest, person, name, roles, configured, made_ms, ends_ms, used_ms, revoked_ms, withdrawn)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)`, id, digest, int64(owner), t.Name, join(t.Roles), configured, millis(w.now), ends)
}

type tokenRow struct {
	personRow
	Token      int64
	Digest     string
	Label      string
	Scope      string
	Configured string
	DrawnMs    int64
	EndsMs     int64
	UsedMs     int64
	RevokedMs  int64
	Withdrawn  int
}

const tokenColumns = personColumns + ", t.token, t.digest, t.name AS label, t.roles AS scope, t.configured, t.made_ms AS drawn_ms, t.ends_ms, t.used_ms, t.revoked_ms, t.withdrawn"

// tokenUse is how exactly the last use of a token is known.
const tokenUse = time.Minute

// Token returns who a token belongs to, with those of their roles that the token has,
// and writes down the use. A token that is unknown, over, revoked, without a role that
// its owner still has, or of somebody who is kept out is ErrRefused. It is found by
// its digest, so that the time it takes tells nothing about other tokens.
func (a *Accounts) Token(ctx context.Context, token string, from netip.Addr) (Access, error) {
	now := a.o.Now()
	var r tokenRow
	err := a.db.Read.NewRaw("SELECT "+tokenColumns+" FROM account_tokens t JOIN account_people p ON p.person = t.person WHERE t.digest = ?", digestOf(token)).Scan(ctx, &r)
	if err != nil {
		return Access{}, explain("look up a token", found(err, ErrRefused))
	}
	p, ok := r.access(millis(now))
	if !ok {
		return Access{}, ErrRefused
	}
	if millis(now)-r.UsedMs >= tokenUse.Milliseconds() {
		if _, err := a.db.Write.NewRaw("UPDATE account_tokens SET used_ms = ? WHERE token = ? AND used_ms < ?", millis(now), r.Token, millis(now)).Exec(ctx); err != nil {
			return Access{}, explain("write the use of a token", err)
		}
	}
	return Access{Person: p, From: from, EndsAt: moment(r.EndsMs), Token: TokenID(r.Token)}, nil
}

// access returns the owner of a token with the roles that it gives, and whether it
// gives any now.
func (r *tokenRow) access(now int64) (Person, bool) {
	p := r.person()
	p.Roles = p.Only(split[Role](r.Scope))
	if !p.Has(Department) {
		p.Department = ""
	}
	return p, r.RevokedMs == 0 && (r.EndsMs == 0 || now < r.EndsMs) && r.usable() && len(p.Roles) > 0
}

// Tokens returns the tokens of a person, the newest first; owner 0 is everybody. It is
// for the owner and for administrators.
func (a *Accounts) Tokens(ctx context.Context, owner PersonKey) ([]Token, error) {
	var rows []tokenRow
	err := a.db.Read.NewRaw("SELECT "+tokenColumns+" FROM account_tokens t JOIN account_people p ON p.person = t.person WHERE ? = 0 OR t.person = ? ORDER BY t.token DESC", int64(owner), int64(owner)).Scan(ctx, &rows)
	if err != nil {
		return nil, explain("list tokens", err)
	}
	out := make([]Token, len(rows))
	for n, r := range rows {
		out[n] = Token{ID: TokenID(r.Token), Owner: PersonKey(r.Person), Configured: r.Configured != "", MadeAt: moment(r.DrawnMs), UsedAt: moment(r.UsedMs), RevokedAt: moment(r.RevokedMs),
			NewToken: NewToken{Name: r.Label, Roles: split[Role](r.Scope), EndsAt: moment(r.EndsMs)}}
	}
	return out, nil
}

// RevokeToken ends a token for good, for its owner in a session or an administrator. A
// token of the configuration stays revoked although it still stands there.
func (a *Accounts) RevokeToken(ctx context.Context, by Access, id TokenID) error {
	return a.change(ctx, "revoke a token", func(w *work) error {
		var owner int64
		if err := w.tx.NewRaw("SELECT person FROM account_tokens WHERE token = ?", int64(id)).Scan(w.ctx, &owner); err != nil {
			return found(err, ErrUnknown)
		}
		if err := w.selfOrAdmin(by, PersonKey(owner)); err != nil {
			return err
		}
		if err := w.exec("UPDATE account_tokens SET revoked_ms = CASE WHEN revoked_ms = 0 THEN ? ELSE revoked_ms END, withdrawn = 0 WHERE token = ?", millis(w.now), int64(id)); err != nil {
			return err
		}
		return w.record(by, ActRevoke, PersonKey(owner), fmt.Sprintf("token %d", id))
	})
}
