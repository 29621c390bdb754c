package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

// OpenSessionJSON is one session of the person who asks.
type OpenSessionJSON struct {
	BeganAt time.Time `json:"began_at"`
	SeenAt  time.Time `json:"seen_at" doc:"About when it was last used"`
	EndsAt  time.Time `json:"ends_at" doc:"When it ends without further use"`
	From    string    `json:"from" doc:"Address of the browser"`
	This    bool      `json:"this" doc:"True for the session that asks"`
}

type (
	sessionsOutput struct{ Body []OpenSessionJSON }
	passwordInput  struct {
		Body struct {
			Old      string `json:"old" minLength:"1" maxLength:"1024"`
			Password string `json:"password" minLength:"1" maxLength:"1024"`
		}
	}
)

// registerSelf adds what people do with their own accounts.
func (a *accountRoutes) registerSelf(api huma.API) {
	accountOperation(a, api, huma.Operation{
		OperationID: "change-password", Method: http.MethodPost, Path: "/api/v1/accounts/password", Summary: "Set another password; the other sessions end",
	}, inSession, a.postPassword)
	accountOperation(a, api, huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/api/v1/accounts/sessions", Summary: "The own open sessions, the last used first",
	}, inSession, a.listSessions)
	accountOperation(a, api, huma.Operation{
		OperationID: "end-other-sessions", Method: http.MethodDelete, Path: "/api/v1/accounts/sessions", Summary: "End all own sessions but this one",
	}, inSession, a.deleteSessions)
}

func (a *accountRoutes) postPassword(ctx context.Context, v *visit, in *passwordInput) (*done, error) {
	err := a.o.Book.ChangePassword(ctx, v.who.access, in.Body.Old, in.Body.Password)
	return nil, refusedAs(err, http.StatusForbidden, codeOld, "The old password is not right.")
}

func (a *accountRoutes) listSessions(ctx context.Context, v *visit, _ *struct{}) (*sessionsOutput, error) {
	list, err := a.o.Book.Sessions(ctx, v.who.access)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{Body: make([]OpenSessionJSON, len(list))}
	for n, s := range list {
		out.Body[n] = OpenSessionJSON(s)
	}
	return out, nil
}

func (a *accountRoutes) deleteSessions(ctx context.Context, v *visit, _ *struct{}) (*done, error) {
	return nil, a.o.Book.SignOutOthers(ctx, v.who.access)
}

// AccountPersonJSON is a person of the accounts.
type AccountPersonJSON struct {
	Key         int64      `json:"key" doc:"Number of the person, which the audit log has"`
	ID          string     `json:"id" doc:"In the journal of cases; empty once forgotten"`
	Name        string     `json:"name" doc:"In the books; empty once forgotten"`
	Roles       []string   `json:"roles" nullable:"false"`
	Department  string     `json:"department" doc:"Of the role department; else empty"`
	HasPassword bool       `json:"has_password" doc:"False for a program, and for whoever was invited and has not come yet"`
	MadeAt      time.Time  `json:"made_at"`
	DisabledAt  *time.Time `json:"disabled_at,omitempty"`
	ForgottenAt *time.Time `json:"forgotten_at,omitempty"`
}

func accountPersonJSON(p *accounts.Person) AccountPersonJSON {
	return AccountPersonJSON{Key: int64(p.Key), ID: p.ID, Name: p.Name, Roles: plain(p.Roles), Department: p.Department, HasPassword: p.HasPassword,
		MadeAt: p.MadeAt, DisabledAt: timeOrNil(p.Disabled), ForgottenAt: timeOrNil(p.Forgotten)}
}

type accountPersonOutput struct{ Body AccountPersonJSON }
