package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
)

const (
	oidcStart = "/api/v1/session/oidc/start"
	// OIDCCallback is where the provider sends browsers back, below the public address.
	OIDCCallback = "/api/v1/session/oidc/callback"
	// oidcTime is how long a person may take to sign in elsewhere.
	oidcTime = 10 * time.Minute
)

// oidcKept is what the browser keeps meanwhile.
type oidcKept struct {
	Attempt string `json:"a"`
	To      string `json:"to"`
}

// oidc sends browsers to the identity provider and takes them back. Both are addresses
// that a browser goes to, not questions of a program: faults come as a page.
type oidc struct{ *accountRoutes }

// registerOIDC adds both.
func (a *accountRoutes) registerOIDC(api huma.API, mux *http.ServeMux) {
	mux.HandleFunc("GET "+oidcStart, oidc{a}.start)
	mux.HandleFunc("GET "+OIDCCallback, oidc{a}.callback)
	for _, o := range []struct{ id, path, summary string }{
		{"oidc-start", oidcStart, "Send the browser to the identity provider; to is the page to come back to"},
		{"oidc-callback", OIDCCallback, "Where the identity provider sends the browser back"},
	} {
		api.OpenAPI().AddOperation(&huma.Operation{OperationID: o.id, Method: http.MethodGet, Path: o.path, Summary: o.summary, Tags: []string{"accounts"},
			Responses: map[string]*huma.Response{"303": {Description: "The browser goes on"}, "default": problemResponse(api)}})
	}
}

// localPage returns to where it is a page of this hub, and else the first page: a link
// to the hub must not lead elsewhere.
func localPage(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) || strings.HasPrefix(u.Path, "//") || len(to) > 500 {
		return "/"
	}
	return to
}

func (o oidc) start(w http.ResponseWriter, r *http.Request) {
	v, to := visitOf(r.Context()), localPage(r.URL.Query().Get("to"))
	if !o.ready(w, r, v, to) {
		return
	}
	kept, address, err := o.o.Identity.Begin(r.Context())
	if err != nil {
		o.fail(w, r, to, err)
		return
	}
	text, err := json.Marshal(oidcKept{Attempt: kept, To: to})
	if err != nil { // two texts
		o.fail(w, r, to, err)
		return
	}
	c := v.site.set(oidcCookie, base64.RawURLEncoding.EncodeToString(text), oidcTime)
	http.SetCookie(w, &c)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// ready reports whether there is a provider and the connection can carry a session; it
// answers otherwise.
func (o oidc) ready(w http.ResponseWriter, r *http.Request, v *visit, to string) bool {
	switch {
	case o.o == nil || o.o.Identity == nil:
		problem(http.StatusNotFound, codeNotFound, "This hub has no identity provider. Its configuration has no accounts.oidc.").write(w)
		return false
	case !v.site.safe():
		o.back(w, r, to, codeHTTPS)
		return false
	}
	return true
}

func (o oidc) callback(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r.Context())
	if !o.ready(w, r, v, "/") {
		return
	}
	var kept oidcKept
	if text, err := base64.RawURLEncoding.DecodeString(v.cookie(oidcCookie)); err != nil || json.Unmarshal(text, &kept) != nil {
		kept = oidcKept{}
	}
	to := localPage(kept.To) // the browser may have changed it
	over := v.site.set(oidcCookie, "", -1)
	http.SetCookie(w, &over)
	in, err := o.signIn(r.Context(), v, kept.Attempt, r.URL.Query())
	if err != nil {
		o.fail(w, r, to, err)
		return
	}
	for _, c := range v.site.cookiesFor(in) {
		http.SetCookie(w, &c)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (o oidc) signIn(ctx context.Context, v *visit, kept string, answer url.Values) (accounts.SignedIn, error) {
	name, err := o.o.Identity.Finish(ctx, kept, answer)
	if err != nil {
		return accounts.SignedIn{}, err
	}
	return o.o.Book.SignInProved(ctx, accounts.Proved{Name: name, By: "oidc", Replaces: v.cookie(sessionCookie), From: v.site.from})
}

// fail tells the person what happened, and the log what it was.
func (o oidc) fail(w http.ResponseWriter, r *http.Request, to string, err error) {
	var known interface{ Why() string }
	var pause *accounts.PauseError
	switch {
	case errors.As(err, &known):
		o.log.Info("sign-in by the identity provider refused", "why", err)
		o.back(w, r, to, known.Why())
	case errors.Is(err, accounts.ErrRefused):
		o.back(w, r, to, "oidc_unknown_person")
	case errors.As(err, &pause):
		o.back(w, r, to, codePaused)
	default:
		if r.Context().Err() == nil {
			o.log.Error("identity provider not asked", "error", err)
		}
		o.back(w, r, to, "oidc_unavailable")
	}
}

// back sends the browser to the page of signing in, which says what the code means.
func (oidc) back(w http.ResponseWriter, r *http.Request, to, code string) {
	q := url.Values{"error": {code}}
	if to != "/" {
		q.Set("to", to)
	}
	http.Redirect(w, r, "/signin?"+q.Encode(), http.StatusSeeOther)
}
