package accounts

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// Role is something that a person may do. The words are those of the ledger and of
// cases.
type Role string

// The roles. A person may have several.
const (
	Viewer      Role = "viewer"       // sees aggregates only
	Clerk       Role = "clerk"        // ledger: imports, runs, explains, assigns
	Reviewer    Role = "reviewer"     // ledger: adjusts
	Approver    Role = "approver"     // ledger: closes
	Inspector   Role = "inspector"    // 监督员
	Acceptor    Role = "acceptor"     // 受理员
	ShiftLeader Role = "shift_leader" // 值班长
	Dispatcher  Role = "dispatcher"   // 派遣员
	Department  Role = "department"   // 专业部门
	Admin       Role = "admin"        // 管理员: accounts, and the tables of cases
)

// Roles returns the roles in their order.
func Roles() []Role {
	return []Role{Viewer, Clerk, Reviewer, Approver, Inspector, Acceptor, ShiftLeader, Dispatcher, Department, Admin}
}

// LedgerRoles returns the roles of the ledger.
func LedgerRoles() []Role { return []Role{Clerk, Reviewer, Approver} }

// CaseRoles returns the roles of people in cases.
func CaseRoles() []Role {
	return []Role{Inspector, Acceptor, ShiftLeader, Dispatcher, Department, Admin}
}

// System is the id of the hub itself in journals; no person has it.
const System = "citygrid"

// PersonKey is the number of a person in the audit log; 0 is nobody.
type PersonKey int64

// NewPerson is what somebody is entered with.
type NewPerson struct {
	// ID is the person in the journal of cases: 1 to 32 of 0-9 A-Z a-z _ . @ -.
	ID string
	// Name is the person in the books: one line, up to 200 bytes, single blanks between
	// words. The ID when empty. People sign in with either.
	Name  string
	Roles []Role
	// Department is given for the role department, and only for it.
	Department string
	// Utilities are those whose money and meters the person sees; at least one for
	// roles of the ledger.
	Utilities []schemas.Medium
}

// Person is somebody. A person who was forgotten has a Key and Forgotten only.
type Person struct {
	Key PersonKey
	NewPerson
	HasPassword         bool
	MadeAt              time.Time
	Disabled, Forgotten time.Time // zero: not
}

// Has reports whether p has a role.
func (p *NewPerson) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// May reports whether p is concerned with a utility.
func (p *NewPerson) May(m schemas.Medium) bool { return slices.Contains(p.Utilities, m) }

// Only returns those of a person's roles that are among of, in their order, for the
// adapters of the ledger and of cases.
func (p *NewPerson) Only(of []Role) []Role {
	return slices.DeleteFunc(slices.Clone(p.Roles), func(r Role) bool { return !slices.Contains(of, r) })
}

// check reports the first value that cannot be, and brings lists into their order.
func (p *NewPerson) check() error {
	if p.Name == "" {
		p.Name = p.ID
	}
	switch {
	case !isID(p.ID) || fold(p.ID) == System:
		return wrong("id", "id %q: want 1 to 32 of 0-9 A-Z a-z _ . @ -, and not %s, which is the hub itself", p.ID, System)
	case !isName(p.Name) || fold(p.Name) == System:
		return wrong("name", "name %q: want a name on one line, up to 200 bytes, with single blanks between its words only, and not %s", p.Name, System)
	}
	return p.checkRoles()
}

func (p *NewPerson) checkRoles() (err error) {
	if p.Roles, err = inOrder("role", p.Roles, Roles()); err != nil {
		return err
	}
	if p.Utilities, err = inOrder("utility", p.Utilities, utilities()); err != nil {
		return err
	}
	switch {
	case len(p.Roles) == 0:
		return wrong("roles", "roles: want at least one")
	case slices.Contains(p.Roles, Department) != (p.Department != ""):
		return wrong("department", "department: the role department and a department go together")
	case len(p.Department) > 64 || strings.ContainsFunc(p.Department, func(r rune) bool { return !unicode.IsPrint(r) }):
		return wrong("department", "department: want up to 64 bytes on one line")
	case len(p.Utilities) == 0 && slices.ContainsFunc(p.Roles, func(r Role) bool { return slices.Contains(LedgerRoles(), r) }):
		return wrong("utilities", "utilities: roles of the ledger want at least one of water, power and gas")
	}
	return nil
}

func utilities() []schemas.Medium {
	return []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}
}

// inOrder returns given without repetition and in the order of all.
func inOrder[T ~string](what string, given, all []T) (out []T, err error) {
	for _, g := range given {
		if !slices.Contains(all, g) {
			return nil, wrong(what, "%s %q: want one of %s", what, g, join(all))
		}
	}
	for _, v := range all {
		if slices.Contains(given, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for n, v := range list {
		words[n] = string(v)
	}
	return strings.Join(words, ",")
}

func split[T ~string](text string) (list []T) {
	for word := range strings.SplitSeq(text, ",") {
		if word != "" {
			list = append(list, T(word))
		}
	}
	return list
}

func isID(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("_.@-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func isName(s string) bool {
	return s != "" && len(s) <= 200 && utf8.ValidString(s) && strings.Join(strings.Fields(s), " ") == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// fold gives names that are one person's one spelling: capitals and the wide letters
// of Chinese keyboards make no second person, as in the books.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // U+FF01 to U+FF5E stand for U+0021 to U+007E
			r = r - '！' + '!'
		}
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(least)
	}, s)
}

// mark is what a name is looked up by. It is keyed, so that the marks of forgotten
// people do not tell their names to somebody who has a copy of that table only.
func (a *Accounts) mark(name string) string {
	m := hmac.New(gm.NewSM3, a.key)
	m.Write([]byte(fold(name)))
	return hex.EncodeToString(m.Sum(nil))
}

type personRow struct {
	Person      int64
	ID          string
	Name        string
	Roles       string
	Department  string
	Utilities   string
	Password    string
	MadeMs      int64
	DisabledMs  int64
	ForgottenMs int64
}

func (r *personRow) person() Person {
	return Person{Key: PersonKey(r.Person), HasPassword: r.Password != "", MadeAt: moment(r.MadeMs), Disabled: moment(r.DisabledMs), Forgotten: moment(r.ForgottenMs),
		NewPerson: NewPerson{ID: r.ID, Name: r.Name, Roles: split[Role](r.Roles), Department: r.Department, Utilities: split[schemas.Medium](r.Utilities)}}
}

// usable reports whether the person may do anything at all.
func (r *personRow) usable() bool { return r.DisabledMs == 0 && r.ForgottenMs == 0 }

const personColumns = "p.person, p.id, p.name, p.roles, p.department, p.utilities, p.password, p.made_ms, p.disabled_ms, p.forgotten_ms"

func readPerson(ctx context.Context, db bun.IDB, key PersonKey) (r personRow, err error) {
	err = db.NewRaw("SELECT "+personColumns+" FROM account_people p WHERE p.person = ?", int64(key)).Scan(ctx, &r)
	return r, found(err, ErrUnknown)
}

// Person returns one person, or ErrUnknown.
func (a *Accounts) Person(ctx context.Context, key PersonKey) (Person, error) {
	r, err := readPerson(ctx, a.db.Read, key)
	return r.person(), explain("read a person", err)
}

// Find returns the person with an id or a name, or ErrUnknown. It is for
// administrators: it tells who there is.
func (a *Accounts) Find(ctx context.Context, name string) (Person, error) {
	r, err := a.named(ctx, a.db.Read, name)
	return r.person(), explain("find a person", err)
}

func (a *Accounts) named(ctx context.Context, db bun.IDB, name string) (r personRow, err error) {
	err = db.NewRaw("SELECT "+personColumns+" FROM account_people p JOIN account_names n ON n.person = p.person WHERE n.mark = ? AND p.forgotten_ms = 0",
		a.mark(name)).Scan(ctx, &r)
	return r, found(err, ErrUnknown)
}

// People returns everybody in the order in which they were entered, forgotten people
// too. It is for administrators.
func (a *Accounts) People(ctx context.Context) ([]Person, error) {
	var rows []personRow
	if err := a.db.Read.NewRaw("SELECT "+personColumns+" FROM account_people p ORDER BY p.person").Scan(ctx, &rows); err != nil {
		return nil, explain("list people", err)
	}
	out := make([]Person, len(rows))
	for n := range rows {
		out[n] = rows[n].person()
	}
	return out, nil
}
