package influxd

import (
	"context"
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
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	if _, err := Written(ctx, gone.URL); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another server: %v", err)
	}
}
