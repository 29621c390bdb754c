package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/hub/cases"
	"citygrid/hub/config"
	"citygrid/hub/registry/assets"
	"citygrid/schemas/codes"
)

// A bucket of photos that is away when the hub starts stops neither meters nor cases.
func TestABucketThatIsAwayIsToldAndNothingElse(t *testing.T) {
	lists, err := codes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CITYGRID_TEST_S3", "a secret of some words")
	cfg := &config.Config{Grid: config.Grid{DSN: "sqlite:" + filepath.Join(t.TempDir(), "grid.db"),
		Media: config.GridMedia{S3: &config.S3{URL: "http://127.0.0.1:1", Bucket: "media", Region: "x", Access: "a", Secret: "env:CITYGRID_TEST_S3"}}}}
	var log strings.Builder
	g, err := openGrid(t.Context(), cfg, lists, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.media == nil || !strings.Contains(log.String(), "127.0.0.1:1") || strings.Contains(log.String(), "some words") {
		t.Errorf("%s", log.String())
	}
}

func TestWhoIsAnInspector(t *testing.T) {
	lists, err := codes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, err := assets.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "grid.db"), assets.Options{Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := peopleFace{&config.Grid{People: []config.GridPerson{{ID: "li", Roles: []string{"acceptor", "inspector"}}, {ID: "wu", Roles: []string{"dispatcher"}}}}, r}
	for id, want := range map[cases.PersonID]bool{"li": true, "wu": false, "nobody": false} {
		if is, err := f.Inspector(t.Context(), id); err != nil || is != want {
			t.Errorf("%s: %t, %v, want %t", id, is, err, want)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
