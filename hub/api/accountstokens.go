package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

// ProgramTokenJSON is a token without what is secret about it.
type ProgramTokenJSON struct {
	ID         int64      `json:"id"`
	Owner      int64      `json:"owner" doc:"Number of the person"`
	Name       string     `json:"name" doc:"What it is for"`
	Roles      []string   `json:"roles" nullable:"false" doc:"Those of its owner that it has"`
	Configured bool       `json:"configured" doc:"It comes from the configuration"`
	MadeAt     time.Time  `json:"made_at"`
	EndsAt     *time.Time `json:"ends_at,omitempty" doc:"Absent for a token of the configuration"`
	UsedAt     *time.Time `json:"used_at,omitempty" doc:"About when it was last used; absent for never"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
}

// DrawnTokenJSON is a token as it is handed out.
type DrawnTokenJSON struct {
	ID    int64  `json:"id"`
	Token string `json:"token" doc:"Told only here"`
}

type (
	tokensInput struct {
		Owner string `query:"owner" pattern:"^(me|all|[1-9][0-9]{0,17})$" default:"me" doc:"me, all, or the number of a person; others than the own are for administrators"`
	}
	tokensOutput   struct{ Body []ProgramTokenJSON }
	drawTokenInput struct {
		Body struct {
			Owner  int64     `json:"owner,omitempty" minimum:"0" doc:"A program, for administrators; who asks when absent"`
			Name   string    `json:"name" minLength:"1" maxLength:"200" doc:"What it is for"`
			Roles  []string  `json:"roles" minItems:"1" maxItems:"10" nullable:"false"`
			EndsAt time.Time `json:"ends_at" doc:"At most 366 days from now"`
		}
	}
	newTokenOutput   struct{ Body DrawnTokenJSON }
	revokeTokenInput struct {
		ID int64 `path:"id" minimum:"1"`
	}
)

// registerTokens adds what people do with tokens of programs.
func (a *accountRoutes) registerTokens(api huma.API) {
	const path = "/api/v1/accounts/tokens"
	accountOperation(a, api, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: path, Summary: "Tokens of programs, the newest first",
	}, selfOrAdministrator, a.listTokens)
	accountOperation(a, api, huma.Operation{
		OperationID: "draw-token", Method: http.MethodPost, Path: path, DefaultStatus: http.StatusCreated, Summary: "Draw a token; it is told only in this answer",
	}, inSession, a.postToken)
	accountOperation(a, api, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: path + "/{id}", Summary: "End a token for good",
	}, selfOrAdministrator, a.deleteToken)
}

// selfOrAdministrator lets people in about their own, and administrators by token too.
func selfOrAdministrator(v *visit) *Problem {
	if administrator(v) == nil {
		return nil
	}
	return inSession(v)
}

func (a *accountRoutes) listTokens(ctx context.Context, v *visit, in *tokensInput) (*tokensOutput, error) {
	owner := v.who.access.Person.Key
	if in.Owner != "me" {
		if bad := administrator(v); bad != nil {
			return nil, bad
		}
		n, _ := strconv.ParseInt(in.Owner, 10, 64) // 0 for all
		owner = accounts.PersonKey(n)
	}
	list, err := a.o.Book.Tokens(ctx, owner)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{Body: make([]ProgramTokenJSON, len(list))}
	for n, t := range list {
		out.Body[n] = ProgramTokenJSON{ID: int64(t.ID), Owner: int64(t.Owner), Name: t.Name, Roles: plain(t.Roles), Configured: t.Configured,
			MadeAt: t.MadeAt, EndsAt: timeOrNil(t.EndsAt), UsedAt: timeOrNil(t.UsedAt), RevokedAt: timeOrNil(t.RevokedAt)}
	}
	return out, nil
}

func (a *accountRoutes) postToken(ctx context.Context, v *visit, in *drawTokenInput) (*newTokenOutput, error) {
	owner := accounts.PersonKey(in.Body.Owner)
	if owner == 0 {
		owner = v.who.access.Person.Key
	}
	id, token, err := a.o.Book.DrawToken(ctx, v.who.access, owner, accounts.NewToken{Name: in.Body.Name, Roles: rightsOf(in.Body.Roles, "").Roles, EndsAt: in.Body.EndsAt})
	if err != nil {
		return nil, err
	}
	return &newTokenOutput{Body: DrawnTokenJSON{ID: int64(id), Token: string(token.Reveal())}}, nil
}

func (a *accountRoutes) deleteToken(ctx context.Context, v *visit, in *revokeTokenInput) (*done, error) {
	return nil, a.o.Book.RevokeToken(ctx, v.who.access, accounts.TokenID(in.ID))
}
