package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
)

// Role is what a person may do in the ledger.
type Role string

// The roles. A person may have several; whoever has one may read.
const (
	Clerk    Role = "clerk"    // imports, runs, explains, assigns
	Reviewer Role = "reviewer" // adjusts
	Approver Role = "approver" // closes
)

// Roles returns the roles in their order.
func Roles() []Role { return []Role{Clerk, Reviewer, Approver} }

// Person is who asks.
type Person struct {
	Name  string
	Roles []Role
}

// Authenticator says who a bearer token belongs to.
type Authenticator interface {
	// Person returns ok false for a token that nobody has. It must take the same
	// time for any token that is wrong.
	Person(ctx context.Context, token string) (p Person, ok bool)
}

// TokenPerson is a person with the digest of a token, as a configuration has it.
type TokenPerson struct {
	Person
	// Token is "sha256:" and the SHA-256 of the token in hexadecimal digits. A
	// token is drawn at random with 256 bits, so that its digest tells nothing.
	Token string
}

// tokens is the Authenticator of a configuration.
type tokens struct{ tokenTable[Person] }

// NewTokens returns an Authenticator for the people of a configuration. It
// refuses a person without name or role, a digest that is none, and a token or a
// name that two share, also where only its capitals differ.
func NewTokens(people []TokenPerson) (Authenticator, error) {
	var list tokens
	for _, p := range people {
		if err := ledger.CheckPerson(p.Name); err != nil {
			return nil, err
		}
		if len(p.Roles) == 0 {
			return nil, fmt.Errorf("person %s: want at least one role", p.Name)
		}
		for _, r := range p.Roles {
			if !slices.Contains(Roles(), r) {
				return nil, fmt.Errorf("person %s: role %q: want clerk, reviewer or approver", p.Name, r)
			}
		}
		if err := list.add(p.Token, p.Person, func(other Person) bool { return ledger.SamePerson(other.Name, p.Name) }); err != nil {
			return nil, fmt.Errorf("person %s: %w", p.Name, err)
		}
	}
	return list, nil
}

// Person compares with everybody's, whoever it is.
func (t tokens) Person(_ context.Context, token string) (Person, bool) { return t.find(token) }

// The bounds of heavy requests: a file of 256 MiB, or a statement with its browser
// for PDF, takes several times its size. What is beyond waits before its body is
// read.
const (
	heavyAtOnce = 2
	heavyWait   = 30 * time.Second
)

// bounded is a middleware that lets heavyAtOnce requests through at once.
func (l *ledgerRoutes) bounded(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if !inTurn(ctx.Context(), l.heavy, func() { next(ctx) }) {
			writeProblem(api, ctx, problem(http.StatusServiceUnavailable, codeBusy, "Other files and statements are being worked on. Nothing was changed; try again in a minute."))
		}
	}
}

func (p Person) has(r Role) bool { return slices.Contains(p.Roles, r) }

func needRole(p Person, roles ...Role) *Problem {
	return problem(http.StatusForbidden, codeRole, fmt.Sprintf("%s may not do this; it takes the role %s.", p.Name, joinRoles(roles)))
}

// writeProblem answers from a middleware.
func writeProblem(api huma.API, ctx huma.Context, p *Problem) {
	ctx.SetHeader("Content-Type", problemMediaType)
	ctx.SetStatus(p.Status)
	_ = api.Marshal(ctx.BodyWriter(), "application/json", p) // the client has gone: nobody is left to tell
}

// ledgerOperation registers an operation for people with one of roles.
func ledgerOperation[I, O any](l *ledgerRoutes, api huma.API, op huma.Operation, roles []Role, handler func(context.Context, *I) (*O, error)) {
	op.Tags = []string{"ledger"}
	op.Security = []map[string][]string{{"token": {}}}
	op.Middlewares = append(huma.Middlewares{l.part().guarded(api, op.Path, hasRole(roles))}, op.Middlewares...)
	op.Responses = map[string]*huma.Response{"default": problemResponse(api)}
	if len(roles) > 0 {
		op.Description = strings.TrimSpace(op.Description + " Takes the role " + joinRoles(roles) + ".")
	}
	huma.Register(api, op, handler)
}

func joinRoles(roles []Role) string {
	names := make([]string, len(roles))
	for n, r := range roles {
		names[n] = string(r)
	}
	return strings.Join(names, " or ")
}

// ledgerGet registers a question that everybody who is known may ask.
func ledgerGet[I, O any](l *ledgerRoutes, api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	ledgerOperation(l, api, huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}, nil, handler)
}

// describeToken tells the contract how people are known.
func describeToken(api huma.API) {
	c := api.OpenAPI().Components
	if c.SecuritySchemes == nil {
		c.SecuritySchemes = map[string]*huma.SecurityScheme{}
	}
	c.SecuritySchemes["token"] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: "A person's token for the ledger (ledger.people)"}
}
