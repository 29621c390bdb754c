package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"citygrid/hub/accounts"
)

// fakeIdentity names whom the answer names.
type fakeIdentity struct{ down bool }

type refusedElsewhere struct{}

func (refusedElsewhere) Error() string { return "refused" }
func (refusedElsewhere) Why() string   { return "oidc_refused" }

func (f *fakeIdentity) Begin(context.Context) (string, string, error) {
	if f.down {
		return "", "", errors.New("connection refused")
	}
	return "attempt-1", "https://id.example/sign-in?state=1", nil
}

func (f *fakeIdentity) Finish(_ context.Context, kept string, answer url.Values) (string, error) {
	switch {
	case f.down:
		return "", errors.New("connection refused")
	case kept != "attempt-1" || answer.Get("code") == "":
		return "", refusedElsewhere{}
	}
	return answer.Get("code"), nil
}

// TestIdentityProvider: who is entered here and named there has a session.
func TestIdentityProvider(t *testing.T) {
	id := &fakeIdentity{}
	h := openHub(t, func(o *Options) { o.Accounts.Identity, o.Accounts.IdentityName = id, "统一认证" })
	h.person(t, "li", accounts.Clerk)
	gone := h.person(t, "gone", accounts.Clerk)
	noError(t, h.book.Disable(t.Context(), h.root, gone.Key))
	b := h.browser()
	if s := b.session(t); s.OIDC == nil || s.OIDC.Name != "统一认证" {
		t.Fatalf("%+v", s)
	}
	goTo := func(path, want string) *http.Response {
		t.Helper()
		w := b.want(t, "GET", "/api/v1/session/oidc/"+path, "", 303, "")
		if got := w.Header().Get("Location"); got != want {
			t.Fatalf("%s leads to %s, want %s", path, got, want)
		}
		return w.Result()
	}
	start := goTo("start?to=/cases%3Fstate=filed", "https://id.example/sign-in?state=1").Cookies()[0]
	if !start.HttpOnly || start.SameSite != http.SameSiteLaxMode || start.MaxAge != 600 || start.Value == "attempt-1" {
		t.Errorf("%+v", start)
	}
	goTo("callback?code=li&session_state=1", "/cases?state=filed")
	if s := b.session(t); s.State != "signed_in" || s.Person.ID != "li" {
		t.Errorf("%+v", s)
	}
	list, err := h.book.Audit(t.Context(), 0, 1)
	if err != nil || list[0].Act != accounts.ActSignIn || list[0].Detail != "oidc" || list[0].Actor != 2 {
		t.Errorf("%+v %v", list, err)
	}
	goTo("callback?code=li", "/signin?error=oidc_refused") // a second time without an attempt
	people, err := h.book.People(t.Context())
	noError(t, err)
	for _, name := range []string{"stranger", "gone"} {
		goTo("start?to=/desk", "https://id.example/sign-in?state=1")
		goTo("callback?code="+name, "/signin?error=oidc_unknown_person&to=%2Fdesk")
	}
	if after, err := h.book.People(t.Context()); err != nil || len(after) != len(people) {
		t.Errorf("somebody was entered: %+v %v", after, err)
	}
	goTo("start", "https://id.example/sign-in?state=1")
	goTo("callback?error=access_denied", "/signin?error=oidc_refused")
	id.down = true
	goTo("start?to=/desk", "/signin?error=oidc_unavailable&to=%2Fdesk")
	b.home = "http://192.0.2.1"
	goTo("start", "/signin?error=https_needed")
	plain := openHub(t, nil).browser()
	plain.want(t, "GET", "/api/v1/session/oidc/start", "", 404, codeNotFound)
	plain.want(t, "GET", "/api/v1/session/oidc/callback", "", 404, codeNotFound)
}

// TestOnlyPagesOfThisHub: a link to the sign-in leads nowhere else.
func TestOnlyPagesOfThisHub(t *testing.T) {
	for to, want := range map[string]string{
		"/cases": "/cases", "/desk?x=1#y": "/desk?x=1#y", "": "/", "cases": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "https://evil.example/": "/",
		"javascript:alert(1)": "/", "/\t/evil.example": "/", "/%2f%2fevil.example": "/", "/ /evil": "/", "///evil.example": "/", "/%5cevil.example": "/%5cevil.example",
		"/" + strings.Repeat("x", 600): "/", "http:evil.example": "/", "/x\nSet-Cookie: a": "/",
	} {
		if got := localPage(to); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
	id := &fakeIdentity{}
	h := openHub(t, func(o *Options) { o.Accounts.Identity = id })
	b := h.browser()
	b.want(t, "GET", "/api/v1/session/oidc/start?to=https://evil.example", "", 303, "")
	if w := b.want(t, "GET", "/api/v1/session/oidc/callback?code=root", "", 303, ""); w.Header().Get("Location") != "/" {
		t.Errorf("leads to %s", w.Header().Get("Location"))
	}
	b.cookies["citygrid_oidc_8080"] = &http.Cookie{Name: "citygrid_oidc_8080", Value: "eyJhIjoiYXR0ZW1wdC0xIiwidG8iOiIvL2V2aWwuZXhhbXBsZSJ9"} // {"a":"attempt-1","to":"//evil.example"}
	if w := b.want(t, "GET", "/api/v1/session/oidc/callback?code=root", "", 303, ""); w.Header().Get("Location") != "/" {
		t.Errorf("leads to %s", w.Header().Get("Location"))
	}
}
