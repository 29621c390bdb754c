package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
	"citygrid/schemas"
)

// AccountKey is the path parameter of a person.
type AccountKey struct {
	Key int64 `path:"key" minimum:"1" doc:"Number of the person"`
}

type (
	accountPeopleOutput struct{ Body []AccountPersonJSON }
	addAccountInput     struct {
		Body struct {
			ID         string   `json:"id" minLength:"1" maxLength:"32" doc:"1 to 32 of 0-9 A-Z a-z _ . @ -; it stays for ever"`
			Name       string   `json:"name,omitempty" maxLength:"200" doc:"The id when absent; it stays for ever"`
			Roles      []string `json:"roles" minItems:"1" maxItems:"10" nullable:"false"`
			Department string   `json:"department,omitempty" maxLength:"64" doc:"Given for the role department, and only for it"`
		}
	}
	changeAccountInput struct {
		AccountKey
		Body struct {
			Roles      []string `json:"roles" minItems:"1" maxItems:"10" nullable:"false"`
			Department string   `json:"department,omitempty" maxLength:"64"`
		}
	}
	// CodeJSON is a one-time code as it is handed out.
	CodeJSON struct {
		Code   string    `json:"code" doc:"Told only here; with it the person sets a password at /signin"`
		EndsAt time.Time `json:"ends_at"`
	}
	codeOutput struct{ Body CodeJSON }
)

// registerPeople adds what administrators do with people.
func (a *accountRoutes) registerPeople(api huma.API) {
	const path = "/api/v1/accounts/people"
	accountOperation(a, api, huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: path, Summary: "Everybody, in the order in which they were entered",
	}, administrator, a.listPeople)
	accountOperation(a, api, huma.Operation{
		OperationID: "add-account", Method: http.MethodPost, Path: path, DefaultStatus: http.StatusCreated, Summary: "Enter a person, without a password",
	}, administrator, a.postPerson)
	accountOperation(a, api, huma.Operation{
		OperationID: "change-account", Method: http.MethodPut, Path: path + "/{key}", Summary: "Set the roles of a person, at once and for open sessions too",
	}, administrator, a.putPerson)
	accountOperation(a, api, huma.Operation{
		OperationID: "invite-account", Method: http.MethodPost, Path: path + "/{key}/invite", Summary: "Draw a one-time code with which a person sets a password; earlier codes end",
	}, administrator, a.invite)
	for _, act := range []struct {
		word, summary string
		do            func(context.Context, accounts.Access, accounts.PersonKey) error
	}{
		{"disable", "Keep a person out from now on", a.book().Disable},
		{"enable", "Let a disabled person in again", a.book().Enable},
		{"forget", "Take out everything about a person but a number; there is no way back", a.book().Forget},
		{"sign-out", "End all sessions of a person", a.book().SignOutEverywhere},
	} {
		accountOperation(a, api, huma.Operation{
			OperationID: act.word + "-account", Method: http.MethodPost, Path: path + "/{key}/" + act.word, Summary: act.summary,
		}, administrator, func(ctx context.Context, v *visit, in *AccountKey) (*done, error) {
			return nil, act.do(ctx, v.who.access, accounts.PersonKey(in.Key))
		})
	}
}

// book returns the accounts, or some that nobody gets to.
func (a *accountRoutes) book() *accounts.Accounts {
	if a.o == nil {
		return nil
	}
	return a.o.Book
}

func (a *accountRoutes) listPeople(ctx context.Context, _ *visit, _ *struct{}) (*accountPeopleOutput, error) {
	list, err := a.o.Book.People(ctx)
	if err != nil {
		return nil, err
	}
	out := &accountPeopleOutput{Body: make([]AccountPersonJSON, len(list))}
	for n := range list {
		out.Body[n] = accountPersonJSON(&list[n])
	}
	return out, nil
}

func (a *accountRoutes) postPerson(ctx context.Context, v *visit, in *addAccountInput) (*accountPersonOutput, error) {
	r := rightsOf(in.Body.Roles, in.Body.Department)
	p, err := a.o.Book.Add(ctx, v.who.access, accounts.NewPerson{ID: in.Body.ID, Name: in.Body.Name, Roles: r.Roles, Department: r.Department, Utilities: r.Utilities})
	if err != nil {
		return nil, err
	}
	return &accountPersonOutput{Body: accountPersonJSON(&p)}, nil
}

func (a *accountRoutes) putPerson(ctx context.Context, v *visit, in *changeAccountInput) (*accountPersonOutput, error) {
	key := accounts.PersonKey(in.Key)
	if err := a.o.Book.Change(ctx, v.who.access, key, rightsOf(in.Body.Roles, in.Body.Department)); err != nil {
		return nil, err
	}
	p, err := a.o.Book.Person(ctx, key)
	if err != nil {
		return nil, err
	}
	return &accountPersonOutput{Body: accountPersonJSON(&p)}, nil
}

// rightsOf gives roles of the ledger all utilities: the ledger does not tell them apart.
func rightsOf(roles []string, department string) accounts.Rights {
	r := accounts.Rights{Department: department}
	for _, one := range roles {
		r.Roles = append(r.Roles, accounts.Role(one))
	}
	if slices.ContainsFunc(r.Roles, func(one accounts.Role) bool { return slices.Contains(accounts.LedgerRoles(), one) }) {
		r.Utilities = []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}
	}
	return r
}

func (a *accountRoutes) invite(ctx context.Context, v *visit, in *AccountKey) (*codeOutput, error) {
	c, err := a.o.Book.Invite(ctx, v.who.access, accounts.PersonKey(in.Key))
	if err != nil {
		return nil, err
	}
	return &codeOutput{Body: CodeJSON{Code: string(c.Code.Reveal()), EndsAt: c.EndsAt}}, nil
}
