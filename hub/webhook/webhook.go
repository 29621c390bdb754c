// Package webhook tells other programs what has happened to cases, over HTTP. What
// is told is a feed of numbered items, such as the journal; each target has a
// durable cursor in it. So nothing is lost over a restart, every target gets the
// items in their order, and one that is down holds up no other. An item may come
// twice: its id tells.
//
// Requests are signed as the Standard Webhooks specification says
// [github.com/standard-webhooks/standard-webhooks, version 1.0.0]: headers
// webhook-id, webhook-timestamp and webhook-signature with HMAC-SHA256.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/internal/secret"
)

// Item is one thing to tell.
type Item struct {
	Number int64  // rises from item to item
	ID     string // the same whenever the item is sent
	Type   string // such as "case.closed"
	Body   []byte // JSON
}

// Feed gives the items.
type Feed interface {
	// Items returns up to limit items after number, in order; none when there are no
	// more yet.
	Items(ctx context.Context, after int64, limit int) ([]Item, error)
	// Changed returns a channel that is closed when there may be more.
	Changed() <-chan struct{}
}

// Cursors remember durably how far each target has been told.
type Cursors interface {
	// Cursor returns the number of the last item that is done for a target. A target
	// that it has never seen begins behind the newest item.
	Cursor(ctx context.Context, target string) (int64, error)
	// Done moves the cursor. A reason that is not empty says that the item was given
	// up, and is kept with it.
	Done(ctx context.Context, target string, i Item, givenUp string) error
}

// Target is a program that is told.
type Target struct {
	Name   string // in the configuration; its cursor is known by it
	URL    string
	Secret secret.Secret // 24 to 64 bytes
	// Types are the item types that it wants; a type that ends in "*" stands for all
	// that begin so; none means all.
	Types []string
}

// Validate reports the first thing that keeps t from being told.
func (t *Target) Validate() error {
	if t.Name == "" {
		return errors.New("webhook without a name")
	}
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("webhook %s: url: want https://..., or http:// on this machine", t.Name)
	}
	if n := t.Secret.Len(); n < 24 || n > 64 {
		return fmt.Errorf("webhook %s: a secret of %d bytes, want 24 to 64: draw one with openssl rand -base64 32", t.Name, n)
	}
	return nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func (t *Target) wants(kind string) bool {
	return len(t.Types) == 0 || slices.ContainsFunc(t.Types, func(w string) bool {
		prefix, open := strings.CutSuffix(w, "*")
		return w == kind || open && strings.HasPrefix(kind, prefix)
	})
}

// Options say how a Sender works.
type Options struct {
	Feed    Feed
	Cursors Cursors
	Targets []Target
	// Client sends; nil means one that follows no redirect and waits 15 s.
	Client *http.Client
	// Pauses are those between the tries of one item; the last is repeated until
	// GiveUp has passed since the first. Empty means 5 s, 30 s, 2 min, 10 min, 1 h and
	// GiveUp 72 h.
	Pauses []time.Duration
	GiveUp time.Duration
	Now    func() time.Time
	Log    *slog.Logger
}

// Sender tells the targets.
type Sender struct{ o Options }

// New checks o.
func New(o Options) (*Sender, error) {
	var names []string
	for _, t := range o.Targets {
		if err := t.Validate(); err != nil {
			return nil, err
		}
		if slices.Contains(names, t.Name) {
			return nil, fmt.Errorf("webhook %s stands twice", t.Name)
		}
		names = append(names, t.Name)
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if len(o.Pauses) == 0 {
		o.Pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}
	}
	if o.GiveUp == 0 {
		o.GiveUp = 72 * time.Hour
	}
	return &Sender{o}, nil
}

// Run tells every target until ctx is done. What goes wrong with a target or the
// feed is logged and tried again.
func (s *Sender) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range s.o.Targets {
		g.Go(func() error { s.tell(ctx, t); return nil })
	}
	return g.Wait()
}

// atOnce is how many items are asked of the feed at a time.
const atOnce = 100

func (s *Sender) tell(ctx context.Context, t Target) {
	for failures := 0; ctx.Err() == nil; {
		err := s.catchUp(ctx, t)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() == nil {
			s.o.Log.Error("webhook: the feed or its cursor cannot be used; trying again", "webhook", t.Name, "error", err)
		}
		wait(ctx, s.pause(failures))
		failures++
	}
}

// catchUp tells t all that there is, and then waits for more.
func (s *Sender) catchUp(ctx context.Context, t Target) error {
	changed := s.o.Feed.Changed()
	after, err := s.o.Cursors.Cursor(ctx, t.Name)
	if err != nil {
		return err
	}
	items, err := s.o.Feed.Items(ctx, after, atOnce)
	if err != nil {
		return err
	}
	for _, i := range items {
		var reason string
		if t.wants(i.Type) {
			reason = s.deliver(ctx, t, i)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.o.Cursors.Done(ctx, t.Name, i, reason); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return nil
}

// deliver sends i until the target takes it or it is time to give up; then it
// returns why.
func (s *Sender) deliver(ctx context.Context, t Target, i Item) (givenUp string) {
	first := s.o.Now()
	for try := 0; ctx.Err() == nil; try++ {
		after, err := s.send(ctx, t, i)
		if err == nil {
			return ""
		}
		if ctx.Err() != nil {
			return ""
		}
		if s.o.Now().Sub(first) >= s.o.GiveUp || errors.Is(err, errGone) {
			s.o.Log.Error("webhook: given up; the item is kept in the list of undelivered ones", "webhook", t.Name, "item", i.ID, "tries", try+1, "error", err)
			return err.Error()
		}
		pause := max(s.pause(try), min(after, time.Hour))
		s.o.Log.Warn("webhook: not taken; trying again", "webhook", t.Name, "item", i.ID, "in", pause, "error", err)
		wait(ctx, pause)
	}
	return ""
}

// errGone says that the target wants no more [RFC 9110, 15.5.11].
var errGone = errors.New("410 Gone: take the webhook out of the configuration")

// send makes one try. after is what the target asked for in Retry-After.
func (s *Sender) send(ctx context.Context, t Target, i Item) (after time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(i.Body))
	if err != nil {
		return 0, err
	}
	now := s.o.Now()
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "citygrid")
	r.Header.Set("Webhook-Id", i.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", Sign(t.Secret, i.ID, now, i.Body))
	resp, err := s.o.Client.Do(r)
	var whole *url.Error
	if errors.As(err, &whole) { // it has the address, in which some targets have their key
		err = whole.Err
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	switch {
	case resp.StatusCode/100 == 2:
		return 0, nil
	case resp.StatusCode == http.StatusGone:
		return 0, errGone
	}
	return retryAfter(resp.Header.Get("Retry-After"), now), fmt.Errorf("the target answered %s", resp.Status)
}

// retryAfter reads seconds or a date [RFC 9110, 10.2.3].
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// pause is that after the given number of failures, a tenth more or less, so that
// targets that fell together are not asked together.
func (s *Sender) pause(failures int) time.Duration {
	p := s.o.Pauses[min(failures, len(s.o.Pauses)-1)]
	return p - p/10 + rand.N(p/5+1)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Sign returns the signature of a request: "v1," and base64.
func Sign(key secret.Secret, id string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, key.Reveal())
	fmt.Fprintf(h, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// tolerance is how far a request's clock may be off, as the specification advises.
const tolerance = 5 * time.Minute

// Verify checks a request that was received: that body is signed with key, and that
// its time is within five minutes of now. A program that is told may use it as it
// stands.
func Verify(h http.Header, body []byte, key secret.Secret, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if err != nil {
		return errors.New("webhook-timestamp: missing or no number")
	}
	at := time.Unix(seconds, 0)
	if d := now.Sub(at); d > tolerance || d < -tolerance {
		return fmt.Errorf("webhook-timestamp %s is %s off: an old request, or a clock that is wrong", at.UTC().Format(time.RFC3339), d.Abs())
	}
	want := Sign(key, h.Get("Webhook-Id"), at, body)
	for _, given := range strings.Fields(h.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(given), []byte(want)) {
			return nil
		}
	}
	return errors.New("webhook-signature: none fits; the secret differs or the request was changed")
}
