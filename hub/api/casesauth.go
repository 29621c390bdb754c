package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
)

// CasePerson is who asks about cases. Department is given for the role department.
type CasePerson struct {
	ID         cases.PersonID
	Roles      []cases.Role
	Department cases.DepartmentID
}

func (p *CasePerson) has(r cases.Role) bool { return slices.Contains(p.Roles, r) }

// in returns p as who acts in role r.
func (p *CasePerson) in(r cases.Role) cases.Actor {
	a := cases.Actor{Person: p.ID, Role: r}
	if r == cases.Department {
		a.Department = p.Department
	}
	return a
}

// CasesAuth says who a bearer token belongs to.
type CasesAuth interface {
	// CasePerson returns ok false for a token that nobody has. It must take the same
	// time for any token that is wrong.
	CasePerson(ctx context.Context, token string) (p CasePerson, ok bool)
}

// CaseTokenPerson is a person with the digest of a token, as TokenPerson has it.
type CaseTokenPerson struct {
	CasePerson
	Token string
}

type caseTokens struct{ tokenTable[CasePerson] }

// CasePerson compares with everybody's, whoever it is.
func (t caseTokens) CasePerson(_ context.Context, token string) (CasePerson, bool) {
	return t.find(token)
}

// NewCaseTokens returns the CasesAuth of a configuration. It refuses a person
// without id or role, the hub's own id and roles, the role department without a
// department, a digest that is none, and a token or an id that two share, also where
// only its capitals differ.
func NewCaseTokens(people []CaseTokenPerson) (CasesAuth, error) {
	var list caseTokens
	for n := range people {
		p := &people[n]
		if err := p.check(); err != nil {
			return nil, err
		}
		same := func(other CasePerson) bool { return strings.EqualFold(string(other.ID), string(p.ID)) }
		if err := list.add(p.Token, p.CasePerson, same); err != nil {
			return nil, fmt.Errorf("person %s: %w", p.ID, err)
		}
	}
	return list, nil
}

// staff are the roles that a person may have; sensor is the hub itself, and the
// public has no token.
func staff() []cases.Role {
	return slices.DeleteFunc(cases.Roles(), func(r cases.Role) bool { return r == cases.Public || r == cases.Sensor })
}

func (p *CasePerson) check() error {
	switch {
	case !isPersonID(string(p.ID)) || p.ID == cases.System:
		return fmt.Errorf("person %q: want 1 to 32 of 0-9 A-Z a-z _ . @ -, and not %s, which is the hub itself", p.ID, cases.System)
	case len(p.Roles) == 0:
		return fmt.Errorf("person %s: want at least one role", p.ID)
	case p.has(cases.Department) != (p.Department != ""):
		return fmt.Errorf("person %s: the role department and a department go together", p.ID)
	}
	for _, r := range p.Roles {
		if !slices.Contains(staff(), r) {
			return fmt.Errorf("person %s: role %q: want %s", p.ID, r, joinCaseRoles(staff()))
		}
	}
	return nil
}

// isPersonID reports the form of a person's id in the journal (docs/cases.md).
func isPersonID(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("_.@-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func joinCaseRoles(roles []cases.Role) string {
	names := make([]string, len(roles))
	for n, r := range roles {
		names[n] = string(r)
	}
	return strings.Join(names, " or ")
}

// actorOf returns in which role the person who asks acts: the one named, or the only
// one that may.
func actorOf(ctx context.Context, named string, may []cases.Role) (cases.Actor, *Problem) {
	p := casePersonOf(ctx)
	if named != "" {
		r := cases.Role(named)
		if !p.has(r) || !slices.Contains(may, r) {
			return cases.Actor{}, needCaseRole(p, may...)
		}
		return p.in(r), nil
	}
	var own []cases.Role
	for _, r := range may {
		if p.has(r) {
			own = append(own, r)
		}
	}
	switch len(own) {
	case 0:
		return cases.Actor{}, needCaseRole(p, may...)
	case 1:
		return p.in(own[0]), nil
	}
	bad := problem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf("%s has several roles and acts in one at a time: name it in role.", p.ID))
	bad.Errors = []ProblemField{{Location: "body.role", Message: "missing; want " + joinCaseRoles(own)}}
	return cases.Actor{}, bad
}

func needCaseRole(p *CasePerson, roles ...cases.Role) *Problem {
	bad := problem(http.StatusForbidden, codeRole, fmt.Sprintf("%s may not do this; it takes the role %s.", p.ID, joinCaseRoles(roles)))
	bad.Why = string(cases.WhyRole)
	return bad
}

func noCases() *Problem {
	return problem(http.StatusNotFound, codeNoCases, "This hub keeps no cases. Its configuration has no section grid.")
}

// caseOperation registers an operation for people with one of roles; none means
// anybody who is known.
func caseOperation[I, O any](c *caseRoutes, api huma.API, op huma.Operation, roles []cases.Role, handler func(context.Context, *I) (*O, error)) {
	op.Tags = []string{"cases"}
	op.Security = []map[string][]string{{"case_token": {}}}
	op.Middlewares = append(huma.Middlewares{c.part().guarded(api, op.Path, hasCaseRole(roles))}, op.Middlewares...)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = problemResponse(api)
	if len(roles) > 0 {
		op.Description = strings.TrimSpace(op.Description + " Takes the role " + joinCaseRoles(roles) + ".")
	}
	huma.Register(api, op, handler)
}

// caseGet registers a question that everybody who is known may ask.
func caseGet[I, O any](c *caseRoutes, api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	caseOperation(c, api, huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}, nil, handler)
}

// openGet registers a question about codes, which are nobody's secret.
func openGet[I, O any](c *caseRoutes, api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	huma.Register(api, huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"codes"},
		Responses: map[string]*huma.Response{"default": problemResponse(api)},
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			if c.o == nil {
				writeProblem(api, ctx, noCases())
				return
			}
			next(ctx)
		}},
	}, handler)
}

// describeCaseToken tells the contract how people are known.
func describeCaseToken(api huma.API) {
	c := api.OpenAPI().Components
	if c.SecuritySchemes == nil {
		c.SecuritySchemes = map[string]*huma.SecurityScheme{}
	}
	c.SecuritySchemes["case_token"] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: "A person's token for cases (grid.people)"}
}

// MeJSON is who asks.
type MeJSON struct {
	ID         string   `json:"id"`
	Roles      []string `json:"roles" nullable:"false" doc:"Roles of docs/cases.md; a person acts in one at a time"`
	Department string   `json:"department,omitempty"`
}

type meOutput struct{ Body MeJSON }

func (c *caseRoutes) getMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	p := casePersonOf(ctx)
	return &meOutput{Body: MeJSON{ID: string(p.ID), Roles: plain(p.Roles), Department: string(p.Department)}}, nil
}

// plain turns a list of names into a list of texts, never null.
func plain[T ~string](list []T) []string {
	out := make([]string, len(list))
	for n, v := range list {
		out[n] = string(v)
	}
	return out
}

// check reports what is missing.
func (o *Cases) check() error {
	if o != nil && (o.Auth == nil || o.Desk == nil || o.Lists == nil || o.Now == nil || o.Chance == nil || o.Zone == nil) {
		return errors.New("make the pages of cases: Auth, Desk, Lists, Zone, Now and Chance are required")
	}
	return nil
}
