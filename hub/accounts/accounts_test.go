package accounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/schemas"
)

// No password, token or code may be on the disk: the files are searched for them.
func TestNothingSecretIsStored(t *testing.T) {
	dir := t.TempDir()
	h := openHub(t, "sqlite:"+filepath.Join(dir, "a.db"), Options{})
	code, err := h.SetUpCode(t.Context())
	must(t, err)
	in := h.admin()
	_, token, err := h.DrawToken(t.Context(), in.Access, in.Access.Person.Key, NewToken{Name: "x", Roles: []Role{Admin}, EndsAt: h.now().Add(time.Hour)})
	must(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, f := range files {
		content, err := os.ReadFile(f)
		must(t, err)
		for _, s := range []string{good, string(code.Code.Reveal()), string(in.Session.Reveal()), string(in.Device.Reveal()), string(token.Reveal())} {
			if strings.Contains(string(content), s) {
				t.Errorf("%s holds a secret in clear", f)
			}
		}
	}
}

func TestSetUp(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		c, err := h.SetUpCode(t.Context())
		must(t, err)
		code := string(c.Code.Reveal())
		setUp := func(code, password string) error {
			_, err := h.SetUp(t.Context(), code, NewPerson{ID: "root", Name: "管理员"}, password, here)
			return err
		}
		want(t, setUp("0000-0000", good), ErrRefused)
		var weak *WeakError
		if err := setUp(code, "password1234"); !errors.As(err, &weak) || weak.Why != Common {
			t.Fatalf("weak password: %v", err)
		}
		h.reopen(Options{}) // what is kept of a code is enough
		h.add(time.Hour)
		want(t, setUp(code, good), ErrRefused)
		h.add(-time.Millisecond)
		must(t, setUp(strings.ToLower(strings.ReplaceAll(code, "-", " ")), good))
		want(t, setUp(code, good), ErrRefused)
		_, err = h.SetUpCode(t.Context())
		want(t, err, ErrSetUp)
		if in := h.in("管理员", good); !in.Access.Person.Has(Admin) || in.Access.Person.ID != "root" {
			t.Fatalf("the administrator is %+v", in.Access.Person)
		}
	})
}

// A code that was printed before somebody else became the administrator is void.
func TestSetUpCodeComesTooLate(t *testing.T) {
	h := openHub(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"), Options{})
	c, err := h.SetUpCode(t.Context())
	must(t, err)
	h.person(TheHub(), NewPerson{ID: "first", Roles: []Role{Admin}}, good)
	_, err = h.SetUp(t.Context(), string(c.Code.Reveal()), NewPerson{ID: "second"}, good, here)
	want(t, err, ErrSetUp)
}

// Of many who use the code at once, one becomes the administrator.
func TestSetUpAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		c, err := h.SetUpCode(t.Context())
		must(t, err)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for n := range errs {
			all.Go(func() {
				_, errs[n] = h.SetUp(t.Context(), string(c.Code.Reveal()), NewPerson{ID: fmt.Sprint("root", n)}, good, here)
			})
		}
		all.Wait()
		people, err := h.People(t.Context())
		must(t, err)
		if ok := len(errs) - len(slices.DeleteFunc(errs, func(err error) bool { return err == nil })); ok != 1 || len(people) != 1 {
			t.Fatalf("%d set up, %d people", ok, len(people))
		}
	})
}

func TestPeople(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		root := h.admin().Access
		zhang := h.person(root, clerk, other)
		in := h.in("ZHANG.SAN", other) // capitals make no second person
		for _, p := range []NewPerson{{ID: "Zhang.San", Roles: []Role{Viewer}}, {ID: "x", Name: "zhang.san", Roles: []Role{Viewer}}, {ID: "y", Name: "张三", Roles: []Role{Viewer}}} {
			_, err := h.Add(t.Context(), root, p)
			want(t, err, ErrTaken)
		}
		_, err := h.Add(t.Context(), in.Access, NewPerson{ID: "li", Roles: []Role{Admin}})
		want(t, err, ErrForbidden)
		_, err = h.Add(t.Context(), Access{}, NewPerson{ID: "li", Roles: []Role{Admin}})
		want(t, err, ErrForbidden)
		forged := in.Access
		forged.Person.Roles = []Role{Admin}
		want(t, h.Disable(t.Context(), forged, root.Person.Key), ErrForbidden)

		want(t, h.Disable(t.Context(), root, root.Person.Key), ErrLastAdmin)
		want(t, h.Forget(t.Context(), root, root.Person.Key), ErrLastAdmin)
		want(t, h.Change(t.Context(), root, root.Person.Key, Rights{Roles: []Role{Viewer}}), ErrLastAdmin)

		must(t, h.Change(t.Context(), root, zhang.Key, Rights{Roles: []Role{Department, Admin}, Department: "drains"}))
		access, err := h.Session(t.Context(), string(in.Session.Reveal()), here)
		must(t, err)
		if p := access.Person; !p.Has(Admin) || p.Has(Clerk) || p.Department != "drains" || p.Utilities != nil {
			t.Fatalf("an open session has the rights %+v", p)
		}
		must(t, h.Disable(t.Context(), access, root.Person.Key)) // there is another now
		_, err = h.SignIn(t.Context(), SignIn{Name: "root", Password: good, From: here})
		want(t, err, ErrRefused)
		want(t, h.Enable(t.Context(), root, root.Person.Key), ErrForbidden)
		must(t, h.Enable(t.Context(), access, root.Person.Key))
		h.in("root", good)
		_, err = h.CheckAudit(t.Context(), Head{})
		must(t, err)
	})
}

func TestForget(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		root := h.admin().Access
		zhang := h.person(root, clerk, other)
		in := h.in("zhang.san", other)
		_, token, err := h.DrawToken(t.Context(), in.Access, zhang.Key, NewToken{Name: "mine", Roles: []Role{Clerk}, EndsAt: h.now().Add(time.Hour)})
		must(t, err)
		before, err := h.CheckAudit(t.Context(), Head{})
		must(t, err)
		must(t, h.Forget(t.Context(), root, zhang.Key))
		p, err := h.Person(t.Context(), zhang.Key)
		must(t, err)
		if p.Forgotten.IsZero() || !reflect.DeepEqual(p.NewPerson, NewPerson{}) || p.HasPassword {
			t.Fatalf("left over: %+v", p)
		}
		_, err = h.Session(t.Context(), string(in.Session.Reveal()), here)
		want(t, err, ErrRefused)
		_, err = h.Token(t.Context(), string(token.Reveal()), here)
		want(t, err, ErrRefused)
		_, err = h.Add(t.Context(), root, clerk)
		want(t, err, ErrTaken)
		entries, err := h.Audit(t.Context(), 0, 100)
		must(t, err)
		for _, e := range entries {
			if e.Actor == zhang.Key && e.From != "" || e.Actor == root.Person.Key && e.From == "" {
				t.Errorf("address of entry %+v", e)
			}
		}
		_, err = h.CheckAudit(t.Context(), before)
		must(t, err)
	})
}

func TestTokens(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		root := h.admin().Access
		both := clerk
		both.Roles = []Role{Clerk, Department, Reviewer}
		both.Department = "drains"
		zhang := h.person(root, both, other)
		in := h.in("zhang.san", other).Access
		day := h.now().Add(24 * time.Hour)
		_, _, err := h.DrawToken(t.Context(), in, zhang.Key, NewToken{Name: "x", Roles: []Role{Approver}, EndsAt: day})
		want(t, err, ErrForbidden)
		_, _, err = h.DrawToken(t.Context(), root, zhang.Key, NewToken{Name: "x", Roles: []Role{Clerk}, EndsAt: day})
		want(t, err, ErrForbidden) // nobody draws for a person who can
		if _, _, err := h.DrawToken(t.Context(), in, zhang.Key, NewToken{Name: "x", Roles: []Role{Clerk}}); err == nil {
			t.Fatal("a token without end was drawn")
		}
		id, token, err := h.DrawToken(t.Context(), in, zhang.Key, NewToken{Name: "bridge", Roles: []Role{Clerk}, EndsAt: day})
		must(t, err)
		text := string(token.Reveal())
		by, err := h.Token(t.Context(), text, there)
		must(t, err)
		if !slices.Equal(by.Person.Roles, []Role{Clerk}) || by.Person.Department != "" || by.Person.Name != "张三" {
			t.Fatalf("the token is %+v", by.Person)
		}
		_, _, err = h.DrawToken(t.Context(), by, zhang.Key, NewToken{Name: "x", Roles: []Role{Clerk}, EndsAt: day})
		want(t, err, ErrForbidden) // a token breeds none
		list, err := h.Tokens(t.Context(), zhang.Key)
		must(t, err)
		if len(list) != 1 || list[0].UsedAt != h.now() || list[0].EndsAt != day {
			t.Fatalf("tokens: %+v", list)
		}
		must(t, h.Change(t.Context(), root, zhang.Key, Rights{Roles: []Role{Reviewer}, Utilities: clerk.Utilities}))
		_, err = h.Token(t.Context(), text, there)
		want(t, err, ErrRefused) // the owner lost what the token was for
		must(t, h.Change(t.Context(), root, zhang.Key, Rights{Roles: []Role{Clerk}, Utilities: clerk.Utilities}))
		h.add(24*time.Hour - 1)
		_, err = h.Token(t.Context(), text, there)
		must(t, err)
		h.add(1)
		_, err = h.Token(t.Context(), text, there)
		want(t, err, ErrRefused)
		h.add(-time.Hour)
		must(t, h.RevokeToken(t.Context(), root, id))
		_, err = h.Token(t.Context(), text, there)
		want(t, err, ErrRefused)
		want(t, h.RevokeToken(t.Context(), root, 99), ErrUnknown)
	})
}

func TestImport(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		ledger := Configured{Name: "张三", Roles: []Role{Clerk, Reviewer}, Token: digestOf("ledger-token")}
		grid := Configured{ID: "li.si", Roles: []Role{Department}, Department: "drains", Token: strings.ToUpper(digestOf("grid-token")[7:])}
		grid.Token = "sha256:" + grid.Token
		same := Configured{Name: "Li.Si", Roles: []Role{Approver}, Token: digestOf("li-ledger")}
		all := []Configured{ledger, same, grid}
		must(t, h.Import(t.Context(), all))
		asks := func(token string) Person {
			t.Helper()
			a, err := h.Token(t.Context(), token, here)
			must(t, err)
			return a.Person
		}
		zhang, li := asks("ledger-token"), asks("grid-token")
		if zhang.Name != "张三" || !slices.Equal(zhang.Roles, []Role{Clerk, Reviewer}) || len(zhang.Utilities) != 3 || !isID(zhang.ID) {
			t.Errorf("ledger: %+v", zhang)
		}
		if li.ID != "li.si" || !slices.Equal(li.Roles, []Role{Department}) || li.Department != "drains" {
			t.Errorf("grid: %+v", li)
		}
		if p := asks("li-ledger"); p.Key != li.Key || p.Name != "Li.Si" || !slices.Equal(p.Roles, []Role{Approver}) || !p.May(schemas.Gas) {
			t.Errorf("both: %+v", p)
		}
		n := len(h.acts())
		h.reopen(Options{})
		must(t, h.Import(t.Context(), all))
		if len(h.acts()) != n {
			t.Errorf("a second import did something: %v", h.acts()[n:])
		}

		// What was taken away here stays away.
		must(t, h.Change(t.Context(), TheHub(), zhang.Key, Rights{Roles: []Role{Clerk}, Utilities: clerk.Utilities}))
		must(t, h.Import(t.Context(), all))
		if p := asks("ledger-token"); p.Has(Reviewer) || p.May(schemas.Gas) {
			t.Errorf("the import gave back a role: %+v", p)
		}
		// What is taken out of the configuration ends, and comes back with it.
		must(t, h.Import(t.Context(), all[:1]))
		_, err := h.Token(t.Context(), "grid-token", here)
		want(t, err, ErrRefused)
		must(t, h.Import(t.Context(), all))
		asks("grid-token")
		// What was revoked here stays so.
		list, err := h.Tokens(t.Context(), zhang.Key)
		must(t, err)
		must(t, h.RevokeToken(t.Context(), TheHub(), list[0].ID))
		must(t, h.Import(t.Context(), all[1:]))
		must(t, h.Import(t.Context(), all))
		_, err = h.Token(t.Context(), "ledger-token", here)
		want(t, err, ErrRefused)
		all[0].Roles = []Role{Clerk}
		must(t, h.Import(t.Context(), all))
		_, err = h.Token(t.Context(), "ledger-token", here)
		want(t, err, ErrRefused)
		// A role that is new in the configuration counts.
		all[2].Roles = []Role{Department, Inspector}
		must(t, h.Import(t.Context(), all))
		if p := asks("grid-token"); !p.Has(Inspector) {
			t.Errorf("a new role: %+v", p)
		}
		must(t, h.Forget(t.Context(), TheHub(), li.Key))
		must(t, h.Import(t.Context(), all))
		_, err = h.Token(t.Context(), "grid-token", here)
		want(t, err, ErrRefused)
		_, err = h.CheckAudit(t.Context(), Head{})
		must(t, err)
	})
}

func TestAuditShowsEveryChange(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		for _, damage := range []string{
			"UPDATE account_audit SET detail = 'nothing' WHERE seq = 2",
			"UPDATE account_audit SET actor = 9 WHERE seq = 1",
			"UPDATE account_audit SET at_ms = at_ms + 1 WHERE seq = 3",
			"UPDATE account_audit SET subject = 0 WHERE seq = 3",
			"UPDATE account_audit SET act = 'sign_out' WHERE seq = 2",
			"UPDATE account_audit SET origin = '203.0.113.1' WHERE seq = 2",
			"UPDATE account_audit SET origin_digest = '' WHERE seq = 2",
			"DELETE FROM account_audit WHERE seq = 1",
			"DELETE FROM account_audit WHERE seq = 3",
			"DELETE FROM account_audit",
		} {
			damaged(t, dsn, damage)
		}
	})
}

// damaged checks that a damage shows, and undoes it.
func damaged(t *testing.T, dsn, damage string) {
	t.Helper()
	h := openHub(t, dsn, Options{})
	if people, err := h.People(t.Context()); err == nil && len(people) == 0 {
		h.person(h.admin().Access, clerk, other)
	}
	head, err := h.CheckAudit(t.Context(), Head{})
	must(t, err)
	tx, err := h.db.Write.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	res, err := tx.Exec(damage)
	must(t, err)
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		t.Fatalf("%s: changed %d rows (%v)", damage, n, err)
	}
	var broken *BrokenError
	if _, err := checkChain(t.Context(), tx, Head{}); !errors.As(err, &broken) {
		t.Errorf("%s: %v", damage, err)
	}
	if _, err := checkChain(t.Context(), tx, head); !errors.As(err, &broken) {
		t.Errorf("%s, with a head: %v", damage, err)
	}
}

// A log that was cut off with its counter, or written anew, shows by a head that was
// kept elsewhere.
func TestAuditAgainstAHead(t *testing.T) {
	h := openHub(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"), Options{})
	root := h.admin().Access
	cut, err := h.CheckAudit(t.Context(), Head{})
	must(t, err)
	h.person(root, clerk, other)
	head, err := h.CheckAudit(t.Context(), cut)
	must(t, err)
	for _, q := range []string{"DELETE FROM account_audit WHERE seq > 2", "UPDATE account_counters SET last = 2 WHERE name = 'audit'"} {
		_, err := h.db.Write.Exec(q)
		must(t, err)
	}
	_, err = h.CheckAudit(t.Context(), cut)
	must(t, err)
	var broken *BrokenError
	if _, err := h.CheckAudit(t.Context(), head); !errors.As(err, &broken) || broken.Seq != 3 {
		t.Errorf("a cut log: %v", err)
	}
	if _, err := h.CheckAudit(t.Context(), Head{Seq: 2, Digest: head.Digest}); !errors.As(err, &broken) {
		t.Errorf("another log: %v", err)
	}
}
