package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
	"citygrid/hub/cases"
)

// This file is the one place that decides who asks and whether they may. Every request
// of the API passes the gate, which knows the address and who asks; every operation of
// the ledger, the cases and the register then passes guarded, which knows the roles
// that the operation takes.

// somebody is who asks, as the ledger, the cases and the accounts see them.
type somebody struct {
	person   Person
	inCases  CasePerson
	accounts []accounts.Role // all roles; empty without accounts
	access   accounts.Access
}

// The codes of problems with who asks.
const (
	codeNobody   = "not_authenticated"
	codeRole     = "role_missing"
	codeTour     = "tour_read_only"
	codeAccounts = "accounts_unavailable"
)

// visit is a request, its site and who it comes from; the gate leaves it in the context.
type visit struct {
	accounts *Accounts // nil: this hub has none
	site     site
	who      *somebody // nil: nobody that the accounts know
	views    *views
	cookie   func(cookieKind) string
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		v = &visit{}
	}
	return v
}

// tour reports whether a visitor looks around who has not signed in.
func (v *visit) tour() bool { return v.accounts != nil && v.accounts.Tour && v.who == nil }

// lastingTime is how soon an answer that goes on ends after its session.
const lastingTime = 30 * time.Second

// lasting returns the question whether who asks still may, for answers that go on. It
// does not count as use of a session. Where the accounts do not answer, the answer ends,
// and the browser asks anew.
func (v *visit) lasting(begun time.Time) func(context.Context, time.Time) bool {
	next := begun.Add(lastingTime)
	return func(ctx context.Context, now time.Time) bool {
		if v.accounts == nil || v.who == nil || now.Before(next) {
			return true
		}
		next = now.Add(lastingTime)
		ok, err := v.accounts.Book.Stands(ctx, v.who.access)
		return ok && err == nil
	}
}

// fromAccounts is a person of the accounts, with the roles of each part of the face.
func fromAccounts(a accounts.Access) *somebody {
	p := &a.Person
	s := &somebody{access: a, accounts: p.Roles, person: Person{Name: p.Name},
		inCases: CasePerson{ID: cases.PersonID(p.ID), Department: cases.DepartmentID(p.Department)}}
	for _, r := range p.Only(accounts.LedgerRoles()) {
		s.person.Roles = append(s.person.Roles, Role(r))
	}
	for _, r := range p.Only(accounts.CaseRoles()) {
		s.inCases.Roles = append(s.inCases.Roles, cases.Role(r))
	}
	return s
}

// onlyLooksOn reports whether a person has the role viewer and nothing else.
func (s *somebody) onlyLooksOn() bool {
	return len(s.accounts) == 1 && s.accounts[0] == accounts.Viewer
}

func (s *somebody) administers() bool { return slices.Contains(s.accounts, accounts.Admin) }

// Whom an address is for, where there are accounts.
type audience int

const (
	forStaff   audience = iota // people with a role beyond viewer
	forViewers                 // everybody who is known
	forGuests                  // whoever wants to come in or go out
	forAnybody                 // the answer is of the program, and the same for all
)

// audienceOf says it for the pattern of a route, such as /api/v1/cases/{id}. What is
// not named here is for staff, so that a new route is closed until somebody opens it.
func audienceOf(pattern string) audience {
	path := pattern[strings.IndexByte(pattern, '/')+1:]
	rest, _ := strings.CutPrefix(path, "api/v1/")
	under := func(list ...string) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			return rest == p || strings.HasSuffix(p, "/") && strings.HasPrefix(rest, p)
		})
	}
	switch {
	case under("codes/", "quantities", "version"):
		return forAnybody
	case under("session", "session/", "set-up", "invitations/redeem"):
		return forGuests
	case under("map", "map/", "city/", "indicators", "exports/indicators", "cases/counts", "accounts/", "openapi.yaml", "openapi.json"):
		return forViewers // accounts/ asks for its own roles
	}
	return forStaff
}

// isPrivate reports whether an address tells what a tour does not show: the accounts,
// and personal data of people who report things.
func isPrivate(pattern string) bool {
	return strings.Contains(pattern, "/api/v1/accounts/") || strings.HasSuffix(pattern, "/petitioner")
}

// gate lets requests of the API through to mux whose sender may come at all.
type gate struct {
	mux      *http.ServeMux
	accounts *Accounts // nil: this hub has none, and the parts of the face ask by themselves
	views    *views
	log      *slog.Logger
}

// ServeHTTP goes by the route that mux would choose, so that no way of writing an
// address leads around it.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := g.mux.Handler(r)
	whom := audienceOf(pattern)
	if g.accounts == nil || whom == forAnybody || !strings.HasPrefix(r.URL.Path, "/api/") && !strings.Contains(pattern, "/api/") {
		g.mux.ServeHTTP(w, r)
		return
	}
	v := &visit{accounts: g.accounts, views: g.views, site: g.accounts.siteOf(r)}
	v.cookie = func(k cookieKind) string { return v.site.cookie(r, k) }
	var err error
	v.who, err = g.accounts.identify(r, v)
	if err != nil && !errors.Is(err, accounts.ErrRefused) {
		g.log.Error("accounts not answered", "error", err)
		problem(http.StatusServiceUnavailable, codeAccounts, "The hub cannot look up who asks. Nothing was changed; try again, and look at the hub's log.").write(w)
		return
	}
	if bad := v.refusal(r, pattern, err != nil); bad != nil {
		if bad.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="citygrid"`)
		}
		bad.write(w)
		return
	}
	g.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// refusal says why a request goes no further; nil: it does. wrong says that it came with
// a token or a session that is none.
func (v *visit) refusal(r *http.Request, pattern string, wrong bool) *Problem {
	whom := audienceOf(pattern)
	switch {
	case whom == forGuests:
		return nil
	case wrong && bearerOf(r.Header.Get("Authorization")) != "":
		return unknownPerson()
	case v.tour():
		return v.tourRefusal(r, pattern)
	case v.who == nil:
		return unknownPerson()
	case v.who.onlyLooksOn() && whom == forStaff:
		return problem(http.StatusForbidden, codeRole, fmt.Sprintf("%s may see totals only; this takes another role than viewer.", v.who.person.Name))
	}
	return nil
}

func (v *visit) tourRefusal(r *http.Request, pattern string) *Problem {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return problem(http.StatusForbidden, codeTour, "This is a tour: everything can be looked at, and nothing changed. Sign in to work.")
	case isPrivate(pattern):
		return problem(http.StatusForbidden, codeRole, "The tour does not show this. Sign in to see it.")
	}
	return nil
}

func unknownPerson() *Problem {
	return problem(http.StatusUnauthorized, codeNobody, "This hub answers only people it knows. Sign in at /signin, or send the header Authorization: Bearer TOKEN.")
}

// pollHeader marks what a page asks now and then by itself, and streamPath what a
// browser opens again by itself: neither shows that anybody sits before the page.
const (
	pollHeader = "X-Poll"
	streamPath = "/api/v1/stream"
)

func byItself(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.Header.Get(pollHeader) != "" || r.URL.Path == streamPath)
}

// identify returns who sent a request: a token counts before a session, and one that is
// wrong is not made up for by the other.
func (a *Accounts) identify(r *http.Request, v *visit) (*somebody, error) {
	ask, secret := a.Book.Session, v.cookie(sessionCookie)
	if byItself(r) {
		ask = a.Book.Glance
	}
	if token := bearerOf(r.Header.Get("Authorization")); token != "" {
		ask, secret = a.Book.Token, token
	}
	if secret == "" {
		return nil, nil
	}
	access, err := ask(r.Context(), secret, v.site.from)
	if err != nil {
		return nil, err
	}
	return fromAccounts(access), nil
}

// part is a part of the face with people of its own: the ledger, cases, the register.
type part struct {
	name   string
	absent *Problem // set: this hub keeps none
	// byToken looks a token of the configuration up, where there are no accounts.
	byToken func(ctx context.Context, token string) (*somebody, bool)
	// knows reports whether somebody of the accounts may ask at all.
	knows func(*somebody) bool
	// missing is the refusal of somebody whom it does not know, unknown that of nobody.
	missing func(*somebody) *Problem
	unknown string
}

// guarded is the middleware of every operation of a part, at path: it finds out who asks,
// and lets through whom the part knows and may finds nothing against.
func (p *part) guarded(api huma.API, path string, may func(*somebody) *Problem) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		who, bad := p.admitTo(ctx, audienceOf(path), may)
		if bad == nil {
			bad = tell(ctx, path, who)
		}
		if bad != nil {
			if bad.Status == http.StatusUnauthorized {
				ctx.SetHeader("WWW-Authenticate", `Bearer realm="citygrid `+p.name+`"`)
			}
			writeProblem(api, ctx, bad)
			return
		}
		next(huma.WithValue(ctx, somebodyKey{}, who))
	}
}

// admit returns who asks if the part knows them as more than a viewer.
func (p *part) admit(ctx huma.Context, may func(*somebody) *Problem) (*somebody, *Problem) {
	return p.admitTo(ctx, forStaff, may)
}

func (p *part) admitTo(ctx huma.Context, whom audience, may func(*somebody) *Problem) (*somebody, *Problem) {
	if p.absent != nil {
		return nil, p.absent
	}
	v := visitOf(ctx.Context())
	if v.tour() {
		return &somebody{}, nil // the gate lets tours read only
	}
	who := v.who
	if v.accounts == nil {
		if token := bearer(ctx); token != "" {
			who, _ = p.byToken(ctx.Context(), token)
		}
	}
	switch {
	case who == nil:
		return nil, problem(http.StatusUnauthorized, codeNobody, p.unknown)
	case v.accounts != nil && whom == forStaff && !p.knows(who):
		return nil, p.missing(who)
	case may != nil:
		return who, may(who)
	}
	return who, nil
}

// somebodyKey is where guarded leaves who asks.
type somebodyKey struct{}

// somebodyOf returns whom guarded let through.
func somebodyOf(ctx context.Context) *somebody {
	s, _ := ctx.Value(somebodyKey{}).(*somebody)
	if s == nil {
		s = &somebody{}
	}
	return s
}

// personOf returns who asks, as the ledger sees them.
func personOf(ctx context.Context) Person { return somebodyOf(ctx).person }

// casePersonOf returns who asks, as cases and the register see them.
func casePersonOf(ctx context.Context) *CasePerson { return &somebodyOf(ctx).inCases }

// part describes the ledger to guarded.
func (l *ledgerRoutes) part() *part {
	p := &part{name: "ledger", unknown: "The ledger answers only people it knows. Send the header Authorization: Bearer TOKEN.",
		knows:   func(s *somebody) bool { return len(s.person.Roles) > 0 },
		missing: func(s *somebody) *Problem { return needRole(s.person, Roles()...) }}
	if l.o == nil {
		p.absent = problem(http.StatusNotFound, codeNoLedger, "This hub keeps no ledger. Its configuration has no section ledger.")
		return p
	}
	p.byToken = func(ctx context.Context, token string) (*somebody, bool) {
		found, ok := l.o.Auth.Person(ctx, token)
		return ifKnown(&somebody{person: found}, ok)
	}
	return p
}

// part describes cases to guarded.
func (c *caseRoutes) part() *part {
	p := &part{name: "cases", unknown: "Cases are answered only to people whom the hub knows (grid.people). Send the header Authorization: Bearer TOKEN.",
		knows:   func(s *somebody) bool { return len(s.inCases.Roles) > 0 },
		missing: func(s *somebody) *Problem { return needCaseRole(&s.inCases, staff()...) }}
	if c.o == nil {
		p.absent = noCases()
		return p
	}
	p.byToken = caseTokensOf(c.o.Auth)
	return p
}

// part describes the register to guarded. Whoever is more than a viewer may look a cell
// or a component up: books and meters name them too.
func (g *registryRoutes) part() *part {
	p := &part{name: "registry", unknown: "The asset register answers only people whom the hub knows (grid.people). Send the header Authorization: Bearer TOKEN.",
		knows:   func(s *somebody) bool { return !s.onlyLooksOn() },
		missing: func(s *somebody) *Problem { return needCaseRole(&s.inCases, staff()...) }}
	if g.o == nil {
		p.absent = problem(http.StatusNotFound, codeNoRegister, "This hub keeps no asset register. Its configuration has no section grid.")
		return p
	}
	p.byToken = caseTokensOf(g.o.Auth)
	return p
}

func caseTokensOf(auth CasesAuth) func(context.Context, string) (*somebody, bool) {
	return func(ctx context.Context, token string) (*somebody, bool) {
		found, ok := auth.CasePerson(ctx, token)
		return ifKnown(&somebody{inCases: found}, ok)
	}
}

func ifKnown(s *somebody, ok bool) (*somebody, bool) {
	if !ok {
		return nil, false
	}
	return s, true
}

// hasRole lets people with one of roles through; none lets everybody.
func hasRole(roles []Role) func(*somebody) *Problem {
	return func(s *somebody) *Problem {
		if len(roles) == 0 || slices.ContainsFunc(roles, s.person.has) {
			return nil
		}
		return needRole(s.person, roles...)
	}
}

// hasCaseRole lets people with one of roles through; none lets everybody.
func hasCaseRole(roles []cases.Role) func(*somebody) *Problem {
	return func(s *somebody) *Problem {
		if len(roles) == 0 || slices.ContainsFunc(roles, s.inCases.has) {
			return nil
		}
		return needCaseRole(&s.inCases, roles...)
	}
}
