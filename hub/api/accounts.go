package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

// Accounts is what the face needs to let people sign in. Book is required. With it, all
// of the API but what is the same for everybody wants somebody who is known.
type Accounts struct {
	Book *accounts.Accounts
	// Tour lets whoever has not signed in look at everything and change nothing.
	Tour bool
	// PublicURL is how browsers reach the hub, such as https://city.example; empty
	// where it is not said.
	PublicURL string
	// Proxies are the networks whose X-Forwarded-For and X-Forwarded-Proto count.
	Proxies []netip.Prefix
	// Identity signs people in elsewhere, and IdentityName is what its button says;
	// nil: there is none.
	Identity     IdentityProvider
	IdentityName string
}

// IdentityProvider proves by another service who somebody is, as oidc.Provider. An
// error with a method Why() string lets nobody in; any other says that the service did
// not answer.
type IdentityProvider interface {
	// Begin returns what the browser keeps until the end, and the address where the
	// person signs in.
	Begin(ctx context.Context) (kept, address string, err error)
	// Finish returns the id or the name of who has signed in.
	Finish(ctx context.Context, kept string, answer url.Values) (name string, err error)
}

func (a *Accounts) check() error {
	if a != nil && a.Book == nil {
		return errors.New("make the hub's pages: Accounts without Book")
	}
	return nil
}

// publicOrigin is the origin of the pages where the configuration names it; else empty.
func (a *Accounts) publicOrigin() string {
	if a == nil {
		return ""
	}
	return strings.TrimSuffix(a.PublicURL, "/")
}

// accountRoutes are the operations about sessions and accounts.
type accountRoutes struct {
	o      *Accounts // nil: this hub has none
	log    *slog.Logger
	checks chan struct{} // a place for each check of the log under way
}

// The codes of problems with accounts.
const (
	codeNoAccounts = "no_accounts"
	codeSignIn     = "sign_in_refused"
	codePaused     = "sign_in_paused"
	codeSignInBusy = "sign_in_busy"
	codeHTTPS      = "https_needed"
	codeSession    = "session_needed"
	codeCode       = "code_refused"
	codeSetUp      = "set_up_done"
	codeWeak       = "password_weak"
	codeOld        = "password_refused"
	codeTaken      = "name_taken"
	codeLastAdmin  = "last_admin"
	codeAccount    = "account_unknown"
)

// maxAccountBody bounds the body of what people type.
const maxAccountBody = 16 << 10

// register adds the operations to api.
func (a *accountRoutes) register(api huma.API) {
	a.checks = make(chan struct{}, 1)
	a.registerSession(api)
	a.registerSelf(api)
	a.registerPeople(api)
	a.registerTokens(api)
	a.registerAudit(api)
}

// Who an operation about accounts is for, beyond what the gate asks.
type accountRule func(v *visit) *Problem

// guest lets everybody in whose password would not travel in clear.
func guest(v *visit) *Problem {
	if v.site.safe() {
		return nil
	}
	return problem(http.StatusForbidden, codeHTTPS, "Passwords are not taken over a connection that others can read. Open this hub by https. "+
		"Where a proxy does that, name it in accounts.proxies and let it send X-Forwarded-Proto, or give accounts.public_url.")
}

// inSession lets people in who have signed in: what is their own is not for programs
// that hold a token.
func inSession(v *visit) *Problem {
	switch {
	case v.who == nil:
		return unknownPerson()
	case v.who.access.Token != 0:
		return problem(http.StatusForbidden, codeSession, "A token may not do this. Sign in with your password.")
	}
	return nil
}

// administrator lets people in who look after the accounts.
func administrator(v *visit) *Problem {
	switch {
	case v.who == nil:
		return unknownPerson()
	case !v.who.administers():
		return problem(http.StatusForbidden, codeRole, v.who.person.Name+" may not do this; it takes the role admin.")
	}
	return nil
}

// accountOperation registers an operation; rule nil lets everybody in.
func accountOperation[I, O any](a *accountRoutes, api huma.API, op huma.Operation, rule accountRule, handler func(context.Context, *visit, *I) (*O, error)) {
	op.Tags = []string{"accounts"}
	op.MaxBodyBytes = maxAccountBody
	op.Responses = map[string]*huma.Response{"default": problemResponse(api)}
	op.Middlewares = append(huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if bad := a.admit(ctx.Context(), rule); bad != nil {
			writeProblem(api, ctx, bad)
			return
		}
		next(ctx)
	}}, op.Middlewares...)
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, visitOf(ctx), in)
		if err != nil {
			return nil, a.problemOf(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

func (a *accountRoutes) admit(ctx context.Context, rule accountRule) *Problem {
	if a.o == nil && rule != nil {
		return problem(http.StatusNotFound, codeNoAccounts, "This hub has no accounts. Its configuration has no section accounts.")
	}
	if rule == nil {
		return nil
	}
	return rule(visitOf(ctx))
}

// problemOf turns an error of the accounts into what who asked may know.
func (a *accountRoutes) problemOf(ctx context.Context, act string, err error) error {
	var own *Problem
	var input *accounts.InputError
	var weak *accounts.WeakError
	var pause *accounts.PauseError
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &weak):
		p := problem(http.StatusUnprocessableEntity, codeWeak, err.Error())
		p.Why = string(weak.Why)
		return p
	case errors.As(err, &input):
		p := problem(http.StatusUnprocessableEntity, codeInvalid, input.Problem)
		p.Errors = []ProblemField{{Location: "body." + input.Field, Message: input.Problem}}
		return p
	case errors.As(err, &pause):
		return later(problem(http.StatusTooManyRequests, codePaused, err.Error()), pause.Wait)
	case errors.Is(err, accounts.ErrBusy):
		return later(problem(http.StatusServiceUnavailable, codeSignInBusy, err.Error()), time.Second)
	}
	for _, k := range []struct {
		err    error
		status int
		code   string
	}{
		{accounts.ErrForbidden, http.StatusForbidden, codeRole}, {accounts.ErrUnknown, http.StatusNotFound, codeAccount}, {accounts.ErrTaken, http.StatusConflict, codeTaken},
		{accounts.ErrLastAdmin, http.StatusConflict, codeLastAdmin}, {accounts.ErrSetUp, http.StatusConflict, codeSetUp}, {accounts.ErrRefused, http.StatusForbidden, codeRefused},
	} {
		if errors.Is(err, k.err) {
			return problem(k.status, k.code, k.err.Error())
		}
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		a.log.Error("accounts not answered", "act", act, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeAccounts, "The accounts did not answer. Nothing was changed; try again, and look at the hub's log.")
}

// later adds how long to wait, in whole seconds.
func later(p *Problem, wait time.Duration) error {
	seconds := int64((wait + time.Second - 1) / time.Second)
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}})
}

// refusedAs gives a refusal by the accounts the code of the act that was refused.
func refusedAs(err error, status int, code, detail string) error {
	if errors.Is(err, accounts.ErrRefused) {
		return problem(status, code, detail)
	}
	return err
}

// done is an answer without a body.
type done struct{}
