package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

// SessionJSON is whether somebody has signed in, and what a page may expect.
type SessionJSON struct {
	State    string        `json:"state" enum:"set_up,signed_out,signed_in,tour,open" doc:"set_up: nobody can administer yet; tour: whoever has not signed in may read; open: this hub has no accounts"`
	Person   SessionPerson `json:"person" doc:"Who has signed in; null for nobody"`
	ReadOnly bool          `json:"read_only" doc:"Who asks can change nothing: a tour, or somebody with the role viewer only"`
	EndsAt   *time.Time    `json:"ends_at,omitempty" doc:"When the session ends at the latest; it ends earlier without use"`
	OIDC     *SessionOIDC  `json:"oidc,omitempty" doc:"Where people can sign in as well, by session/oidc/start"`
}

// SessionOIDC is an identity provider.
type SessionOIDC struct {
	Name string `json:"name" doc:"For a button" example:"统一认证"`
}

// SessionPersonJSON is who has signed in.
type SessionPersonJSON struct {
	Key        int64    `json:"key" doc:"Number of the person in the audit log"`
	ID         string   `json:"id" doc:"In the journal of cases"`
	Name       string   `json:"name" doc:"In the books"`
	Roles      []string `json:"roles" nullable:"false"`
	Department string   `json:"department" doc:"Of the role department; else empty"`
}

// SessionPerson is a SessionPersonJSON or null.
type SessionPerson struct{ *SessionPersonJSON }

// MarshalJSON writes null for nobody.
func (p SessionPerson) MarshalJSON() ([]byte, error) { return json.Marshal(p.SessionPersonJSON) }

// Schema tells the contract so.
func (SessionPerson) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[SessionPersonJSON](), true, ""), {Type: "null"}}}
}

type (
	sessionOutput struct {
		SetCookie []http.Cookie `header:"Set-Cookie"`
		Body      SessionJSON
	}
	signInInput struct {
		Body struct {
			Name     string `json:"name" minLength:"1" maxLength:"200" doc:"Id or name"`
			Password string `json:"password" minLength:"1" maxLength:"1024"`
		}
	}
)

func (a *accountRoutes) registerSession(api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary}
	}
	accountOperation(a, api, op("get-session", http.MethodGet, "/api/v1/session", "Whether somebody has signed in, and who"), nil, a.getSession)
	accountOperation(a, api, op("sign-in", http.MethodPost, "/api/v1/session", "Sign in; the answer sets cookies"), guest, a.postSession)
	accountOperation(a, api, op("sign-out", http.MethodDelete, "/api/v1/session", "Sign out"), guestOut, a.deleteSession)
	accountOperation(a, api, op("set-up", http.MethodPost, "/api/v1/set-up", "Enter the first administrator, with the code that the hub printed"), guest, a.postSetUp)
	accountOperation(a, api, op("redeem-invitation", http.MethodPost, "/api/v1/invitations/redeem", "Set a password with a one-time code"), guest, a.postRedeem)
}

// guestOut lets everybody go.
func guestOut(*visit) *Problem { return nil }

func (a *accountRoutes) getSession(ctx context.Context, v *visit, _ *struct{}) (*sessionOutput, error) {
	if a.o == nil {
		return &sessionOutput{Body: SessionJSON{State: "open"}}, nil
	}
	if v.who != nil {
		return &sessionOutput{Body: a.signedIn(v.who, v.who.access.EndsAt)}, nil
	}
	return a.signedOut(ctx)
}

func (a *accountRoutes) signedOut(ctx context.Context) (*sessionOutput, error) {
	out := SessionJSON{State: "signed_out", ReadOnly: a.o.Tour, OIDC: a.provider()}
	switch ready, err := a.o.Book.IsSetUp(ctx); {
	case err != nil:
		return nil, err
	case a.o.Tour:
		out.State = "tour"
	case !ready:
		out.State = "set_up"
	}
	return &sessionOutput{Body: out}, nil
}

func (a *accountRoutes) provider() *SessionOIDC {
	if a.o.Identity == nil {
		return nil
	}
	return &SessionOIDC{Name: a.o.IdentityName}
}

func (a *accountRoutes) signedIn(s *somebody, ends time.Time) SessionJSON {
	p := &s.access.Person
	return SessionJSON{State: "signed_in", ReadOnly: s.onlyLooksOn(), EndsAt: timeOrNil(ends), OIDC: a.provider(),
		Person: SessionPerson{&SessionPersonJSON{Key: int64(p.Key), ID: p.ID, Name: p.Name, Roles: plain(p.Roles), Department: p.Department}}}
}

func (a *accountRoutes) postSession(ctx context.Context, v *visit, in *signInInput) (*sessionOutput, error) {
	signed, err := a.o.Book.SignIn(ctx, accounts.SignIn{Name: in.Body.Name, Password: in.Body.Password, From: v.site.from,
		Device: v.cookie(deviceCookie), Replaces: v.cookie(sessionCookie)})
	if err != nil {
		return nil, refusedAs(err, http.StatusUnauthorized, codeSignIn, "The name or the password is wrong, or may not be used any more.")
	}
	return &sessionOutput{SetCookie: v.site.cookiesFor(signed), Body: a.signedIn(fromAccounts(signed.Access), signed.EndsAt)}, nil
}

// longSession is from where on a session outlives the browser: people who work on the
// way or watch a wall keep theirs, desks that several share do not.
const longSession = 24 * time.Hour

func (s *site) cookiesFor(in accounts.SignedIn) []http.Cookie {
	life := in.EndsAt.Sub(in.Access.SignedInAt)
	if life < longSession {
		life = 0
	}
	list := []http.Cookie{s.set(sessionCookie, string(in.Session.Reveal()), life)}
	if !in.Device.IsZero() {
		list = append(list, s.set(deviceCookie, string(in.Device.Reveal()), deviceTime))
	}
	return list
}

func (a *accountRoutes) deleteSession(ctx context.Context, v *visit, _ *struct{}) (*sessionOutput, error) {
	if v.who != nil && v.who.access.Token == 0 {
		if err := a.o.Book.SignOut(ctx, v.who.access); err != nil {
			return nil, err
		}
	}
	out, err := a.signedOut(ctx)
	if err == nil && v.site.safe() {
		out.SetCookie = []http.Cookie{v.site.set(sessionCookie, "", -1)}
	}
	return out, err
}

type (
	setUpInput struct {
		Body struct {
			Code     string `json:"code" minLength:"1" maxLength:"200" doc:"That the hub printed when it started"`
			ID       string `json:"id" minLength:"1" maxLength:"32" doc:"1 to 32 of 0-9 A-Z a-z _ . @ -; it stays for ever"`
			Name     string `json:"name,omitempty" maxLength:"200" doc:"The id when absent; it stays for ever"`
			Password string `json:"password" minLength:"1" maxLength:"1024"`
		}
	}
	redeemInput struct {
		Body struct {
			Code     string `json:"code" minLength:"1" maxLength:"200"`
			Password string `json:"password" minLength:"1" maxLength:"1024"`
		}
	}
)

const wrongCode = "The code is wrong, has been used, or is over. Ask for a new one; the hub prints one for the set-up when it starts."

func (a *accountRoutes) postSetUp(ctx context.Context, v *visit, in *setUpInput) (*accountPersonOutput, error) {
	b := &in.Body
	p, err := a.o.Book.SetUp(ctx, b.Code, accounts.NewPerson{ID: b.ID, Name: b.Name}, b.Password, v.site.from)
	if err != nil {
		return nil, refusedAs(err, http.StatusForbidden, codeCode, wrongCode)
	}
	return &accountPersonOutput{Body: accountPersonJSON(&p)}, nil
}

func (a *accountRoutes) postRedeem(ctx context.Context, v *visit, in *redeemInput) (*done, error) {
	err := a.o.Book.Redeem(ctx, in.Body.Code, in.Body.Password, v.site.from)
	return nil, refusedAs(err, http.StatusForbidden, codeCode, wrongCode)
}
