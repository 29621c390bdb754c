package influxd

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestWritten(t *testing.T) {
	if _, err := Find(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	resp, err := http.Post(s.URL()+"/write?db=citygrid", "text/plain", strings.NewReader("m v=1 1\nm v=2 2\nm v=3 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n, err := Written(ctx, s.URL()); err != nil || n != 3 {
		t.Errorf("%d, %v; want 3 points", n, err)
	}
}

// TestWrittenIsNeverGuessed: what is no answer is an error and not 0.
func TestWrittenIsNeverGuessed(t *testing.T) {
	for body, want := range map[string]string{
		"":                "EOF",
		`{"httpd::8086":`: "unexpected EOF",
		`{"httpd::8086":{"values":{"pointsWrittenOK":"3"}}}`: "cannot unmarshal",
		`{"httpd::8086":{"values":{}}}`:                      "does not say",
		`{"write":{"values":{"pointsWrittenOK":3}}}`:         "does not say",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		if n, err := Written(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v; want %q", body, n, err, want)
		}
		server.Close()
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := Written(t.Context(), other.URL); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another server: %v", err)
	}
}
