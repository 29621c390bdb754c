// Package oidc proves who somebody is by an identity provider of the city: the
// authorization code flow of OpenID Connect Core 1.0 with PKCE [RFC 7636], a state and a
// nonce. It knows no people; its answer is a name, and what that may do is the caller's.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"citygrid/internal/secret"
)

// Error is an answer that lets nobody in. Any other error means that the provider did
// not answer, or not as it should.
type Error struct{ why, text string }

// Error says what to do.
func (e *Error) Error() string { return e.text }

// Why says it in one word, for pages to translate.
func (e *Error) Why() string { return e.why }

// The errors that callers tell apart.
var (
	// ErrStale says that the answer belongs to no attempt of this browser, or to one that
	// is over.
	ErrStale = &Error{"oidc_stale", "the sign-in was not begun in this browser, or is over; begin it again"}
	// ErrRefused says that the provider or the person said no.
	ErrRefused = &Error{"oidc_refused", "the identity provider has refused"}
	// ErrNoName says that the proof does not have the claim, so that nobody is named.
	ErrNoName = &Error{"oidc_no_name", "the identity provider does not tell the name, or has not proved it; look at accounts.oidc.claim"}
)

// DefaultClaim names the person when the configuration does not say which claim does.
const DefaultClaim = "preferred_username"

// Config is what the provider knows the hub by.
type Config struct {
	Issuer, ClientID string
	Secret           secret.Secret
	// Claim is the claim of the ID token that holds the person's name; DefaultClaim
	// when empty.
	Claim string
	// Redirect is the address of the callback, as the provider knows it.
	Redirect string
	// Client makes the requests; a client with a bound of askTime when nil.
	Client *http.Client
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

const (
	// askTime bounds one question to the provider.
	askTime = 10 * time.Second
	// AttemptTime is how long a person may take to sign in at the provider.
	AttemptTime = 10 * time.Minute
)

// Provider asks one provider. Its methods may be called from any goroutine.
type Provider struct {
	c     Config
	mu    sync.Mutex
	known *oidc.Provider // once it has answered
}

// New returns the Provider without asking it anything, so that a hub can start while
// its provider does not run.
func New(c Config) *Provider {
	if c.Claim == "" {
		c.Claim = DefaultClaim
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: askTime}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Provider{c: c}
}

// attempt is what the browser keeps between the beginning and the end, in a cookie
// that only this hub reads.
type attempt struct {
	State, Nonce, Verifier string
	// Ends is when it is over, in seconds since 1970.
	Ends int64
}

func (a *attempt) text() (string, error) {
	data, err := json.Marshal(a)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// readAttempt returns one that nothing answers to where text is none.
func readAttempt(text string) (a attempt) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &a) != nil {
		return attempt{}
	}
	return a
}

// discover asks the provider for its addresses, once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		known, err := oidc.NewProvider(oidc.ClientContext(ctx, p.c.Client), p.c.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the identity provider (accounts.oidc.issuer): %w", err)
		}
		p.known = known
	}
	return p.known, &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: string(p.c.Secret.Reveal()), Endpoint: p.known.Endpoint(),
		RedirectURL: p.c.Redirect, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}, nil
}

// Begin returns a new attempt, for a cookie of the browser, and the address at which the
// person signs in.
func (p *Provider) Begin(ctx context.Context) (kept, address string, err error) {
	_, config, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	a := attempt{State: chance(), Nonce: chance(), Verifier: oauth2.GenerateVerifier(), Ends: p.c.Now().Add(AttemptTime).Unix()}
	if kept, err = a.text(); err != nil {
		return "", "", fmt.Errorf("write down the attempt to sign in: %w", err)
	}
	return kept, config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Finish returns the name of who has signed in, from the attempt that the browser kept
// and what the provider has sent back. Its errors are *Error or of the provider.
func (p *Provider) Finish(ctx context.Context, kept string, answer url.Values) (string, error) {
	a := readAttempt(kept)
	if a.State == "" || a.Nonce == "" || p.c.Now().Unix() >= a.Ends || subtle.ConstantTimeCompare([]byte(a.State), []byte(answer.Get("state"))) != 1 {
		return "", ErrStale
	}
	if iss := answer.Get("iss"); iss != "" && iss != p.c.Issuer { // [RFC 9207 2.4]
		return "", ErrStale
	}
	if answer.Get("error") != "" || answer.Get("code") == "" {
		return "", ErrRefused
	}
	known, config, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	ctx = oidc.ClientContext(ctx, p.c.Client)
	token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", fmt.Errorf("exchange the code with the identity provider: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	proof, err := known.VerifierContext(ctx, &oidc.Config{ClientID: p.c.ClientID, Now: p.c.Now}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("check the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(proof.Nonce), []byte(a.Nonce)) != 1 {
		return "", ErrStale
	}
	return p.name(proof)
}

// name reads the claim. An address that the provider has not proved to be the person's
// names nobody: whoever enters another's address there would be that person here.
func (p *Provider) name(proof *oidc.IDToken) (string, error) {
	var claims map[string]any
	if err := proof.Claims(&claims); err != nil {
		return "", fmt.Errorf("read the claims of the ID token: %w", err)
	}
	name, _ := claims[p.c.Claim].(string)
	if proved, _ := claims["email_verified"].(bool); name == "" || p.c.Claim == "email" && !proved {
		return "", ErrNoName
	}
	return name, nil
}

func chance() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails [Go, crypto/rand.Read]
	return base64.RawURLEncoding.EncodeToString(b)
}
