package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/internal/secret"
	"citygrid/schemas"
)

func openAt(t *testing.T, c Config) *Store {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "citygrid/autogen"
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// kind names the class of an error of this package.
func kind(err error) string {
	var retry *RetryableError
	var config *ConfigError
	var rejected *RejectedError
	switch {
	case err == nil:
		return "nil"
	case errors.As(err, &retry):
		return "retryable"
	case errors.As(err, &config):
		return "config"
	case errors.As(err, &rejected):
		return "rejected"
	}
	return "other"
}

// TestClassesOfAnswers holds the answers of InfluxDB 1.8.10 (services/httpd,
// tsdb, coordinator), of 2.x and of what may stand in between.
func TestClassesOfAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		json   string // the error in a JSON body, or
		text   string // a plain body
		want   string
	}{
		{"stored", 204, "", "", "nil"},
		{"portal", 200, "", "<html>welcome", "config"},
		{"accepted by a queue", 202, "", "", "config"},
		{"redirect to a page", 304, "", "", "config"},
		{"field type", 400, "partial write: field type conflict: input field \"value\" on measurement \"reading\" is type float, already exists as type integer dropped=1", "", "rejected"},
		{"old point", 400, "partial write: points beyond retention policy dropped=1", "", "rejected"},
		{"old point on 2.x", 422, "failure writing points to database: partial write: points beyond retention policy dropped=1", "", "rejected"},
		{"parse", 400, "unable to parse 'x': missing fields", "", "rejected"},
		{"series limit", 400, "partial write: max-series-per-database limit exceeded: (1) dropped=1", "", "config"},
		{"value limit", 400, "partial write: max-values-per-tag limit exceeded (1/1) dropped=1", "", "config"},
		{"shard going away", 400, "partial write: shard 3 is pending deletion dropped=1", "", "retryable"},
		{"unknown 400", 400, "", "bad gateway configuration", "config"},
		{"too large", 413, "Request Entity Too Large", "", "rejected"},
		{"no credentials", 401, "unable to parse authentication credentials", "", "config"},
		{"no right", 403, "user is not authorized to write", "", "config"},
		{"no database", 404, "database not found: \"citygrid\"", "", "config"},
		{"no retention policy", 500, "retention policy not found: autogen", "", "config"},
		{"fault", 500, "engine is closed", "", "retryable"},
		{"cache full", 500, "cache-max-memory-size exceeded: (2/1)", "", "retryable"},
		{"overload", 503, "", "busy", "retryable"},
		{"rate", 429, "", "", "retryable"},
		{"timeout of a proxy", 408, "", "", "retryable"},
		{"bad gateway", 502, "", "<html>", "retryable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				if tt.json != "" {
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("X-Influxdb-Error", tt.json)
				}
				w.WriteHeader(tt.status)
				if tt.json != "" {
					fmt.Fprintf(w, "{%q:%q}\n", "error", tt.json)
				} else if tt.status != 204 && tt.status != 304 {
					io.WriteString(w, tt.text)
				}
			}))
			defer srv.Close()
			s := openAt(t, Config{URL: srv.URL})
			err := s.Write(t.Context(), []schemas.Reading{good("a", 1, 0, 1700000000000)})
			if got := kind(err); got != tt.want {
				t.Fatalf("%s (%v), want %s", got, err, tt.want)
			}
			if err != nil && tt.want != "rejected" && !strings.Contains(err.Error(), srv.URL) {
				t.Errorf("%q does not name the server", err)
			}
			if retry := (*RetryableError)(nil); errors.As(err, &retry) && retry.After != 7*time.Second {
				t.Errorf("wait %s, want the 7s that the server asked for", retry.After)
			}
		})
	}
}

// TestNewerServer is the form of errors of 2.x.
func TestNewerServer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Token secret-token" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		if r.URL.Path != "/query" && r.FormValue("org") != "city" {
			t.Errorf("organisation %q", r.FormValue("org"))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"code":"unauthorized","message":"unauthorized access"}`)
	}))
	defer srv.Close()
	s := openAt(t, Config{URL: srv.URL, Org: "city", Bucket: "meters", Token: secret.New("secret-token")})
	_, queryErr := s.Count(t.Context(), time.Time{}, time.Now())
	for _, err := range []error{s.Write(t.Context(), []schemas.Reading{good("a", 1, 0, 1700000000000)}), queryErr} {
		if kind(err) != "config" || !strings.Contains(err.Error(), "unauthorized access") {
			t.Error(err)
		}
		if strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%q shows the token", err)
		}
	}
}

// TestBisect refuses three of 1,000 points and nothing else.
func TestBisect(t *testing.T) {
	stored := make(map[string]bool)
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		body, _ := io.ReadAll(r.Body)
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		if len(lines) > 250 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		bad := 0
		for _, line := range lines {
			if strings.Contains(line, "meter=bad") {
				bad++
			}
		}
		if bad > 0 { // stores nothing of the request, the worst that it may do
			http.Error(w, fmt.Sprintf("partial write: no dropped=%d", bad), http.StatusBadRequest)
			return
		}
		for _, line := range lines {
			stored[line] = true
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	readings := make([]schemas.Reading, 1000)
	for i := range readings {
		readings[i] = good("ok", int64(i), 0, 1700000000000+int64(i))
	}
	for _, i := range []int{0, 500, 501} {
		readings[i].Meter = "bad"
	}
	readings[7].Unit = "kW.h" // never sent: it would come back as m3/h

	err := openAt(t, Config{URL: srv.URL}).Write(t.Context(), readings)
	var rejected *RejectedError
	if !errors.As(err, &rejected) {
		t.Fatal(err)
	}
	var indices []int
	for _, r := range rejected.Readings {
		indices = append(indices, r.Index)
		if r.Reading != readings[r.Index] || r.Reason == "" {
			t.Errorf("%+v", r)
		}
	}
	if fmt.Sprint(indices) != "[0 7 500 501]" {
		t.Errorf("rejected %v", indices)
	}
	if len(stored) != 996 {
		t.Errorf("%d points are stored, want 996", len(stored))
	}
	if requests > 60 {
		t.Errorf("%d requests", requests)
	}
}

func TestAllRefusedAtOnce(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		http.Error(w, "partial write: points beyond retention policy dropped=500", http.StatusBadRequest)
	}))
	defer srv.Close()
	readings := make([]schemas.Reading, 500)
	for i := range readings {
		readings[i] = good("a", 1, 0, 1700000000000+int64(i))
	}
	err := openAt(t, Config{URL: srv.URL}).Write(t.Context(), readings)
	var rejected *RejectedError
	if !errors.As(err, &rejected) || len(rejected.Readings) != 500 || requests.Load() != 1 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

func TestNoAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer srv.Close()
	s := openAt(t, Config{URL: srv.URL, Timeout: 20 * time.Millisecond})
	one := []schemas.Reading{good("a", 1, 0, 1700000000000)}
	_, countErr := s.Count(t.Context(), time.Time{}, time.Now())
	for name, err := range map[string]error{"write": s.Write(t.Context(), one), "ping": s.Ping(t.Context()), "count": countErr} {
		if kind(err) != "retryable" {
			t.Errorf("%s: %v", name, err)
		}
	}

	stop := errors.New("the hub stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	_, countErr = s.Count(ctx, time.Time{}, time.Now())
	for name, err := range map[string]error{"write": s.Write(ctx, one), "ping": s.Ping(ctx), "count": countErr} {
		if kind(err) != "other" || !errors.Is(err, stop) {
			t.Errorf("%s when cancelled: %v", name, err)
		}
	}

	srv.Close()
	if err := s.Ping(t.Context()); kind(err) != "retryable" || !strings.Contains(err.Error(), srv.URL) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		c    Config
		want string
	}{
		{Config{URL: "localhost:8086", Bucket: "b"}, "want http://host:port"},
		{Config{URL: "http://", Bucket: "b"}, "want http://host:port"},
		{Config{URL: "ftp://h", Bucket: "b"}, "want http://host:port"},
		{Config{URL: "http://u:geheim@h", Bucket: "b"}, "credentials belong in the token"},
		{Config{URL: "http://h?token=geheim", Bucket: "b"}, "base address"},
		{Config{URL: "http://h:geheim%zz", Bucket: "b"}, "cannot be read"},
		{Config{URL: "http://h"}, "bucket"},
		{Config{URL: "http://h", Bucket: "/rp"}, "bucket"},
		{Config{URL: "http://h", Bucket: "b", BatchPoints: 20001}, "batch of 20001"},
		{Config{URL: "http://h", Bucket: "b", Timeout: -1}, "timeout"},
	}
	for _, tt := range tests {
		_, err := Open(tt.c)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.c, err, tt.want)
		} else if u := strings.Contains(err.Error(), "geheim"); u {
			t.Errorf("%q shows the password", err)
		}
	}
}
