package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"citygrid/internal/secret"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// provider runs an identity provider for the test.
func provider(t *testing.T) *mockoidc.MockOIDC {
	t.Helper()
	m, err := mockoidc.Run()
	noError(t, err)
	t.Cleanup(func() { noError(t, m.Shutdown()) })
	return m
}

func hubOf(m *mockoidc.MockOIDC, change func(*Config)) *Provider {
	c := Config{Issuer: m.Issuer(), ClientID: m.ClientID, Secret: secret.New(m.ClientSecret), Redirect: "http://127.0.0.1:1/callback"}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// visit does what the browser does: it goes to the provider, which sends it back.
func visit(t *testing.T, address string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	noError(t, err)
	noError(t, r.Body.Close())
	back, err := url.Parse(r.Header.Get("Location"))
	noError(t, err)
	if back.Host != "127.0.0.1:1" || back.Path != "/callback" {
		t.Fatalf("sent to %s", back)
	}
	return back.Query()
}

func begin(t *testing.T, p *Provider) (kept, address string) {
	t.Helper()
	kept, address, err := p.Begin(t.Context())
	noError(t, err)
	return kept, address
}

func TestSignIn(t *testing.T) {
	m := provider(t)
	m.QueueUser(&mockoidc.MockUser{Subject: "1", PreferredUsername: "li.si"})
	p := hubOf(m, nil)
	kept, address := begin(t, p)
	u, err := url.Parse(address)
	noError(t, err)
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || !strings.Contains(q.Get("scope"), "openid") ||
		strings.Contains(kept, q.Get("code_challenge")) {
		t.Errorf("asks %v", q)
	}
	answer := visit(t, address)
	name, err := p.Finish(t.Context(), kept, answer)
	if err != nil || name != "li.si" {
		t.Fatalf("%q %v", name, err)
	}
	if name, err := p.Finish(t.Context(), kept, answer); err == nil {
		t.Errorf("a code counts twice: %s", name)
	}
}

// TestAnswersThatAreNone: of another browser, of another attempt, too late, a refusal, or
// changed on the way.
func TestAnswersThatAreNone(t *testing.T) {
	m := provider(t)
	at := time.Now()
	p := hubOf(m, func(c *Config) { c.Now = func() time.Time { return at } })
	kept, address := begin(t, p)
	answer := visit(t, address)
	other, _ := begin(t, p)
	with := func(key, value string) url.Values {
		q := url.Values{"state": answer["state"], "code": answer["code"]}
		q.Set(key, value)
		return q
	}
	for name, tt := range map[string]struct {
		kept   string
		answer url.Values
		want   error
	}{
		"no cookie":         {"", answer, ErrStale},
		"nonsense":          {"!!", answer, ErrStale},
		"an empty attempt":  {"e30", url.Values{"code": answer["code"]}, ErrStale},
		"another attempt":   {other, answer, ErrStale},
		"another state":     {kept, with("state", "x"), ErrStale},
		"another provider":  {kept, with("iss", "https://evil.example"), ErrStale},
		"a refusal":         {kept, with("error", "access_denied"), ErrRefused},
		"no code":           {kept, with("code", ""), ErrRefused},
		"the wrong code":    {kept, with("code", "x"), nil},
		"PKCE of another":   {changed(t, kept, func(a *attempt) { a.Verifier = strings.Repeat("x", 43) }), answer, nil},
		"nonce of another":  {changed(t, kept, func(a *attempt) { a.Nonce = "x" }), answer, ErrStale},
		"an attempt of old": {changed(t, kept, func(a *attempt) { a.Ends = at.Unix() }), answer, ErrStale},
	} {
		if tt.answer.Get("code") == answer.Get("code") && tt.want == nil || name == "nonce of another" { // each uses its code up
			k, a := begin(t, p)
			tt.answer = visit(t, a)
			tt.kept = changed(t, k, func(a *attempt) {
				if name == "nonce of another" {
					a.Nonce = "x"
				} else {
					a.Verifier = strings.Repeat("x", 43)
				}
			})
		}
		got, err := p.Finish(t.Context(), tt.kept, tt.answer)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %q %v, want %v", name, got, err, tt.want)
		}
	}
	if name, err := p.Finish(t.Context(), kept, answer); err != nil || name != "jane.doe" {
		t.Errorf("the right one: %q %v", name, err)
	}
}

func changed(t *testing.T, kept string, change func(*attempt)) string {
	t.Helper()
	a := readAttempt(kept)
	change(&a)
	text, err := a.text()
	noError(t, err)
	return text
}

// TestClaims: a claim that is absent names nobody, and an address counts only once the
// provider has proved it.
func TestClaims(t *testing.T) {
	m := provider(t)
	for _, tt := range []struct {
		claim string
		user  mockoidc.MockUser
		want  string
	}{
		{"", mockoidc.MockUser{PreferredUsername: "li"}, "li"},
		{"", mockoidc.MockUser{Email: "li@city.example", EmailVerified: true}, ""},
		{"email", mockoidc.MockUser{Email: "li@city.example", EmailVerified: true}, "li@city.example"},
		{"email", mockoidc.MockUser{Email: "li@city.example"}, ""},
		{"groups", mockoidc.MockUser{Groups: []string{"li"}}, ""},
		{"sub", mockoidc.MockUser{Subject: "4711"}, "4711"},
	} {
		m.QueueUser(&tt.user)
		p := hubOf(m, func(c *Config) { c.Claim = tt.claim })
		kept, address := begin(t, p)
		name, err := p.Finish(t.Context(), kept, visit(t, address))
		if name != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, ErrNoName) {
			t.Errorf("%s of %+v: %q %v", tt.claim, tt.user, name, err)
		}
	}
}

// TestForAnother: a proof that was made for another client lets nobody in.
func TestForAnother(t *testing.T) {
	m := provider(t)
	p := hubOf(m, nil)
	kept, address := begin(t, p)
	answer := visit(t, address)
	p.c.ClientID = "another"
	if name, err := p.Finish(t.Context(), kept, answer); err == nil {
		t.Errorf("%s", name)
	}
}

// TestProviderThatStartsLater: the hub starts without its provider, and finds it.
func TestProviderThatStartsLater(t *testing.T) {
	m := provider(t)
	up := false
	p := hubOf(m, func(c *Config) {
		c.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if !up {
				return nil, errors.New("connection refused")
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	if _, _, err := p.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), "accounts.oidc.issuer") {
		t.Errorf("%v", err)
	}
	up = true
	kept, address := begin(t, p)
	if name, err := p.Finish(t.Context(), kept, visit(t, address)); err != nil || name != "jane.doe" {
		t.Errorf("%q %v", name, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
