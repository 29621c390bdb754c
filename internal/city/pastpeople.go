package city

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citygrid/hub/accounts"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// passwordWords is how many words a passphrase has, of so many syllables.
const passwordWords, wordSyllables = 3, 2

// drawPassphrase draws words that can be read out and typed on a phone, and two digits:
// one of about 2^54.
func drawPassphrase() (secret.Secret, error) {
	const consonants, vowels, ends = "bdfgklmnprstvz", "aeiou", "klmnprst"
	var b strings.Builder
	var failed error
	draw := func(from string) {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
		if err != nil {
			failed = errors.Join(failed, err)
			return
		}
		b.WriteByte(from[n.Int64()])
	}
	for range passwordWords {
		for range wordSyllables {
			draw(consonants)
			draw(vowels)
		}
		draw(ends)
		b.WriteByte('-')
	}
	draw("23456789")
	draw("23456789")
	if failed != nil {
		return secret.Secret{}, fmt.Errorf("draw a passphrase: %w", failed)
	}
	return secret.New(b.String()), nil
}

// clerks are the people of the books, and one who may only look at sums; the district
// knows none of them.
func clerks() []Person {
	return []Person{
		{ID: "clerk-1", Name: "周敏", Roles: []string{"clerk"}},
		{ID: "reviewer-1", Name: "吴建国", Roles: []string{"reviewer"}},
		{ID: "approver-1", Name: "郑文", Roles: []string{"approver"}},
		{ID: "viewer-1", Name: "参观", Roles: []string{"viewer"}},
	}
}

// ledger reports whether the person works with the books.
func (p *Person) ledger() bool {
	return slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains([]string{"clerk", "reviewer", "approver"}, r) })
}

// grid reports whether the person works with cases.
func (p *Person) grid() bool { return !p.ledger() && !slices.Contains(p.Roles, "viewer") }

// digest is the person's token as the configuration has it.
func (p *Person) digest() string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(p.Token))) }

// Samples returns one person for each role who can sign in with Passphrase: the
// administrator first, and of the departments the one that owns what leaks. None
// without a past.
func (c *City) Samples() (list []Person) {
	if c.past == nil {
		return nil
	}
	owner := c.leakOwner()
	for _, role := range []string{"admin", "acceptor", "shift_leader", "dispatcher", "department", "inspector", "clerk", "reviewer", "approver", "viewer"} {
		for _, p := range c.grid.people {
			// One who has a single role shows best what it may do.
			if slices.Equal(p.Roles, []string{role}) && (role != "department" || p.Department == owner) {
				p.SignsIn = true
				list = append(list, p)
				break
			}
		}
	}
	return list
}

// Passphrase is the one of all sample users, drawn at this start.
func (c *City) Passphrase() secret.Secret {
	if c.past == nil {
		return secret.Secret{}
	}
	return c.past.passphrase
}

// leakOwner is the department that repairs what the play lets leak.
func (c *City) leakOwner() string {
	for _, m := range c.Leaky() {
		return c.grid.truth[m].Authority
	}
	return ""
}

// makeAccounts enters the sample users, before the hub starts, and gives them the
// passphrase.
func (c *City) makeAccounts(ctx context.Context) (err error) {
	a, err := accounts.Open(ctx, c.accountsDSN(), accounts.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for _, p := range c.Samples() {
		if err := c.enter(ctx, a, p); err != nil {
			return fmt.Errorf("sample user %s: %w", p.ID, err)
		}
	}
	return nil
}

func (c *City) enter(ctx context.Context, a *accounts.Accounts, p Person) error {
	person := accounts.NewPerson{ID: p.ID, Name: p.Name, Department: p.Department}
	for _, r := range p.Roles {
		person.Roles = append(person.Roles, accounts.Role(r))
	}
	if p.ledger() {
		person.Utilities = []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}
	}
	entered, err := a.Add(ctx, accounts.TheHub(), person)
	if err != nil {
		return err
	}
	code, err := a.Invite(ctx, accounts.TheHub(), entered.Key)
	if err != nil {
		return err
	}
	return a.Redeem(ctx, string(code.Code.Reveal()), string(c.past.passphrase.Reveal()), netip.MustParseAddr("127.0.0.1"))
}
