package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

// AuditEntryJSON is a line of the audit log. People are numbers there.
type AuditEntryJSON struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   int64     `json:"actor" doc:"Number of the person; 0 for the hub, or for nobody who is known"`
	Act     string    `json:"act" example:"sign_in"`
	Subject int64     `json:"subject" doc:"Number of the person whom it was done to; 0 for nobody"`
	Detail  string    `json:"detail"`
	From    string    `json:"from" doc:"Address that it came from; empty when it is not known or forgotten"`
	Digest  string    `json:"digest" doc:"SM3 of the entry and the digest before it"`
}

// AuditCheckJSON is what a check of the whole log has found.
type AuditCheckJSON struct {
	OK     bool   `json:"ok"`
	Seq    int64  `json:"seq" doc:"The last entry that holds; keep it with digest elsewhere to notice later that the log was cut off"`
	Digest string `json:"digest"`
	Broken int64  `json:"broken,omitempty" doc:"The first entry that does not hold"`
	What   string `json:"what,omitempty" doc:"What is wrong with it"`
}

type (
	auditInput struct {
		Before int64 `query:"before" minimum:"0" doc:"Only entries older than this number; 0 begins with the newest"`
		Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	auditOutput     struct{ Body []AuditEntryJSON }
	auditCheckInput struct {
		Seq    int64  `query:"seq" minimum:"0" doc:"An end of the log that was kept elsewhere; 0 for none"`
		Digest string `query:"digest" pattern:"^([0-9a-f]{64})?$" doc:"Its digest"`
	}
	auditCheckOutput struct{ Body AuditCheckJSON }
)

// registerAudit adds the questions about the audit log.
func (a *accountRoutes) registerAudit(api huma.API) {
	accountOperation(a, api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/api/v1/accounts/audit", Summary: "The audit log, the newest entries first",
	}, administrator, a.listAudit)
	accountOperation(a, api, huma.Operation{
		OperationID: "check-audit", Method: http.MethodGet, Path: "/api/v1/accounts/audit/check", Summary: "Follow the chain of the whole audit log",
		Middlewares: bounded(api, a.checks),
	}, administrator, a.checkAudit)
}

func (a *accountRoutes) listAudit(ctx context.Context, _ *visit, in *auditInput) (*auditOutput, error) {
	list, err := a.o.Book.Audit(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{Body: make([]AuditEntryJSON, len(list))}
	for n, e := range list {
		out.Body[n] = AuditEntryJSON{Seq: e.Seq, At: e.At, Actor: int64(e.Actor), Act: string(e.Act), Subject: int64(e.Subject), Detail: e.Detail, From: e.From, Digest: e.Digest}
	}
	return out, nil
}

func (a *accountRoutes) checkAudit(ctx context.Context, _ *visit, in *auditCheckInput) (*auditCheckOutput, error) {
	head, err := a.o.Book.CheckAudit(ctx, accounts.Head{Seq: in.Seq, Digest: in.Digest})
	out := &auditCheckOutput{Body: AuditCheckJSON{OK: err == nil, Seq: head.Seq, Digest: head.Digest}}
	var broken *accounts.BrokenError
	if errors.As(err, &broken) {
		out.Body.Broken, out.Body.What = broken.Seq, broken.What
		return out, nil
	}
	return out, err
}

// tell writes into the audit log that what an operation answers leaves the hub: tables
// and files of the books and the cases, who of the public has reported something, and
// data of cards. It does so before the answer, and there is none where it cannot be
// written. Looks at cards are written down once in viewTime, as pages ask again by
// themselves.
func tell(ctx huma.Context, path string, who *somebody) *Problem {
	act := toldOf(ctx.Method(), path, ctx.Query("format"))
	v := visitOf(ctx.Context())
	if act == "" || v.accounts == nil || v.who == nil {
		return nil
	}
	u := ctx.URL()
	what := strings.TrimPrefix(u.Path, "/api/v1/")
	var err error
	if act == accounts.ActCards {
		one := view{who.access.Person.Key, who.access.From, shortened(what + subjectOf(ctx))}
		err = v.views.once(ctx.Context(), one, func() error { return v.accounts.Book.Told(ctx.Context(), who.access, act, one.what) })
	} else {
		if f := ctx.Query("format"); f != "" {
			what += " as " + f
		}
		err = v.accounts.Book.Told(ctx.Context(), who.access, act, shortened(what))
	}
	if err != nil {
		return problem(http.StatusServiceUnavailable, codeAccounts, "The audit log cannot be written, and without it this is not handed out. Try again, and look at the hub's log.")
	}
	return nil
}

// toldOf is the act of an operation that the audit log has; empty for most.
func toldOf(method, path, format string) accounts.Act {
	inLedger := strings.HasPrefix(path, "/api/v1/ledger/")
	switch {
	case method != http.MethodGet && method != http.MethodHead:
		return ""
	case strings.HasSuffix(path, "/petitioner"):
		return accounts.ActPersonal
	case strings.HasPrefix(path, "/api/v1/exports/"), strings.HasSuffix(path, ".csv"), strings.HasSuffix(path, ".xlsx"),
		inLedger && strings.HasSuffix(path, "/statement"), path == "/api/v1/ledger/clearing/files/{name}", inLedger && format != "" && format != "json":
		return accounts.ActExport
	case slices.Contains(cardPaths(), path):
		return accounts.ActCards
	}
	return ""
}

// cardPaths are the questions whose answers have cards and what was done with them.
func cardPaths() []string {
	return []string{"/api/v1/ledger/work", "/api/v1/ledger/dossier", "/api/v1/ledger/differences", "/api/v1/ledger/difference",
		"/api/v1/ledger/rows", "/api/v1/ledger/source", "/api/v1/ledger/search"}
}

// subjectOf says which part of a list was looked at, as far as the question names it by
// something that names no person: what was typed into a search stays out.
func subjectOf(ctx huma.Context) (subject string) {
	for _, name := range []string{"ledger", "key", "meter", "order", "row"} {
		if value := ctx.Query(name); value != "" {
			subject += " " + name + " " + value
		}
	}
	return subject
}

// shortened keeps an entry of the log short whatever the address was.
func shortened(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(strings.Map(printable, text), "")
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
