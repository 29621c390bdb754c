package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/internal/secret"
)

func key() secret.Secret { return secret.New("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"[:24]) }

// The vector of the specification's reference libraries: secret
// whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw in base64, message id, time and body as in
// their tests.
func TestTheSignatureIsThatOfTheSpecification(t *testing.T) {
	raw := []byte{0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0}
	got := Sign(secret.New(raw), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// memory is a feed and its cursors; the cursors survive a Sender as a database would.
type memory struct {
	mu      sync.Mutex
	items   []Item
	changed chan struct{}
	cursor  map[string]int64
	gaveUp  []string
}

func newMemory(n int) *memory {
	m := &memory{changed: make(chan struct{}), cursor: map[string]int64{}}
	for range n {
		m.add("case.filed")
	}
	return m
}

func (m *memory) add(kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := int64(len(m.items) + 1)
	m.items = append(m.items, Item{Number: n, ID: fmt.Sprintf("entry-%d", n), Type: kind, Body: fmt.Appendf(nil, `{"n":%d}`, n)})
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) Items(_ context.Context, after int64, limit int) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.items[after:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (m *memory) Changed() <-chan struct{} { m.mu.Lock(); defer m.mu.Unlock(); return m.changed }

func (m *memory) Cursor(_ context.Context, target string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor[target], nil
}

func (m *memory) Done(_ context.Context, target string, i Item, givenUp string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursor[target] = i.Number
	if givenUp != "" {
		m.gaveUp = append(m.gaveUp, i.ID+": "+givenUp)
	}
	return nil
}

// answer is a target without a network: it answers as a function says.
type answer func(*http.Request) (int, http.Header)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	code, h := a(r)
	if code == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: h, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func sender(t *testing.T, m *memory, a http.RoundTripper, targets ...Target) *Sender {
	t.Helper()
	s, err := New(Options{Feed: m, Cursors: m, Targets: targets, Client: &http.Client{Transport: a}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func target(name string, types ...string) Target {
	return Target{Name: name, URL: "https://" + name + ".example/hook", Secret: key(), Types: types}
}

func TestOrderIsKeptWhileATargetIsDownAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begun := newMemory(5), time.Now()
		got := map[string][]string{}
		var mu sync.Mutex
		a := answer(func(r *http.Request) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			body, _ := io.ReadAll(r.Body)
			if err := Verify(r.Header, body, key(), time.Now()); err != nil {
				t.Error(err)
			}
			if r.URL.Host == "slow.example" && time.Since(begun) < 20*time.Minute {
				return []int{0, 503}[len(got["tries"])%2], nil
			}
			got[r.URL.Host] = append(got[r.URL.Host], r.Header.Get("Webhook-Id"))
			return 204, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sender(t, m, a, target("slow"), target("quick")).Run(ctx) }()
		synctest.Wait()
		want := []string{"entry-1", "entry-2", "entry-3", "entry-4", "entry-5"}
		if !slices.Equal(got["quick.example"], want) || got["slow.example"] != nil {
			t.Errorf("at once: %v", got)
		}
		m.add("case.closed")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		want = append(want, "entry-6")
		if !slices.Equal(got["quick.example"], want) || !slices.Equal(got["slow.example"], want) {
			t.Errorf("in the end: %v", got)
		}
		stop()
		if err := <-done; err != nil || len(m.gaveUp) > 0 {
			t.Error(err, m.gaveUp)
		}
	})
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(250)
		var got []string
		for range 40 {
			ctx, stop := context.WithCancel(t.Context())
			left := 9
			a := answer(func(r *http.Request) (int, http.Header) {
				if left--; left == 0 {
					stop() // in the middle of a request that the target has taken
				}
				got = append(got, r.Header.Get("Webhook-Id"))
				return 200, nil
			})
			done := make(chan error)
			go func() { done <- sender(t, m, a, target("one")).Run(ctx) }()
			synctest.Wait()
			stop()
			<-done
		}
		if got = slices.Compact(got); len(got) != 250 || got[0] != "entry-1" || got[249] != "entry-250" {
			t.Errorf("%d items without repeats, %s to %s; want 250 in order", len(got), got[0], got[len(got)-1])
		}
	})
}

func TestOnlyWantedTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(0)
		for _, kind := range []string{"case.filed", "case.closed", "event.opened"} {
			m.add(kind)
		}
		var got []string
		a := answer(func(r *http.Request) (int, http.Header) {
			got = append(got, r.URL.Host+" "+r.Header.Get("Webhook-Id"))
			return 200, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sender(t, m, a, target("one", "case.closed", "event.*")).Run(ctx) }()
		synctest.Wait()
		stop()
		<-done
		if want := []string{"one.example entry-2", "one.example entry-3"}; !slices.Equal(got, want) || m.cursor["one"] != 3 {
			t.Errorf("%v, cursor %d", got, m.cursor["one"])
		}
	})
}

func TestGivingUpIsKeptAndTheNextItemGoesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begun := newMemory(3), time.Now()
		var taken []string
		a := answer(func(r *http.Request) (int, http.Header) {
			switch r.Header.Get("Webhook-Id") {
			case "entry-1":
				return 400, nil
			case "entry-2":
				return 410, nil
			}
			taken = append(taken, time.Since(begun).Round(time.Hour).String())
			return 200, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sender(t, m, a, target("one")).Run(ctx) }()
		time.Sleep(80 * time.Hour)
		synctest.Wait()
		stop()
		<-done
		if len(m.gaveUp) != 2 || !strings.Contains(m.gaveUp[0], "400") || !strings.Contains(m.gaveUp[1], "Gone") || len(taken) != 1 {
			t.Errorf("given up %q, taken after %v", m.gaveUp, taken)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begun := newMemory(1), time.Now()
		var tries []time.Duration
		a := answer(func(*http.Request) (int, http.Header) {
			tries = append(tries, time.Since(begun))
			if len(tries) == 1 {
				return 429, http.Header{"Retry-After": {"600"}}
			}
			return 200, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sender(t, m, a, target("one")).Run(ctx) }()
		time.Sleep(time.Hour)
		stop()
		<-done
		if len(tries) != 2 || tries[1] < 10*time.Minute {
			t.Errorf("tries after %v, want the second after 10 min", tries)
		}
	})
}

func TestOverARealConnection(t *testing.T) {
	m, got := newMemory(1), make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got <- errors.Join(err, Verify(r.Header, body, key(), time.Now()))
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	s, err := New(Options{Feed: m, Cursors: m, Targets: []Target{{Name: "local", URL: server.URL, Secret: key()}}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if err := <-got; err != nil {
		t.Error(err)
	}
	stop()
	<-done
}

func TestVerifyRefuses(t *testing.T) {
	now, body := time.Unix(1_800_000_000, 0), []byte(`{}`)
	head := func(at time.Time, signature string) http.Header {
		return http.Header{"Webhook-Id": {"a"}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())}, "Webhook-Signature": {signature}}
	}
	if err := Verify(head(now, "v1,other "+Sign(key(), "a", now, body)), body, key(), now.Add(time.Minute)); err != nil {
		t.Errorf("the second of two signatures fits: %v", err)
	}
	for name, err := range map[string]error{
		"an old one":     Verify(head(now, Sign(key(), "a", now, body)), body, key(), now.Add(6*time.Minute)),
		"from tomorrow":  Verify(head(now, Sign(key(), "a", now, body)), body, key(), now.Add(-6*time.Minute)),
		"another body":   Verify(head(now, Sign(key(), "a", now, body)), []byte(`{ }`), key(), now),
		"another secret": Verify(head(now, Sign(secret.New(strings.Repeat("x", 24)), "a", now, body)), body, key(), now),
		"no signature":   Verify(http.Header{}, body, key(), now),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestTargetsAreChecked(t *testing.T) {
	for _, c := range []Target{
		{URL: "https://a.example", Secret: key()},
		{Name: "clear", URL: "http://a.example/", Secret: key()},
		{Name: "password", URL: "https://me:pass@a.example/", Secret: key()},
		{Name: "short", URL: "https://a.example/", Secret: secret.New("short")},
	} {
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	if _, err := New(Options{Targets: []Target{target("a"), target("a")}}); err == nil {
		t.Error("a name that stands twice is taken")
	}
}

// Some targets have their key in the address: it stands neither in the log nor in the
// list of what was given up.
func TestTheAddressIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(1)
		var log strings.Builder
		where := target("chat")
		where.URL += "?key=s3cr3t"
		s := sender(t, m, answer(func(*http.Request) (int, http.Header) { return 0, nil }), where)
		s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(80 * time.Hour)
		stop()
		<-done
		text := log.String() + strings.Join(m.gaveUp, "")
		if len(m.gaveUp) != 1 || !strings.Contains(text, "connection refused") || strings.Contains(text, "s3cr3t") {
			t.Errorf("%s", text)
		}
	})
}
