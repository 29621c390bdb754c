package accounts

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// Configured is a person of the configuration with the digest of a token: of its
// section ledger by Name, of its section grid by ID.
type Configured struct {
	ID, Name   string
	Roles      []Role
	Department string
	// Token is "sha256:" and 64 hexadecimal digits (citygrid token).
	Token string
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Import makes the tokens of the configuration tokens here; the hub calls it at every
// start, with the people of all sections. Whoever could ask before can ask after, with
// the same roles and the same names in journals. Entries with the same token, or with
// an id that is another's name, are one person. Somebody with a name only gets an id
// made from it.
//
// What the configuration says counts when it is new there: roles that were changed
// here later, and tokens that were revoked here, stay so at the next start. A token
// that is taken out of the configuration ends, and comes back with it.
func (a *Accounts) Import(ctx context.Context, people []Configured) error {
	merged, err := mergeConfigured(people)
	if err != nil {
		return fmt.Errorf("import the people of the configuration: %w", err)
	}
	return a.change(ctx, "import the people of the configuration", func(w *work) error {
		keep := map[string]bool{}
		for n := range merged {
			for _, t := range merged[n].tokens {
				keep[t.digest] = true
			}
			if err := w.importPerson(&merged[n]); err != nil {
				return fmt.Errorf("person %s: %w", merged[n].Name, err)
			}
		}
		return w.withdraw(keep)
	})
}

// configured is a person with all their tokens of the configuration.
type configured struct {
	NewPerson
	tokens []configuredToken
}

type configuredToken struct {
	digest     string
	roles      []Role
	department string
}

// said is what is remembered of the configuration, to notice when it changes.
func (t *configuredToken) said() string { return join(t.roles) + ";" + t.department }

func mergeConfigured(people []Configured) (out []configured, err error) {
	for _, c := range people {
		c.Token = strings.ToLower(c.Token)
		if !digestForm.MatchString(c.Token) || c.Token == digestOf("") {
			return nil, fmt.Errorf("person %s%s: token: want sha256: and 64 hexadecimal digits, as citygrid token prints them", c.ID, c.Name)
		}
		n := slices.IndexFunc(out, func(p configured) bool { return p.isSame(&c) })
		if n < 0 {
			n, out = len(out), append(out, configured{})
		}
		out[n].take(&c)
	}
	for n := range out {
		p := &out[n]
		if p.ID == "" {
			p.ID = idFor(p.Name)
		}
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *configured) isSame(c *Configured) bool {
	byToken := slices.ContainsFunc(p.tokens, func(t configuredToken) bool { return t.digest == c.Token })
	return byToken || slices.ContainsFunc([]string{p.ID, p.Name}, func(known string) bool {
		return known != "" && (fold(known) == fold(c.ID) || fold(known) == fold(c.Name))
	})
}

// take adds an entry. A token that stands in two sections has the roles of both.
func (p *configured) take(c *Configured) {
	setDefault(&p.ID, c.ID)
	setDefault(&p.Name, c.Name)
	setDefault(&p.Department, c.Department)
	p.Roles = append(p.Roles, c.Roles...)
	if slices.ContainsFunc(c.Roles, func(r Role) bool { return slices.Contains(LedgerRoles(), r) }) {
		p.Utilities = []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}
	}
	n := slices.IndexFunc(p.tokens, func(t configuredToken) bool { return t.digest == c.Token })
	if n < 0 {
		n, p.tokens = len(p.tokens), append(p.tokens, configuredToken{digest: c.Token})
	}
	t := &p.tokens[n]
	t.roles, _ = inOrder("role", append(t.roles, c.Roles...), Roles()) // an unknown role is refused by check
	setDefault(&t.department, c.Department)
}

// idFor returns an id for a name of the books, which may be any text.
func idFor(name string) string {
	if isID(name) {
		return name
	}
	sum := gm.SumSM3([]byte(fold(name)))
	return "person-" + hex.EncodeToString(sum[:8])
}

func (w *work) importPerson(p *configured) error {
	key, err := w.configuredPerson(p)
	if err != nil {
		return err
	}
	for n := range p.tokens {
		if err := w.importToken(key, p, &p.tokens[n]); err != nil {
			return err
		}
	}
	return nil
}

// configuredPerson finds the person by id or name, or enters them. Finding two is
// refused: the configuration would make one of them.
func (w *work) configuredPerson(p *configured) (key PersonKey, err error) {
	var keys []PersonKey
	if err := w.tx.NewRaw("SELECT DISTINCT person FROM account_names WHERE mark IN (?, ?)", w.mark(p.ID), w.mark(p.Name)).Scan(w.ctx, &keys); err != nil {
		return 0, err
	}
	switch len(keys) {
	case 0:
		if key, err = w.insert(p.NewPerson, ""); err != nil {
			return 0, err
		}
		return key, w.record(TheHub(), ActImport, key, "roles "+join(p.Roles))
	case 1:
		return keys[0], nil
	}
	return 0, fmt.Errorf("%w: the id %s and the name belong to two people", ErrTaken, p.ID)
}

// importToken brings one token to what the configuration says, where it says something
// new.
func (w *work) importToken(key PersonKey, p *configured, t *configuredToken) error {
	var rows []struct {
		Token      int64
		Person     int64
		Configured string
		Withdrawn  int
	}
	if err := w.tx.NewRaw("SELECT token, person, configured, withdrawn FROM account_tokens WHERE digest = ?", t.digest).Scan(w.ctx, &rows); err != nil {
		return err
	}
	r, err := readPerson(w.ctx, w.tx, key)
	if err != nil || r.ForgottenMs != 0 {
		return err // whoever was forgotten stays so, whatever the configuration says
	}
	switch {
	case len(rows) == 0:
		if _, err := w.storeToken(t.digest, key, NewToken{Name: "configuration", Roles: t.roles}, t.said()); err != nil {
			return err
		}
	case rows[0].Person != int64(key):
		return fmt.Errorf("%w: the token is another person's", ErrTaken)
	case rows[0].Configured == t.said() && rows[0].Withdrawn == 0:
		return nil
	default:
		if err := w.exec("UPDATE account_tokens SET roles = ?, configured = ?, revoked_ms = CASE WHEN withdrawn = 1 THEN 0 ELSE revoked_ms END, withdrawn = 0 WHERE token = ?", join(t.roles), t.said(), rows[0].Token); err != nil {
			return err
		}
	}
	return w.grant(&r, p, t)
}

// grant gives the owner of a token that is new in the configuration the rights that it
// has there.
func (w *work) grant(r *personRow, p *configured, t *configuredToken) error {
	have := r.person().NewPerson
	more := NewPerson{Roles: append(have.Roles, t.roles...), Department: have.Department, Utilities: have.Utilities}
	if t.department != "" {
		more.Department = t.department
	}
	if len((&NewPerson{Roles: t.roles}).Only(LedgerRoles())) > 0 && len(more.Utilities) == 0 {
		more.Utilities = p.Utilities
	}
	if err := more.checkRoles(); err != nil {
		return err
	}
	if err := w.setRights(PersonKey(r.Person), &more); err != nil {
		return err
	}
	return w.record(TheHub(), ActImport, PersonKey(r.Person), "token with roles "+join(t.roles))
}

// withdraw ends the tokens that the configuration no longer has.
func (w *work) withdraw(keep map[string]bool) error {
	var rows []struct {
		Token, Person int64
		Digest        string
	}
	if err := w.tx.NewRaw("SELECT token, person, digest FROM account_tokens WHERE configured <> '' AND revoked_ms = 0 ORDER BY token").Scan(w.ctx, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		if keep[r.Digest] {
			continue
		}
		if err := w.exec("UPDATE account_tokens SET revoked_ms = ?, withdrawn = 1 WHERE token = ?", millis(w.now), r.Token); err != nil {
			return err
		}
		if err := w.record(TheHub(), ActRevoke, PersonKey(r.Person), fmt.Sprintf("token %d is no longer in the configuration", r.Token)); err != nil {
			return err
		}
	}
	return nil
}
